// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CoreMetrics

/// What the listeners count, whatever the protocol. Handles are made once; labels are of closed sets.
struct ServerMetrics: Sendable {
    private let calls: [CallOrigin.Transport: [Counter]]
    private let fastLookups: Counter
    private let refusedConnections: [ConnectionAdmission.Refusal: Counter]
    let acceptedConnections = Counter(label: "semcache_connections_total", dimensions: [("outcome", "accepted")])
    let handshakes = Counter(label: "semcache_tls_handshakes_total", dimensions: [("outcome", "completed")])
    let resumedHandshakes = Counter(label: "semcache_tls_handshakes_total", dimensions: [("outcome", "resumed")])
    let failedHandshakes = Counter(label: "semcache_tls_handshakes_total", dimensions: [("outcome", "failed")])
    let refusedCredentials = Counter(label: "semcache_credentials_refused_total")

    init() {
        self.calls = Dictionary(
            uniqueKeysWithValues: CallOrigin.Transport.allCases.map { transport in
                let counters = ServiceRequest.methods.flatMap { method in
                    ([nil] + CacheError.Code.allCases).map { code in
                        Counter(
                            label: "semcache_requests_total",
                            dimensions: [
                                ("protocol", transport == .native ? "native" : "grpc"), ("method", method),
                                ("code", code?.label ?? "ok"),
                            ])
                    }
                }
                return (transport, counters)
            })
        self.fastLookups = Counter(
            label: "semcache_requests_total",
            dimensions: [("protocol", "native"), ("method", "Lookup"), ("code", "ok")])
        self.refusedConnections = Dictionary(
            uniqueKeysWithValues: ConnectionAdmission.Refusal.allCases.map {
                ($0, Counter(label: "semcache_connections_total", dimensions: [("outcome", "refused_\($0.rawValue)")]))
            })
    }

    /// Counts a call that is answered.
    func count(
        _ request: ServiceRequest, _ result: Result<ServiceResponse, CacheError>, by transport: CallOrigin.Transport
    ) {
        let width = CacheError.Code.allCases.count + 1
        var position = request.methodIndex * width
        if case .failure(let error) = result {
            position += 1 + (CacheError.Code.allCases.firstIndex(of: error.code) ?? 0)
        }
        self.calls[transport]?[position].increment()
    }

    /// Counts a Lookup that the fast lane has answered.
    func countFastLookup() { self.fastLookups.increment() }

    func count(_ refusal: ConnectionAdmission.Refusal) { self.refusedConnections[refusal]?.increment() }
}

extension ServiceRequest {
    /// Names of the methods, as the schema has them, in the order of ``methodIndex``.
    static let methods = ["Lookup", "Store", "Invalidate", "Stats", "Export", "Ping"]

    var methodIndex: Int {
        switch self {
        case .lookup: 0
        case .store: 1
        case .invalidate: 2
        case .stats: 3
        case .export: 4
        case .ping: 5
        }
    }

    var method: String { Self.methods[self.methodIndex] }
}

extension CacheError.Code {
    /// As a label of a metric: `invalid_argument`.
    fileprivate var label: String {
        "\(self)".reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
