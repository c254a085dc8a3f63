// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport
import Testing

/// The operator's port of a real service.
@Suite(.timeLimit(.minutes(2))) struct AdminTests {
    @Test func `the settings are shown as given, without secrets`() async throws {
        let redis = try await RedisServer.start(password: "hush-redis")
        let service = try await RunningService(
            settings: ["server.grace_period=7s"],
            file: """
                traces: {endpoint: "http://user:hush-traces@127.0.0.1:1"}
                cache: {ttl: 2h}
                """,
            environment: ["SEMCACHED_STORE_URL": redis.url, "SEMCACHED_LOG_FORMAT": "json"])
        let page = try await service.get("/config")
        #expect(page.status == 200)
        let settings = try page.object
        for (key, value) in [
            ("server.grace_period", "7s"), ("cache.ttl", "2h"), ("log.format", "json"), ("store.url", "(hidden)"),
            ("traces.endpoint", "(hidden)"), ("server.port", "0"),
        ] {
            #expect(settings[key] as? String == value, "\(key)")
        }
        #expect(!page.text.contains("hush"))
        #expect(await service.stop(SIGTERM) == 0)
    }

    @Test func `after SIGHUP the new settings are shown, unless they are wrong`() async throws {
        let service = try await RunningService(file: "cache: {ttl: 2h}\n")
        func shown() async throws -> String? { try await service.get("/config").object["cache.ttl"] as? String }
        #expect(try await shown() == "2h")
        #expect(try await service.reload("cache: {ttl: 3h}\n").contains("settings reloaded"))
        #expect(try await shown() == "3h")
        #expect(try await service.reload("cache: {ttl: soon}\n").contains("not reloaded"))
        #expect(try await shown() == "3h")
        #expect(await service.stop(SIGTERM) == 0)
    }

    @Test func `the statistics have tenants and their caches`() async throws {
        let (acme, globex) = (KeyedTenant("acme", "entries: 100"), KeyedTenant("globex"))
        let service = try await RunningService(file: "tenants:\n\(acme.settings)\(globex.settings)")
        let question = "How do I reset my password?"
        var configuration = ClientConfiguration(ServerAddress(host: "127.0.0.1", port: service.port))
        configuration.credential = .apiKey(acme.key)
        try await CacheClient.withClient(configuration) { client in
            _ = try await client.store("Open Settings.", for: question, in: "support")
            _ = try await client.lookup(question, in: "support")
            _ = try await client.lookup(question, in: "faq", mode: .exact)
        }
        let page = try await service.get("/stats.json")
        let tenants = try #require(try page.object["tenants"] as? [[String: Any]])
        #expect(tenants.map { $0["name"] as? String } == ["acme", "globex"])
        let first = try #require(tenants.first)
        #expect(first["entries"] as? Int == 1 && first["maximum_entries"] as? Int == 100)
        let caches = try #require(first["caches"] as? [[String: Any]])
        #expect(caches.map { $0["name"] as? String } == ["faq", "support"])
        #expect(caches.map { $0["stores"] as? Int } == [0, 1])
        #expect(caches.map { $0["exact_hits_store"] as? Int } == [0, 1])
        #expect(caches.map { $0["misses_not_stored"] as? Int } == [1, 0])
        for secret in ["password", "Open Settings", "Secret"] { #expect(!page.text.contains(secret)) }
        #expect(await service.stop(SIGTERM) == 0)
    }

    @Test func `without the operator's port the service serves all the same`() async throws {
        let service = try await RunningService(settings: ["admin.enabled=false"])
        #expect(try await service.semcache("ping").status == 0)
        #expect(await service.stop(SIGTERM) == 0)
        #expect(!service.logged.contains("server.protocol=admin"))
    }
}
