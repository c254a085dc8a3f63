// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CoreMetrics
import Logging
import TestSupport
import Tracing

/// An engine over an in-memory store, with a clock and an embedder that the test drives.
struct EngineFixture {
    let clock = ManualClock()
    let store = MemoryVectorStore()
    let engine: CacheEngine
    let scope = TenantScope(authenticated: TenantID("acme"))

    init(
        embedder: any Embedder = HashingEmbedder(), policy: CachePolicy = CachePolicy(timeToLiveJitter: 0),
        directory: TenantDirectory? = nil, queueLimit: Int = 100, random: @escaping @Sendable () -> Double = { 0.5 },
        metrics: any MetricsFactory = NOOPMetricsHandler.instance, tracer: any Tracer = NoOpTracer()
    ) {
        self.engine = CacheEngine(
            store: self.store,
            pool: EmbeddingPool(
                embedder: embedder, queueLimit: queueLimit, metrics: metrics, tracer: tracer),
            memory: MemoryTier(limit: 64 << 20),
            directory: directory ?? TenantDirectory(undeclared: TenantPolicy(template: policy)),
            logger: Logger(label: "test"), clock: self.clock.read,
            random: random, metrics: metrics, tracer: tracer)
    }

    @discardableResult
    func store(
        _ prompt: String, _ response: String, cache: String = "c", vary: [VaryPart] = [], ttl: Duration? = nil,
        stale: Duration? = nil, lease: LeaseToken? = nil, scope: TenantScope? = nil
    ) async throws -> StoreOutcome {
        try await self.engine.store(
            StoreRequest(
                cache: cache, prompt: .text(CanonicalPrompt(prompt)), vary: vary, response: Array(response.utf8),
                timeToLive: ttl, staleTimeToLive: stale, lease: lease),
            scope: scope ?? self.scope, by: .now + .seconds(30))
    }

    func lookup(
        _ prompt: String, cache: String = "c", vary: [VaryPart] = [], threshold: Float? = nil, topK: Int = 1,
        maximumAge: Duration? = nil, mode: LookupRequest.Mode = .both, embedding: [Float]? = nil,
        filter: MetadataFilter? = nil, lease: Duration? = nil, wait: LookupRequest.Wait = .none,
        within time: Duration = .seconds(30), scope: TenantScope? = nil
    ) async throws -> LookupOutcome {
        try await self.engine.lookup(
            LookupRequest(
                cache: cache, prompt: .text(CanonicalPrompt(prompt)), vary: vary, filter: filter,
                similarityThreshold: threshold, topK: topK, maximumAge: maximumAge, mode: mode, embedding: embedding,
                lease: lease, wait: wait),
            scope: scope ?? self.scope, by: .now + time)
    }

    /// - Parameter scopes: The fixture's if `nil`.
    func figures(of scopes: [TenantScope]? = nil, within time: Duration = .seconds(30)) async -> EngineFigures {
        let probe = CacheScope("", of: TenantScope(authenticated: TenantID("")))
        return await self.engine.figures(of: scopes ?? [self.scope], probing: probe, within: time)
    }

    @discardableResult
    func invalidate(
        _ selector: InvalidateRequest.Selector, cache: String = "c", dryRun: Bool = false, scope: TenantScope? = nil
    ) async throws -> InvalidateOutcome {
        try await self.engine.invalidate(
            InvalidateRequest(cache: cache, selector: selector, isDryRun: dryRun), scope: scope ?? self.scope,
            by: .now + .seconds(30))
    }
}

extension LookupOutcome {
    var hit: LookupHit? { if case .hit(let hit) = self { hit } else { nil } }
    var miss: LookupMiss? { if case .miss(let miss) = self { miss } else { nil } }
    var text: String? { self.hit.map { String(decoding: $0.matches[0].entry.response, as: UTF8.self) } }
}
