// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Tracing

/// The span of one call, from when its caller asked until the answer.
struct CallSpan {
    /// For the server: W3C's header, or empty if whoever traces says nothing there.
    let traceparent: String
    private let span: any Span

    /// - Returns: `nil` if nobody traces: then nothing is computed.
    init?(_ method: ServiceMethod, to addresses: [ServerAddress]) {
        let instrument = InstrumentationSystem.instrument
        if instrument is NoOpInstrument || instrument is NoOpTracer { return nil }
        let span = startSpan("\(method.service)/\(method.rawValue)", ofKind: .client)
        self.span = span
        var header = ""
        instrument.inject(span.context, into: &header, using: HeaderInjector())
        // The server would refuse the call for it.
        self.traceparent = header.utf8.count <= Limits.maximumTraceParentBytes ? header : ""
        guard span.isRecording else { return }
        span.attributes["rpc.system"] = "semcached"
        span.attributes["rpc.service"] = method.service
        span.attributes["rpc.method"] = method.rawValue
        // Which of several answers is not known yet.
        guard addresses.count == 1 else { return }
        span.attributes["server.address"] = addresses[0].host
        span.attributes["server.port"] = addresses[0].port
    }

    func end(_ result: Result<ServiceResponse, CacheClientError>) {
        switch result {
        case .success(.lookup(let outcome)):
            self.span.attributes["semcache.outcome"] = outcome.label
        case .success:
            break
        case .failure(let error):
            self.span.attributes["error.type"] = error.code.label
            self.span.setStatus(SpanStatus(code: .error, message: error.message))
        }
        self.span.end()
    }
}

/// The carrier is the value of `traceparent`; the protocol has no place for other headers.
private struct HeaderInjector: Injector {
    func inject(_ value: String, forKey key: String, into carrier: inout String) {
        if key.utf8.elementsEqual("traceparent".utf8) { carrier = value }
    }
}
