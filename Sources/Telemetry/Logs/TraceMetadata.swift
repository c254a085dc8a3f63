// SPDX-License-Identifier: Apache-2.0

package import Logging
import Tracing

extension Logger.MetadataProvider {
    /// `trace_id` and `span_id` of the span that the current task is in.
    package static let traceContext = Logger.MetadataProvider {
        guard let trace = InstrumentationContext.current?.traceContext else { return [:] }
        return ["trace_id": "\(trace.traceID)", "span_id": "\(Hex.text(trace.spanID))"]
    }
}
