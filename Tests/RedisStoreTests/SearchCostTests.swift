// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import RedisStore

/// How often Redis is asked.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SearchCostTests {
    private let home = Partition(
        of: CacheScope("support", of: TenantScope(authenticated: TenantID("acme"))),
        embedding: EmbeddingIdentity(provider: "test", model: "cost", dimensions: 32, revision: "1"), vary: [])
    private let now = Timestamp(milliseconds: 10)

    /// An index that remembers what it was asked.
    private final class RecordingIndex: VectorIndex {
        private let index: VectorSetIndex
        private let efforts = Mutex<[IndexSearch.Effort]>([])

        init(_ index: VectorSetIndex) { self.index = index }

        /// Of all searches since this was asked the last time.
        func takeEfforts() -> [IndexSearch.Effort] {
            self.efforts.withLock { efforts in
                defer { efforts = [] }
                return efforts
            }
        }

        var lua: String { self.index.lua }
        var numbers: NumberForm { self.index.numbers }
        var seesAllShards: Bool { self.index.seesAllShards }

        func keys(of ids: [EntryID], in partition: PartitionKeys, identity: Digest) -> [RedisKey] {
            self.index.keys(of: ids, in: partition, identity: identity)
        }

        func extra(of entry: CacheEntry, _ embedding: Embedding) -> [UInt8] { self.index.extra(of: entry, embedding) }

        func prepare(_ identity: Digest, dimensions: Int) async throws(VectorStoreError) {
            try await self.index.prepare(identity, dimensions: dimensions)
        }

        func search(
            _ search: IndexSearch, in partition: PartitionKeys, identity: Digest
        ) async throws(VectorStoreError) -> [IndexHit] {
            self.efforts.withLock { $0.append(search.effort) }
            return try await self.index.search(search, in: partition, identity: identity)
        }

        func entries(
            passing sieve: Sieve, in partition: PartitionKeys, identity: Digest
        ) async throws(VectorStoreError) -> [EntryID] {
            try await self.index.entries(passing: sieve, in: partition, identity: identity)
        }
    }

    private func entry(_ name: String, created: Int64 = 0, lang: String) throws -> CacheEntry {
        let prompt = try CanonicalPrompt(name)
        return CacheEntry(
            id: self.home.entryID(of: prompt), prompt: prompt, response: Array("to \(name)".utf8),
            contentType: "text/plain", attributes: [Attribute(name: "lang", value: .string(lang))], usage: nil,
            createdAt: Timestamp(milliseconds: created), expiresAt: Timestamp(milliseconds: 1000))
    }

    private func put(_ entries: [(CacheEntry, Embedding)], in store: RedisVectorStore) async throws {
        // As many at once as a service sends.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, (entry, vector)) in entries.enumerated() {
                if number >= Limits.redisPutsAtOnce { try await group.next() }
                group.addTask {
                    _ = try await store.put(entry, embedding: vector, in: self.home, quota: .unlimited)
                }
            }
            try await group.waitForAll()
        }
    }

    /// What a calibrated cache asks.
    private func query(
        _ vector: Embedding, count: Int = 1, oldest: Int64? = nil, filter: String? = nil
    ) throws -> NearestQuery {
        NearestQuery(
            embedding: vector, count: count, threshold: 0.85, candidates: 6, candidateThreshold: 0.5,
            createdAtOrAfter: oldest.map { Timestamp(milliseconds: $0) },
            filter: try filter.map { try MetadataFilter($0) }, neighbours: 32)
    }

    @Test func `what a decision looks at besides is searched for no second time, what must be found is`() async throws {
        // Of its own, not to keep other tests waiting.
        let server = try await RedisServer.start()
        let client = try makeClient(server.url)
        let index = RecordingIndex(VectorSetIndex(client: client, quantization: .none))
        let store = RedisVectorStore(
            client: client, index: index, configuration: .init(), logger: silent,
            clock: { Timestamp(milliseconds: 0) })
        var random = SeededGenerator(31)
        let topic = random.unitVector(32)
        // All of one topic, a few of which reach the threshold, and three that are another language's, or new.
        var entries = try (0..<2_000).map { number in
            let similarity = number < 5 ? Float(0.9) : Float.random(in: 0.5...0.8, using: &random)
            return (
                try self.entry("q\(number)", lang: "fr"), random.unitVector(near: topic, similarity: similarity)
            )
        }
        for (number, similarity) in [Float(0.7), 0.65, 0.6].enumerated() {
            let few = try self.entry("few \(number)", created: 5, lang: "de")
            entries.append((few, random.unitVector(near: topic, similarity: similarity)))
        }
        try await self.put(entries, in: store)
        let filtered = try self.query(topic, filter: #"lang == "de""#)
        for query in [try self.query(topic), try self.query(topic, oldest: 5), filtered] {
            let found = try await store.nearest(query, in: self.home, at: self.now)
            #expect(index.takeEfforts() == [.quick])
            #expect(found.matches.count <= 6 && found.matches.allSatisfy { $0.similarity >= 0.5 })
        }
        // Behind many that it does not take, one that must be found: it is, and brings the others.
        let near = try (0..<200).map { number in
            (try self.entry("near \(number)", lang: "fr"), random.unitVector(near: topic, similarity: 0.95))
        }
        let wanted = try self.entry("wanted", lang: "de")
        try await self.put(near + [(wanted, random.unitVector(near: topic, similarity: 0.9))], in: store)
        let found = try await store.nearest(filtered, in: self.home, at: self.now)
        #expect(found.matches.first?.entry.id == wanted.id)
        #expect(index.takeEfforts().count > 1)
        #expect(found.neighbours.count >= found.matches.count)
        await client.close()
    }

    @Test func `neighbours under a filter are read a stretch at a time, not one by one`() async throws {
        let server = try await RedisServer.start()
        let client = try makeClient(server.url)
        let store = makeVectorSetStore(client)
        var random = SeededGenerator(32)
        let vector = random.unitVector(32)
        let entries = try (0..<45).map { number in
            (
                try self.entry("q\(number)", lang: number < 31 ? "de" : "fr"),
                random.unitVector(near: vector, similarity: 0.8 - 0.005 * Float(number))
            )
        }
        try await self.put(entries, in: store)
        try await server.command("CONFIG", "RESETSTAT")
        let query = try self.query(vector, filter: #"lang == "de""#)
        let found = try await store.nearest(query, in: self.home, at: self.now)
        #expect(found.neighbours.map(\.id) == entries.prefix(31).map(\.0.id))
        let line = try #require(try await server.command("INFO", "commandstats").line("cmdstat_hmget"))
        let calls = try #require(line.firstMatch(of: /calls=(\d+)/).flatMap { Int($0.1) })
        #expect(calls <= 5, "\(line)")
        await client.close()
    }

    @Test func `the heads of entries in several shards are asked for at once`() async throws {
        let asked = Mutex(0)
        // It answers none before it has them all. None of the entries is there.
        let server = try await ScriptedRedisServer.start { _, arguments in
            guard arguments.first.map({ String(decoding: $0, as: UTF8.self) }) == "EVALSHA" else { return nil }
            let count = asked.withLock { count in
                count += 1
                return count
            }
            return count < 3 ? .silence : .bytes(Array(String(repeating: "*1\r\n$0\r\n\r\n", count: 3).utf8))
        }
        let client = try makeClient("redis://127.0.0.1:\(server.port)", connections: 1)
        let store = makeVectorSetStore(client, shards: 3)
        let ids = (0..<3 as Range<UInt64>).map { EntryID(high: 1, low: $0) }
        let heads = await store.heads(of: ids, in: store.layout.homes(of: self.home), isWanted: true)
        #expect(try heads.get().isEmpty)
        await client.close()
        await server.stop()
    }

    @Test func `what waits for a server that hangs waits no longer than its caller`() async throws {
        let server = try await RedisServer.start()
        let clients = try (0..<2).map { _ in try makeClient(server.url) }
        let stores = clients.map { makeVectorSetStore($0) }
        // The other one has to ask for more first.
        #expect(try await stores[0].append([[1]], to: self.home.cache, by: .now + .seconds(9)) == 1)
        let start = ContinuousClock.now
        server.pause()
        for store in stores {
            await #expect(throws: VectorStoreError.self) {
                try await store.append([[2]], to: self.home.cache, by: .now + .milliseconds(200))
            }
            await #expect(throws: VectorStoreError.self) {
                try await store.save(
                    DecisionSnapshot(upTo: 1, bytes: []), of: self.home.cache, by: .now + .milliseconds(200))
            }
            await #expect(throws: VectorStoreError.self) {
                try await store.snapshot(of: self.home.cache, by: .now + .milliseconds(200))
            }
        }
        // Of the clients' own 20 s each would have been one.
        #expect(ContinuousClock.now - start < .seconds(10))
        server.resume()
        // Nor is it done later.
        try await eventually { (try? await stores[0].append([], to: self.home.cache)) == 1 }
        for client in clients { await client.close() }
    }
}

extension SeededGenerator {
    /// A vector exactly as similar to another one as asked.
    fileprivate mutating func unitVector(near other: Embedding, similarity wanted: Float) -> Embedding {
        let noise = self.unitVector(other.dimensions)
        let common = zip(noise.values, other.values).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        let across = zip(noise.values, other.values).map { $0 - common * $1 }
        let length = across.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
        let share = (1 - wanted * wanted).squareRoot() / length
        return Embedding(unitLength: zip(other.values, across).map { $0 * wanted + $1 * share })
    }
}
