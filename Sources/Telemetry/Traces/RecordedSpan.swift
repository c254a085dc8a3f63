// SPDX-License-Identifier: Apache-2.0

import Synchronization
package import Tracing

/// A span until it ends; one that is not sampled records nothing and carries only its context on.
///
/// An error is recorded by its type alone: what it says may repeat what a caller sent.
package final class RecordedSpan: Span {
    package let context: InstrumentationContext

    private let queue: SpanQueue?
    private let state: Mutex<State>

    private struct State {
        var operationName: String
        var attributes = SpanAttributes()
        /// `nil`: it is not sampled, or has ended.
        var span: FinishedSpan?
    }

    init(unsampled context: InstrumentationContext, operationName: String) {
        self.context = context
        self.queue = nil
        self.state = Mutex(State(operationName: operationName))
    }

    init(
        context: InstrumentationContext, own: TraceContext, parent: TraceContext?, operationName: String,
        kind: SpanKind, start: UInt64, queue: SpanQueue
    ) {
        self.context = context
        self.queue = queue
        let span = FinishedSpan(own: own, parentSpanID: parent?.spanID, kind: kind, start: start)
        self.state = Mutex(State(operationName: operationName, span: span))
    }

    package var isRecording: Bool { self.state.withLock { $0.span != nil } }

    package var operationName: String {
        get { self.state.withLock { $0.operationName } }
        set { self.whileRecording { state, _ in state.operationName = newValue } }
    }

    package var attributes: SpanAttributes {
        get { self.state.withLock { $0.attributes } }
        set { self.whileRecording { state, _ in state.attributes = newValue } }
    }

    package func setStatus(_ status: SpanStatus) {
        self.whileRecording { _, span in
            // What was found good stays so.
            if span.status?.code != .ok { span.status = status }
        }
    }

    package func addEvent(_ event: SpanEvent) {
        self.whileRecording { _, span in span.add(event) }
    }

    package func addLink(_ link: SpanLink) {
        self.whileRecording { _, span in span.add(link) }
    }

    package func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        guard self.isRecording else { return }
        var attributes = attributes
        attributes["exception.type"] = String(reflecting: type(of: error))
        self.addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
    }

    package func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard let queue = self.queue else { return }
        let ended = self.state.withLock { state in
            defer { state.span = nil }
            return state.span.map { ($0, state.operationName, state.attributes) }
        }
        guard let (span, name, attributes) = ended else { return }
        queue.add(span.encoded(name: name, attributes: attributes, end: instant().nanosecondsSinceEpoch))
    }

    private func whileRecording(_ change: (inout State, inout FinishedSpan) -> Void) {
        self.state.withLock { state in
            guard var span = state.span else { return }
            state.span = nil
            change(&state, &span)
            state.span = span
        }
    }
}
