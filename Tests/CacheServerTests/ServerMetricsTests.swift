// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import MetricsTestKit
import Testing

@testable import CacheServer

@Suite struct ServerMetricsTests {
    private let factory = TestMetrics()

    private func total(_ label: String, _ dimensions: [(String, String)]) throws -> Int64 {
        try self.factory.expectCounter("semcache_" + label, dimensions).totalValue
    }

    @Test(arguments: CallOrigin.Transport.allCases)
    func `each method and code of a protocol has a counter of its own`(transport: CallOrigin.Transport) throws {
        let metrics = ServerMetrics(self.factory)
        let methods: [ServiceMethod?] = ServiceMethod.allCases + [nil]
        let codes: [CacheError.Code?] = CacheError.Code.allCases + [nil]
        for method in methods {
            for code in codes {
                metrics.count(method, code, by: transport)
                let dimensions = [
                    ("protocol", transport.rawValue), ("method", method?.rawValue ?? "unknown"),
                    ("code", code?.label ?? "ok"),
                ]
                #expect(try self.total("requests_total", dimensions) == 1, "\(dimensions)")
            }
        }
    }

    @Test func `a lookup of the fast lane is one of the native protocol that went well`() throws {
        let metrics = ServerMetrics(self.factory)
        metrics.countFastLookup()
        let dimensions = [("protocol", "native"), ("method", "Lookup"), ("code", "ok")]
        #expect(try self.total("requests_total", dimensions) == 1)
    }

    @Test(arguments: ConnectionAdmission.Refusal.allCases)
    func `a connection that is refused is counted by the limit that refused it`(
        refusal: ConnectionAdmission.Refusal
    ) throws {
        let metrics = ServerMetrics(self.factory)
        metrics.count(refusal)
        #expect(try self.total("connections_total", [("outcome", "refused_\(refusal.rawValue)")]) == 1)
        #expect(try self.total("connections_total", [("outcome", "accepted")]) == 0)
    }
}
