// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CoreMetrics
import Logging
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

/// One of several replicas on one Redis, in this process.
final class Replica: Sendable {
    static let times = RedisCoherence.Times(
        lease: .milliseconds(1000), use: .milliseconds(900), renewal: .milliseconds(100), idle: .seconds(60))

    let client: RedisClient
    let store: RedisVectorStore
    let engine: CacheEngine
    let scope = TenantScope(authenticated: TenantID("acme"))

    init(_ url: String, shards: Int = 1, timeout: Duration = .seconds(5)) throws {
        self.client = try makeClient(url, timeout: timeout)
        var configuration = RedisVectorStore.Configuration(shards: shards, isShared: true)
        configuration.times = Self.times
        self.store = RedisVectorStore(
            client: self.client, index: VectorSetIndex(client: self.client, quantization: .none),
            configuration: configuration, logger: silent, clock: { Self.now })
        let pool = EmbeddingPool(embedder: HashingEmbedder(), queueLimit: 100, metrics: NOOPMetricsHandler.instance)
        self.engine = CacheEngine(
            store: self.store, pools: EmbeddingPools([pool.name: pool], default: pool.name),
            memory: MemoryTier(limit: 64 << 20), coherence: self.store.coherence,
            directory: TenantDirectory(undeclared: TenantPolicy(template: CachePolicy(timeToLiveJitter: 0))),
            logger: silent, clock: { Self.now }, metrics: NOOPMetricsHandler.instance)
    }

    /// Time stands still: nothing expires.
    private static let now = Timestamp(milliseconds: 1_000_000)

    var lease: MemoryLease? { self.store.coherence?.lease(of: self.scope) }

    /// Runs some on one Redis.
    static func withReplicas<Value: Sendable>(
        _ count: Int, on url: String, shards: Int = 1, _ body: ([Replica]) async throws -> Value
    ) async throws -> Value {
        let replicas = try (0..<count).map { _ in try Replica(url, shards: shards) }
        let value = try await withThrowingTaskGroup(of: Void.self) { group in
            for replica in replicas {
                let coherence = try #require(replica.store.coherence)
                coherence.attach(replica.engine)
                group.addTask { await coherence.run() }
            }
            let value = try await body(replicas)
            group.cancelAll()
            return value
        }
        for replica in replicas { await replica.client.close() }
        return value
    }

    @discardableResult
    func store(_ prompt: String, _ response: String, tags: [String] = []) async throws -> EntryID {
        try await self.engine.store(
            StoreRequest(
                cache: "c", prompt: .text(CanonicalPrompt(prompt)), vary: [], response: Array(response.utf8),
                attributes: tags.isEmpty ? [] : [Attribute(name: Attribute.tagsName, value: .strings(tags))]),
            scope: self.scope, by: .now + .seconds(30)
        ).id
    }

    func lookup(_ prompt: String, mode: LookupRequest.Mode = .both) async throws -> LookupHit? {
        let outcome = try await self.engine.lookup(
            LookupRequest(cache: "c", prompt: .text(CanonicalPrompt(prompt)), vary: [], mode: mode),
            scope: self.scope, by: .now + .seconds(30))
        guard case .hit(let hit) = outcome else { return nil }
        return hit
    }

    func text(_ prompt: String) async throws -> String? {
        try await self.lookup(prompt).map { String(decoding: $0.matches[0].entry.response, as: UTF8.self) }
    }

    func invalidate(_ selector: InvalidateRequest.Selector) async throws {
        _ = try await self.engine.invalidate(
            InvalidateRequest(cache: { if case .wholeTenant = selector { "" } else { "c" } }(), selector: selector),
            scope: self.scope, by: .now + .seconds(30))
    }

    /// Asks until memory answers.
    func warm(_ prompt: String) async throws {
        try await eventually { try await self.lookup(prompt)?.tier == .l1 }
    }
}

/// Waits until something is so; a test's time limit ends what waits in vain.
func eventually(_ isSo: () async throws -> Bool) async throws {
    while try await !isSo() { await LedgerLoad.pause() }
}
