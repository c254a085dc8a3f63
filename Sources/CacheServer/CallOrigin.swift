// SPDX-License-Identifier: Apache-2.0

import Tracing

/// By which protocol a call came, and of which trace it is a part.
package struct CallOrigin: Sendable, Equatable {
    /// The raw value is for metrics and logs.
    package enum Transport: String, Sendable, CaseIterable {
        case native
        case grpc

        /// As OpenTelemetry calls it.
        var rpcSystem: String {
            switch self {
            case .native: "semcached"
            case .grpc: "grpc"
            }
        }
    }

    package let transport: Transport
    /// W3C trace context as the peer sent it, not checked; empty if there is none.
    package let traceparent: String
    package let tracestate: String

    package init(_ transport: Transport, traceparent: String = "", tracestate: String = "") {
        self.transport = transport
        self.traceparent = traceparent
        self.tracestate = tracestate
    }

    /// The trace's id, for logs; `nil` if there is none, or what is there is no such thing.
    var traceID: Substring? {
        let parts = self.traceparent.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[1].utf8.count == 32, parts[1].allSatisfy(\.isHexDigit) else { return nil }
        return parts[1]
    }
}

struct CallOriginExtractor: Extractor {
    func extract(key: String, from origin: CallOrigin) -> String? {
        let value: String
        switch key {
        case "traceparent": value = origin.traceparent
        case "tracestate": value = origin.tracestate
        default: return nil
        }
        return value.isEmpty ? nil : value
    }
}
