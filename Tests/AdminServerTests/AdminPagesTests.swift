// SPDX-License-Identifier: Apache-2.0

import AdminServer
import CacheEngine
import CacheModel
import Foundation
import Logging
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct AdminPagesTests {
    private static func object(_ answer: Answer) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any])
    }

    @Test(arguments: ["/healthz", "/livez"]) func `a process that answers is alive, ready or not`(path: String)
        async throws
    {
        var pages = AdminPages.quiet
        pages.readiness = { [ReadinessCheck("store", trouble: "gone")] }
        let answer = try await AdminFixture.run(pages) { try await $0.get(path) }
        #expect(answer.status == 200)
        #expect(answer.body == "ok\n")
    }

    @Test func `readiness names each part and why it is not ready`() async throws {
        var pages = AdminPages.quiet
        pages.readiness = {
            [ReadinessCheck("embedder"), ReadinessCheck("store", trouble: "it says \"no\"\nand hangs up")]
        }
        let answer = try await AdminFixture.run(pages) { try await $0.get("/readyz") }
        #expect(answer.status == 503)
        #expect(answer.headers["content-type"] == "application/json")
        let object = try Self.object(answer)
        #expect(object["ready"] as? Bool == false)
        let checks = try #require(object["checks"] as? [[String: Any]])
        #expect(checks.map { $0["name"] as? String } == ["embedder", "store"])
        #expect(checks.map { $0["ready"] as? Bool } == [true, false])
        #expect(checks.map { $0["reason"] as? String } == [nil, "it says \"no\"\nand hangs up"])
    }

    @Test func `a service all of whose parts are ready is ready`() async throws {
        var pages = AdminPages.quiet
        pages.readiness = { [ReadinessCheck("store")] }
        let answer = try await AdminFixture.run(pages) { try await $0.get("/readyz") }
        #expect(answer.status == 200)
        #expect(answer.body == #"{"ready":true,"checks":[{"name":"store","ready":true}]}"#)
    }

    @Test func `metrics are given as Prometheus' text format`() async throws {
        var pages = AdminPages.quiet
        pages.metrics = { Array("# TYPE a counter\na 1\n".utf8) }
        let answer = try await AdminFixture.run(pages) { try await $0.get("/metrics") }
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(answer.body == "# TYPE a counter\na 1\n")
    }

    @Test func `the configuration is one flat object`() async throws {
        var pages = AdminPages.quiet
        pages.configuration = { [("server.port", "7070"), ("store.password", "***"), ("odd", "\u{1b}\"\\")] }
        let answer = try await AdminFixture.run(pages) { try await $0.get("/config") }
        let object = try Self.object(answer) as? [String: String]
        #expect(object == ["server.port": "7070", "store.password": "***", "odd": "\u{1b}\"\\"])
    }

    @Test func `statistics are of each tenant and cache, and of the process`() async throws {
        let scope = TenantScope(authenticated: TenantID("acme"))
        let policy = TenantPolicy(quota: TenantQuota(entries: 5), template: CachePolicy())
        var directory = TenantDirectory(undeclared: policy)
        directory.declare(scope.tenant, policy)
        let engine = CacheEngine(
            store: MemoryVectorStore(), pool: EmbeddingPool(embedder: HashingEmbedder()),
            memory: MemoryTier(limit: 1 << 20), directory: directory, logger: Logger(label: "test"),
            clock: { Timestamp(milliseconds: 1) })
        let lookup = LookupRequest(cache: "faq", prompt: .text(try CanonicalPrompt("q")))
        let stranger = TenantScope(authenticated: TenantID("globex"))
        for scope in [scope, stranger] { _ = try await engine.lookup(lookup, scope: scope, by: .now + .seconds(30)) }
        _ = try await engine.store(
            StoreRequest(cache: "faq", prompt: .text(try CanonicalPrompt("q")), response: [1, 2]), scope: scope,
            by: .now + .seconds(30))

        var pages = AdminPages.quiet
        pages.statistics = { await engine.figures(of: [scope], probing: CacheScope("", of: scope)) }
        let object = try Self.object(try await AdminFixture.run(pages) { try await $0.get("/stats.json") })
        #expect(object["store_up"] as? Bool == true)
        #expect(object["embeddings_computed"] as? Int == 2)
        let embedder = try #require((object["embedders"] as? [[String: Any]])?.first)
        #expect(embedder["name"] as? String == "default" && embedder["identity"] as? String == "test/hashing/64/1")
        #expect(embedder["embeddings_computed"] as? Int == 2 && embedder["ready"] as? Bool == true)
        let tenants = try #require(object["tenants"] as? [[String: Any]])
        #expect(tenants.map { $0["name"] as? String } == ["acme"])
        #expect(tenants[0]["declared"] as? Bool == true)
        #expect(tenants[0]["entries"] as? Int == 1)
        #expect(tenants[0]["maximum_entries"] as? Int == 5)
        #expect(tenants[0]["maximum_bytes"] == nil)
        let caches = try #require(tenants[0]["caches"] as? [[String: Any]])
        #expect(caches.map { $0["name"] as? String } == ["faq"])
        #expect(caches[0]["response_bytes"] as? Int == 2)
        #expect(caches[0]["misses_no_entry"] as? Int == 1)
        #expect(caches[0]["misses_refused"] as? Int == 0)
        let decisions = try #require(caches[0]["decisions"] as? [String: Any])
        #expect(decisions["phase"] is String && decisions["wrong_per_hit"] as? Double == 0)
        #expect((decisions["refusals"] as? [String: Int])?.values.allSatisfy { $0 == 0 } == true)
        let other = try #require(object["other"] as? [String: Any])
        #expect(object["other_tenants"] as? Int == 1)
        #expect(other["misses_no_entry"] as? Int == 1)
    }
}
