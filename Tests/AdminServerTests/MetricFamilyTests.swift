// SPDX-License-Identifier: Apache-2.0

import AdminServer
import CacheEngine
import CacheModel
import Logging
import Telemetry
import TestSupport
import Testing

@Suite struct MetricFamilyTests {
    private static func registry() -> PrometheusRegistry {
        PrometheusRegistry(
            declarations: MetricDeclaration.ofEngine, prefix: "semcache", maximumSeries: 1000,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// What a scrape gets of an engine that was asked once.
    static func exposition() async throws -> String {
        let registry = self.registry()
        let scope = TenantScope(authenticated: TenantID("acme"))
        let policy = TenantPolicy(template: CachePolicy())
        var directory = TenantDirectory()
        directory.declare(scope.tenant, policy)
        let engine = CacheEngine(
            store: MemoryVectorStore(), pool: EmbeddingPool(embedder: HashingEmbedder(), metrics: registry),
            memory: MemoryTier(limit: 1 << 20), directory: directory,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: { Timestamp(milliseconds: 1) },
            metrics: registry)
        registry.addCollector {
            await engine.figures(of: [scope], probing: CacheScope("", of: scope)).families.map { MetricFamily($0) }
        }
        let lookup = LookupRequest(cache: "c", prompt: .text(try CanonicalPrompt("q")))
        _ = try await engine.lookup(lookup, scope: scope, by: .now + .seconds(30))
        return String(decoding: await registry.exposition(), as: UTF8.self)
    }

    @Test func `what the engine counts and measures is what a scrape gets`() async throws {
        let text = try await Self.exposition()
        for line in [
            "# TYPE semcache_lookups_total counter",
            #"semcache_lookups_total{outcome="miss",tenant="acme",tier="none"} 1"#,
            #"semcache_misses_total{reason="no_entry",tenant="acme"} 1"#,
            #"semcache_misses_total{reason="refused",tenant="acme"} 0"#,
            #"semcache_candidates_refused_total{reason="word_swap",tenant="acme"} 0"#,
            #"semcache_feedback_total{tenant="acme",verdict="wrong"} 0"#,
            #"semcache_caches_by_policy{policy="stepped_back",tenant="acme"} 0"#,
            #"semcache_entries{tenant="acme"} 0"#,
            "semcache_store_up 1",
            "# TYPE semcache_request_duration_seconds histogram",
            #"semcache_request_duration_seconds_count{method="Lookup"} 1"#,
            #"semcache_store_operation_duration_seconds_count{operation="nearest"} 1"#,
            #"semcache_embedding_batch_texts_bucket{embedder="default",le="16"} 1"#,
            #"semcache_embeddings_computed_total{embedder="default"} 1"#,
            #"semcache_embedder_ready{embedder="default"} 1"#,
            #"semcache_store_errors_total{code="unavailable",operation="put"} 0"#,
        ] {
            #expect(text.contains("\(line)\n"), "\(line)")
        }
    }

    @Test func `readiness is a gauge for each part`() {
        let family = MetricFamily([ReadinessCheck("listening"), ReadinessCheck("serving", trouble: "stopping")])
        #expect(family.samples.map(\.value) == [1, 0])
        #expect(family.samples.map { $0.labels[0].1 } == ["listening", "serving"])
    }
}
