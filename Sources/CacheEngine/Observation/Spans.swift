// SPDX-License-Identifier: Apache-2.0

import Tracing

/// Opens spans below that of a request; nothing at all where there is no tracer.
struct Spans: Sendable {
    private let tracer: (any Tracer)?

    init(_ tracer: any Tracer) { self.tracer = tracer is NoOpTracer ? nil : tracer }

    /// - Returns: `nil` without a tracer, and outside of a request: what the service does on its own is in its metrics.
    func begin(_ name: @autoclosure () -> String, _ kind: SpanKind) -> (any Span)? {
        guard let tracer = self.tracer, let request = InstrumentationContext.current else { return nil }
        return tracer.startSpan(name(), context: request, ofKind: kind)
    }
}

extension Span {
    /// - Parameter code: Of the error; of a closed set.
    func end(failing code: String) {
        self.attributes["error.type"] = code
        self.setStatus(SpanStatus(code: .error))
        self.end()
    }
}
