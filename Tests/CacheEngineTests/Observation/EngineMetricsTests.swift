// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CoreMetrics
import Logging
import MetricsTestKit
import TestSupport
import Testing

@testable import CacheEngine

@Suite struct EngineMetricsTests {
    private let metrics = TestMetrics()
    private let later = ContinuousClock.now + .seconds(120)

    private func fixture(
        embedder: any Embedder = HashingEmbedder(), policy: CachePolicy = CachePolicy(timeToLiveJitter: 0)
    ) -> EngineFixture {
        EngineFixture(embedder: embedder, policy: policy, metrics: self.metrics)
    }

    private func timed(_ label: String, _ dimensions: [(String, String)]) throws -> Int {
        try self.metrics.expectTimer(label, dimensions).values.count
    }

    private func counted(_ label: String, _ dimensions: [(String, String)]) throws -> Int64 {
        try self.metrics.expectCounter(label, dimensions).totalValue
    }

    @Test func `each call of a method is timed`() async throws {
        let fixture = self.fixture()
        try await fixture.store("q", "a")
        _ = try await fixture.lookup("q")
        _ = try await fixture.lookup("q")
        try await fixture.invalidate(.wholeCache)
        _ = try await fixture.engine.statistics(cache: nil, scope: fixture.scope)
        _ = try await fixture.engine.export(
            ExportRequest(cache: "c"), scope: fixture.scope)
        _ = try await fixture.engine.embed(
            EmbedRequest(cache: "c", texts: [CanonicalPrompt("q")]), scope: fixture.scope, by: .now + .seconds(60))
        let calls = try ["Store", "Lookup", "Invalidate", "Stats", "Export", "Embed"].map {
            try self.timed("semcache_request_duration_seconds", [("method", $0)])
        }
        #expect(calls == [1, 2, 1, 1, 1, 1])
    }

    @Test func `a call that fails is timed as well`() async throws {
        let fixture = self.fixture()
        await #expect(throws: CacheError.self) { _ = try await fixture.lookup("q", embedding: [1, 2]) }
        #expect(try self.timed("semcache_request_duration_seconds", [("method", "Lookup")]) == 1)
    }

    @Test func `a store that fails is counted by operation and code, and the lookup as degraded`() async throws {
        let fixture = self.fixture()
        fixture.store.hook { operation, _ in
            operation == .entry ? VectorStoreError(.unavailable, "broken on purpose") : nil
        }
        #expect(try await fixture.lookup("q").miss?.reason == .degraded(.storeUnavailable))
        let labels = [("operation", "entry"), ("code", "unavailable")]
        #expect(try self.counted("semcache_store_errors_total", labels) == 1)
        #expect(try self.counted("semcache_degraded_lookups_total", [("reason", "store_unavailable")]) == 1)
        #expect(try self.timed("semcache_store_operation_duration_seconds", [("operation", "entry")]) == 1)
        #expect(try self.timed("semcache_store_operation_duration_seconds", [("operation", "nearest")]) == 0)
    }

    @Test func `a lookup that ran out of time is counted as degraded`() async throws {
        let fixture = self.fixture()
        let request = LookupRequest(cache: "c", prompt: .text(try CanonicalPrompt("q")))
        _ = try fixture.engine.lateOutcome(request, scope: fixture.scope)
        #expect(try self.counted("semcache_degraded_lookups_total", [("reason", "deadline_exceeded")]) == 1)
    }

    @Test func `a batch is timed, and so is the wait of each of its texts`() async throws {
        let embedder = ControlledEmbedder(concurrency: 1)
        let pool = EmbeddingPool(embedder: embedder, metrics: self.metrics)
        let tenant = TenantID("acme")
        let began = ContinuousClock.now
        async let first = pool.embed("one", for: tenant, by: self.later)
        let held = await embedder.nextHeld()
        async let second = pool.embed("two", for: tenant, by: self.later)
        async let third = pool.embed("three", for: tenant, by: self.later)
        while pool.queueLength < 2 { await Task.yield() }
        held.succeed()
        await embedder.nextHeld().succeed()
        _ = try await (first, second, third)
        #expect(pool.queueLength == 0)
        #expect(try self.timed("semcache_embedding_duration_seconds", [("embedder", "default")]) == 2)
        let waits = try self.metrics.expectTimer(
            "semcache_embedding_queue_wait_seconds", [("embedder", "default")]
        ).values
        #expect(waits.count == 3)
        // The first was handed over at once.
        #expect(waits.min()! < waits.max()!)
        #expect(waits.max()! <= Int64((ContinuousClock.now - began) / .nanoseconds(1)))
        #expect(
            try self.metrics.expectRecorder("semcache_embedding_batch_texts", [("embedder", "default")])
                .values.sorted() == [1, 2])
    }

    @Test func `an embedder that fails is counted`() async throws {
        let embedder = ControlledEmbedder()
        let pool = EmbeddingPool(embedder: embedder, name: "cloud", metrics: self.metrics)
        async let failed: Void = embedder.nextHeld().fail()
        await #expect(throws: EmbedderError.self) {
            _ = try await pool.embed("one", for: TenantID("acme"), by: self.later)
        }
        await failed
        #expect(try self.counted("semcache_embedding_errors_total", [("embedder", "cloud"), ("code", "failed")]) == 1)
    }

    @Test func `errors that nobody had yet are series all the same`() throws {
        _ = self.fixture()
        for code in VectorStoreError.Code.allCases {
            let labels = [("operation", "put"), ("code", code.rawValue)]
            #expect(try self.counted("semcache_store_errors_total", labels) == 0)
        }
        let reasons = ["embedder_overloaded", "embedder_failed", "store_unavailable", "deadline_exceeded"]
        for reason in reasons {
            #expect(try self.counted("semcache_degraded_lookups_total", [("reason", reason)]) == 0)
        }
        #expect(reasons.count == LookupMiss.Degradation.allCases.count)
    }

    @Test func `every metric that is measured is described, once`() {
        _ = self.fixture()
        _ = EmbeddingPool(embedder: HashingEmbedder(), metrics: self.metrics)
        let measured = Set(
            self.metrics.counters.map(\.label) + self.metrics.timers.map(\.label) + self.metrics.recorders.map(\.label))
        let described = MetricDescription.ofEngine.map(\.name)
        #expect(measured == Set(described))
        #expect(described.count == Set(described).count)
        #expect(MetricDescription.ofEngine.allSatisfy { !$0.help.isEmpty && !$0.help.hasSuffix(".") })
    }
}
