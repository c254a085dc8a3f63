// SPDX-License-Identifier: Apache-2.0

package import Tracing

/// The tracer: follows W3C's trace context, and puts spans that are sampled into a queue when they end.
///
/// Whether a trace is recorded is decided where it begins, and everybody after that keeps to it.
package struct SpanRecorder: Tracer {
    private let queue: SpanQueue
    private let sampling: Sampling

    /// - Parameter sampleRatio: 0...1 of the traces that begin here.
    package init(queue: SpanQueue, sampleRatio: Double) {
        self.queue = queue
        self.sampling = Sampling(ratio: sampleRatio)
    }

    package func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> InstrumentationContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> RecordedSpan {
        var context = context()
        let parent = context.traceContext
        let own = self.sampling.child(of: parent)
        context.traceContext = own
        guard own.isSampled else { return RecordedSpan(unsampled: context, operationName: operationName) }
        return RecordedSpan(
            context: context, own: own, parent: parent, operationName: operationName, kind: kind,
            start: instant().nanosecondsSinceEpoch, queue: self.queue)
    }

    package func forceFlush() { self.queue.wake() }

    package func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout InstrumentationContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        guard let parent = extractor.extract(key: "traceparent", from: carrier) else { return }
        let state = extractor.extract(key: "tracestate", from: carrier).flatMap(TraceState.init)
        guard let found = TraceContext(traceParent: parent, state: state) else { return }
        context.traceContext = found
    }

    package func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let own = context.traceContext else { return }
        injector.inject(own.traceParent, forKey: "traceparent", into: &carrier)
        if let state = own.state { injector.inject(state.text, forKey: "tracestate", into: &carrier) }
    }
}

/// Which traces are recorded.
struct Sampling: Sendable {
    /// Trace ids whose lower half is below it, or all: other services with the same ratio choose the same traces.
    private let threshold: UInt64
    private let isEverything: Bool

    init(ratio: Double) {
        self.isEverything = ratio >= 1
        self.threshold = ratio > 0 && ratio < 1 ? UInt64(ratio * 0x1p64) : 0
    }

    func takes(_ id: TraceContext.TraceID) -> Bool { self.isEverything || id.low < self.threshold }

    func child(of parent: TraceContext?) -> TraceContext {
        var random = SystemRandomNumberGenerator()
        return self.child(of: parent, using: &random)
    }

    func child(of parent: TraceContext?, using random: inout some RandomNumberGenerator) -> TraceContext {
        while true {
            let traceID = parent?.traceID ?? .init(high: random.next(), low: random.next())
            let isSampled = parent?.isSampled ?? self.takes(traceID)
            let child = TraceContext(
                traceID: traceID, spanID: random.next(), isSampled: isSampled, state: parent?.state)
            if let child { return child }
        }
    }
}
