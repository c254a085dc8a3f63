// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import Logging
import MetricsTestKit
import NIOCore
import TestSupport
import Testing

/// Every request is counted once, by what it was answered with.
@Suite(.timeLimit(.minutes(1))) struct RequestMetricsTests {
    private let metrics = TestMetrics()

    private func count(_ method: String, _ code: String) throws -> Int64 {
        try self.metrics.expectCounter(
            "semcache_requests_total", [("protocol", "native"), ("method", method), ("code", code)]
        ).totalValue
    }

    /// All requests that were counted.
    private var total: Int64 {
        self.metrics.counters.filter { $0.label == "semcache_requests_total" }.reduce(0) { $0 + $1.totalValue }
    }

    @Test func `a lookup that is answered late with a miss is a success`() async throws {
        let embedder = ControlledEmbedder()
        try await TestServer.run(embedder: embedder, metrics: self.metrics) { server in
            let client = try await server.open()
            try await client.send(.lookup(lookup("q")), id: 1, deadline: .seconds(1))
            let held = await embedder.nextHeld()
            let reply = try await client.nextReply()
            #expect(reply.lookup?.missReason == .degraded(.deadlineExceeded))
            held.succeed()
            guard case .stats(let statistics) = try await client.ask(.stats(cache: nil)).get() else {
                Issue.record("no statistics")
                return
            }
            #expect(statistics.caches.first?.missesDegraded == 1)
        }
        #expect(try self.count("Lookup", "ok") == 1)
        #expect(try self.count("Stats", "ok") == 1)
        #expect(self.total == 2)
    }

    @Test func `what is refused is counted by what it asked for`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(authenticator: authenticator, metrics: self.metrics) { server in
            let reader = try await Keyed.connect(.apiKey("key-reader"), to: server)
            #expect(Keyed.code(try await reader.ask(.store(store("q", "a")))) == .permissionDenied)
            #expect(Keyed.code(try await reader.ask(.ping, tenant: "b")) == .permissionDenied)
            try await reader.send(bytes: [0, 0, 0, 0, 1, 0xff])
            #expect(try await reader.nextReply().error?.code == .invalidArgument)
            try await reader.send(.lookup(LookupRequest(cache: "", prompt: prompt("q"))), id: 9)
            #expect(try await reader.nextReply().error?.code == .invalidArgument)
        }
        #expect(try self.count("Store", "permission_denied") == 1)
        #expect(try self.count("Ping", "permission_denied") == 1)
        #expect(try self.count("unknown", "invalid_argument") == 2)
        #expect(self.total == 4)
    }

    @Test func `a call whose connection is gone is counted as cancelled`() async throws {
        let embedder = ControlledEmbedder()
        try await TestServer.run(embedder: embedder, metrics: self.metrics) { server in
            let client = try await server.open()
            try await client.send(.lookup(lookup("q")), id: 1)
            _ = await embedder.nextHeld()
            await client.close()
            let other = try await server.open()
            while try await server.connections(toldTo: other) > 1 {}
        }
        #expect(try self.count("Lookup", "cancelled") == 1)
    }

    @Test func `credentials that let nobody in are counted`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        let log = RecordedLog(level: .info)
        try await TestServer.run(authenticator: authenticator, log: log, metrics: self.metrics) { server in
            let client = try await server.connect()
            let address = try #require(client.address)
            try await client.send(Keyed.hello(.apiKey("wrong")))
            try await Keyed.expectEnd(of: client, .unauthenticated, "the API key is not known")
            let line = await log.next(with: "credential refused")
            #expect(line.contains("connection.peer=\(address)"), "\(line)")
            #expect(line.contains("error.code=unauthenticated") && line.contains("server.protocol=native"), "\(line)")
        }
        #expect(try self.metrics.expectCounter("semcache_credentials_refused_total").totalValue == 1)
    }
}
