// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import CoreMetrics

/// What the listeners count, whatever the protocol. Handles are made once; labels are of closed sets.
struct ServerMetrics: Sendable {
    /// By method, of which the last is the one that cannot be told; within it by code, of which the first is success.
    private let requests: [CallOrigin.Transport: [Counter]]
    private let fastLookups: Counter
    private let refusedConnections: [ConnectionAdmission.Refusal: Counter]
    let acceptedConnections: Counter
    let handshakes: Counter
    let resumedHandshakes: Counter
    let failedHandshakes: Counter
    let refusedCredentials: Counter

    init(_ factory: any MetricsFactory) {
        let counter = { (label: String, dimensions: [(String, String)]) in
            Counter(label: "semcache_\(label)", dimensions: dimensions, factory: factory)
        }
        let request = { (transport: CallOrigin.Transport, method: ServiceMethod?, code: CacheError.Code?) in
            counter(
                "requests_total",
                [
                    ("protocol", transport.rawValue), ("method", method?.rawValue ?? "unknown"),
                    ("code", code?.label ?? "ok"),
                ])
        }
        let methods: [ServiceMethod?] = ServiceMethod.allCases + [nil]
        let codes: [CacheError.Code?] = [nil] + CacheError.Code.allCases
        self.requests = Dictionary(
            uniqueKeysWithValues: CallOrigin.Transport.allCases.map { transport in
                (transport, methods.flatMap { method in codes.map { request(transport, method, $0) } })
            })
        self.fastLookups = request(.native, .lookup, nil)
        self.refusedConnections = Dictionary(
            uniqueKeysWithValues: ConnectionAdmission.Refusal.allCases.map {
                ($0, counter("connections_total", [("outcome", "refused_\($0.rawValue)")]))
            })
        self.acceptedConnections = counter("connections_total", [("outcome", "accepted")])
        self.handshakes = counter("tls_handshakes_total", [("outcome", "completed")])
        self.resumedHandshakes = counter("tls_handshakes_total", [("outcome", "resumed")])
        self.failedHandshakes = counter("tls_handshakes_total", [("outcome", "failed")])
        self.refusedCredentials = counter("credentials_refused_total", [])
    }

    /// Counts a request that is answered.
    ///
    /// - Parameters:
    ///   - method: `nil` if it cannot be told.
    ///   - code: `nil` for success.
    func count(_ method: ServiceMethod?, _ code: CacheError.Code?, by transport: CallOrigin.Transport) {
        let row = method.flatMap { ServiceMethod.allCases.firstIndex(of: $0) } ?? ServiceMethod.allCases.count
        let column = code.flatMap { CacheError.Code.allCases.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
        self.requests[transport]?[row * (CacheError.Code.allCases.count + 1) + column].increment()
    }

    /// Counts a Lookup that the fast lane has answered.
    func countFastLookup() { self.fastLookups.increment() }

    func count(_ refusal: ConnectionAdmission.Refusal) { self.refusedConnections[refusal]?.increment() }
}
