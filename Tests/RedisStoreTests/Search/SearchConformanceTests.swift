// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Foundation
import RedisClient
import StoreConformance
import TestSupport
import Testing

@testable import RedisStore

/// The store with the index of redis-search: in front of a Redis without it, by ``ScriptedSearch``; and for real where
/// `SEMCACHED_TEST_REDIS_SEARCH_URL` names a server, of which nothing is expected but its search module.
@Suite(.serialized) struct SearchConformanceTests {
    @Test(arguments: StoreConformance.all)
    func `a store with a scripted search does what every store must`(behaviour: StoreConformance.Behaviour) async throws
    {
        try await self.withScriptedSearch(speaksRESP3: true) { try await behaviour.run($0) }
    }

    @Test func `it does so in the older protocol`() async throws {
        try await self.withScriptedSearch(speaksRESP3: false) {
            try await $0.behavesAsDictionary(seed: 3, rounds: 300)
        }
    }

    /// One search sees the entries of all shards: each must come once.
    @Test func `it does so over three shards`() async throws {
        try await self.withScriptedSearch(speaksRESP3: true, shards: 3) {
            try await $0.nearestAsByBruteForce(seed: 4, count: 200, searches: 60)
        }
    }

    @Test(
        .enabled(if: SearchConformanceTests.realURL != nil, "SEMCACHED_TEST_REDIS_SEARCH_URL names no server"),
        arguments: StoreConformance.all, SearchIndexType.allCases)
    func `a store with a real search does what every store must`(
        behaviour: StoreConformance.Behaviour, type: SearchIndexType
    ) async throws {
        let url = try #require(Self.realURL)
        try await self.withStore(url, type) { try await behaviour.run($0) }
    }

    @Test func `entries are found again after the index was lost, also those that were put meanwhile`() async throws {
        let redis = try await RedisServer.start()
        let search = try await ScriptedSearch.start(before: redis)
        let client = try makeClient(search.url)
        let store = try await self.store(client, .hnsw)
        let identity = EmbeddingIdentity(provider: "test", model: "m", dimensions: 2, revision: "1")
        let partition = Partition(
            of: CacheScope("c", of: TenantScope(authenticated: TenantID("t"))), embedding: identity, vary: [])
        func put(_ text: String, _ vector: [Float]) async throws {
            let prompt = try CanonicalPrompt(text)
            let entry = CacheEntry(
                id: partition.entryID(of: prompt), prompt: prompt, response: Array(text.utf8),
                contentType: "text/plain",
                attributes: [], usage: nil, createdAt: Timestamp(milliseconds: 0),
                expiresAt: Timestamp(milliseconds: 1000))
            _ = try await store.put(entry, embedding: Embedding(unitLength: vector), in: partition, quota: .unlimited)
        }
        try await put("before", [1, 0])
        search.forgetIndexes()
        try await put("after", [0, 1])
        for (vector, text) in [([1, 0] as [Float], "before"), ([0, 1], "after")] {
            let query = NearestQuery(embedding: Embedding(unitLength: vector), count: 1, threshold: 0.9)
            let result = try await store.nearest(query, in: partition, at: Timestamp(milliseconds: 1))
            #expect(result.matches.map { String(decoding: $0.entry.response, as: UTF8.self) } == [text])
        }
        await client.close()
        await search.stop()
    }

    private static let realURL = ProcessInfo.processInfo.environment["SEMCACHED_TEST_REDIS_SEARCH_URL"]

    private func store(
        _ client: RedisClient, _ type: SearchIndexType, shards: Int = 1
    ) async throws -> RedisVectorStore {
        let configuration = RedisVectorStore.Configuration(shards: shards, timeout: .seconds(20))
        return try await RedisVectorStore.open(
            client, options: RedisStoreOptions(kind: .search, searchIndex: type, configuration: configuration),
            logger: silent, clock: { Timestamp(milliseconds: 0) })
    }

    private func withScriptedSearch(
        speaksRESP3: Bool, shards: Int = 1, _ body: (StoreConformance) async throws -> Void
    ) async throws {
        let redis = try await RedisServer.start()
        let search = try await ScriptedSearch.start(before: redis, speaksRESP3: speaksRESP3)
        try await self.withStore(search.url, .hnsw, shards: shards, body)
        await search.stop()
    }

    private func withStore(
        _ url: String, _ type: SearchIndexType, shards: Int = 1, _ body: (StoreConformance) async throws -> Void
    ) async throws {
        let client = try makeClient(url)
        let store = try await self.store(client, type, shards: shards)
        let conformance = StoreConformance(
            name: "search \(UUID().uuidString)", isExact: type == .flat, tolerance: 1e-5, makeStore: { store },
            reopen: { _ in try await self.store(client, type, shards: shards) },
            sweep: { store, now in _ = try await (store as? RedisVectorStore)?.sweep(at: now) },
            flush: { store in await (store as? RedisVectorStore)?.flushTouches() })
        do {
            try await body(conformance)
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }
}
