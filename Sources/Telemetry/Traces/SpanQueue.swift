// SPDX-License-Identifier: Apache-2.0

package import CoreMetrics
import Synchronization

/// Finished spans on their way to the collector. It is bounded in number and bytes, and never makes anybody wait: what
/// does not fit is dropped and counted, in `<prefix>_spans_dropped_total` by `reason`.
package final class SpanQueue: Sendable {
    /// Fires when there may be something to send; ends with `finish`. One reader.
    let wakes: AsyncStream<Void>

    private let waker: AsyncStream<Void>.Continuation
    private let state = Mutex(State())
    private let batchSpans: Int
    private let maximumSpans: Int
    private let full: Counter
    private let tooLarge: Counter
    private let stopped: Counter

    private struct State {
        var spans: [[UInt8]] = []
        var bytes = 0
        var isFinished = false
    }

    private enum Answer { case waits, wakes, full, tooLarge, stopped }

    package init(
        metrics: any MetricsFactory, prefix: String, maximumSpans: Int = TelemetryLimits.queuedSpans,
        batchSpans: Int = TelemetryLimits.batchSpans
    ) {
        (self.wakes, self.waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.maximumSpans = maximumSpans
        self.batchSpans = batchSpans
        func dropped(_ reason: String) -> Counter {
            Counter(label: prefix + "_spans_dropped_total", dimensions: [("reason", reason)], factory: metrics)
        }
        self.full = dropped("queue_full")
        self.tooLarge = dropped("too_large")
        self.stopped = dropped("stopped")
    }

    /// - Parameter span: a span as JSON.
    func add(_ span: [UInt8]) {
        let answer = self.state.withLock { state -> Answer in
            if state.isFinished { return .stopped }
            if span.count > TelemetryLimits.spanBytes { return .tooLarge }
            guard state.spans.count < self.maximumSpans, state.bytes + span.count <= TelemetryLimits.queuedSpanBytes
            else { return .full }
            state.spans.append(span)
            state.bytes += span.count
            return state.spans.count == self.batchSpans ? .wakes : .waits
        }
        switch answer {
        case .waits: break
        case .wakes: self.wake()
        case .full: self.full.increment()
        case .tooLarge: self.tooLarge.increment()
        case .stopped: self.stopped.increment()
        }
    }

    /// The oldest spans, as many as one request takes; empty if there are none.
    func take() -> [[UInt8]] {
        self.state.withLock { state in
            var (count, bytes) = (0, 0)
            while count < min(self.batchSpans, state.spans.count) {
                guard count == 0 || bytes + state.spans[count].count <= TelemetryLimits.batchBytes else { break }
                bytes += state.spans[count].count
                count += 1
            }
            let taken = Array(state.spans.prefix(count))
            state.spans.removeFirst(count)
            state.bytes -= bytes
            return taken
        }
    }

    /// Whether there is enough for a request.
    var hasBatch: Bool {
        self.state.withLock {
            $0.spans.count >= self.batchSpans || $0.bytes >= TelemetryLimits.batchBytes
        }
    }

    func wake() { self.waker.yield() }

    /// What comes from now on is dropped; what there is can still be taken.
    func finish() {
        self.state.withLock { $0.isFinished = true }
        self.waker.finish()
    }

    /// Counts as dropped what nobody will take any more.
    func abandon() {
        let left = self.state.withLock { state in
            defer { state = State(isFinished: true) }
            return state.spans.count
        }
        if left > 0 { self.stopped.increment(by: left) }
    }
}
