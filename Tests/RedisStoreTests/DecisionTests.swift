// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

/// What Redis keeps of decisions.
@Suite(.timeLimit(.minutes(1))) struct DecisionTests {
    private let identity = EmbeddingIdentity(provider: "test", model: "decisions", dimensions: 32, revision: "1")
    private let cache = CacheScope("support", of: TenantScope(authenticated: TenantID("acme")))
    private let now = Timestamp(milliseconds: 0)
    private var home: Partition { Partition(of: self.cache, embedding: self.identity, vary: []) }

    private func pair(_ question: UInt64, _ entry: UInt64) -> BlockedPair {
        BlockedPair(
            question: EntryID(high: 0, low: question), entry: EntryID(high: 1, low: entry),
            cluster: AnswerCluster(high: 2, low: entry))
    }

    private func entry(_ number: Int, freshUntil: Int64? = nil) throws -> CacheEntry {
        let prompt = try CanonicalPrompt("q\(number)")
        return CacheEntry(
            id: self.home.entryID(of: prompt), prompt: prompt, response: Array("answer \(number)".utf8),
            contentType: "text/plain", attributes: [Attribute(name: "n", value: .number(Double(number)))],
            usage: number % 2 == 0 ? nil : Usage(promptTokens: 1, completionTokens: 2, cost: 3), createdAt: self.now,
            freshUntil: freshUntil.map { Timestamp(milliseconds: $0) }, expiresAt: Timestamp(milliseconds: 1000))
    }

    /// What an older version would have written of an entry that has a blob now.
    private func writeOldForm(_ id: EntryID, _ store: RedisVectorStore) async throws {
        let keys = store.layout.home(of: id, in: self.home).tenant
        let blobs = try await store.blobs(of: [id], in: store.layout.keys(of: self.cache.tenant))
        var blob = Array(try #require(blobs[0]).readableBytesView)
        #expect(blob[65] == 3)
        let flags = blob[82]
        blob.replaceSubrange(65...82, with: [flags & 4 == 0 ? 1 : 2, flags & 3])
        var command = RedisCommand("HSET", on: keys.entries, isRepeatable: true)
        command.append(id.bytes)
        command.append(blob)
        _ = try await store.client.send(command)
    }

    @Test(arguments: [1, 3])
    func `entries of older versions are in the clusters of their responses, and may be put into others`(
        shards: Int
    ) async throws {
        let store = makeVectorSetStore(try makeClient(try await freshDatabase()), shards: shards)
        var random = SeededGenerator(7)
        let vector = random.unitVector(32)
        let entries = try (0..<6).map { try self.entry($0, freshUntil: $0 % 3 == 0 ? 500 : nil) }
        for entry in entries {
            _ = try await store.put(entry, embedding: vector, in: self.home, quota: .unlimited)
            try await self.writeOldForm(entry.id, store)
            #expect(try await store.entry(entry.id, in: self.home, at: self.now) == entry)
        }
        for filter in [nil, try MetadataFilter("n >= 0")] {
            let query = NearestQuery(embedding: vector, count: 1, threshold: 0.9, filter: filter, neighbours: 10)
            let neighbours = try await store.nearest(query, in: self.home, at: self.now).neighbours
            #expect(Set(neighbours.map(\.cluster)) == Set(entries.map { AnswerCluster(of: $0.response) }))
        }
        let other = AnswerCluster(high: 8, low: 9)
        for entry in entries {
            for _ in 0..<2 { #expect(try await store.assign(other, to: entry.id, in: self.home)) }
            #expect(try await store.entry(entry.id, in: self.home, at: self.now) == entry.inCluster(other))
        }
        let query = NearestQuery(embedding: vector, count: 1, threshold: 0.9, neighbours: 10)
        let neighbours = try await store.nearest(query, in: self.home, at: self.now).neighbours
        #expect(neighbours.map(\.cluster) == Array(repeating: other, count: 6))
    }

    @Test func `a cache has no more blocked questions than the limit, another has its own`() async throws {
        let client = try makeClient(try await freshDatabase())
        var configuration = RedisVectorStore.Configuration()
        configuration.maximumBlockedQuestions = 3
        let store = RedisVectorStore(
            client: client, index: VectorSetIndex(client: client, quantization: .none), configuration: configuration,
            logger: silent, clock: { Timestamp(milliseconds: 0) })
        for round in 0..<2 as Range<UInt64> {
            for question in 0..<3 as Range<UInt64> {
                try await store.block(self.pair(question, round), in: self.home, by: .now + .seconds(9))
            }
            let fault = await #expect(throws: VectorStoreError.self) {
                try await store.block(self.pair(9, 0), in: self.home, by: .now + .seconds(9))
            }
            #expect(fault?.code == .overQuota && fault?.message.contains("3 questions") == true)
        }
        #expect(try await store.blocks(of: self.pair(9, 0).question, in: self.home).isEmpty)
        let other = Partition(of: CacheScope("other", of: self.cache.tenant), embedding: self.identity, vary: [])
        try await store.block(self.pair(9, 0), in: other, by: .now + .seconds(9))
        #expect(try await store.blocks(of: self.pair(9, 0).question, in: other) == [self.pair(9, 0)])
    }

    @Test func `records that are sent again are appended once`() async throws {
        let store = makeVectorSetStore(try makeClient(try await freshDatabase()))
        #expect(try await store.append([[1]], to: self.cache) == 1)
        let keys = store.layout.log(of: self.cache)
        for round in 0..<3 {
            let reply = try await store.client.reply(
                to: store.scripts.decisions.append, on: keys,
                others: [keys.records(of: self.cache.key), keys.versions, keys.tokens, keys.known, keys.register]
            ) { command in
                command.append(Int64.max / 4096)
                command.append(self.cache.key.bytes)
                command.append(EntryID(high: 5, low: 6).bytes)
                command.append(Int64(Limits.maximumDecisionRecords))
                command.append([2] as [UInt8])
                command.append([3] as [UInt8])
            }
            #expect(try RESPReader.integer(try RESPReader.array(reply)[0]) == 3, "round \(round)")
        }
        #expect(try await store.records(of: self.cache, after: 0).records == [[1], [2], [3]])
        #expect(try await store.append([[4]], to: self.cache) == 4)
    }

    @Test func `when a block returns, no replica answers out of memory by meaning what it had before`() async throws {
        try await Replica.withReplicas(3, on: try await freshDatabase()) { replicas in
            let question = "how do I change the password of my account on the site"
            let id = try await replicas[0].store(question, "so")
            let home = Partition(
                of: CacheScope("c", of: replicas[0].scope), embedding: HashingEmbedder().identity, vary: [])
            #expect(home.entryID(of: try CanonicalPrompt(question)) == id)
            for word in ["please", "now", "today", "again", "soon", "here"] {
                let asked = try CanonicalPrompt(question + " " + word)
                var hit: LookupHit?
                for replica in replicas.dropFirst() {
                    try await eventually {
                        hit = try await replica.lookup(asked.text)
                        return hit?.tier == .l1
                    }
                }
                let found = try #require(hit)
                #expect(found.kind == .semantic)
                let pair = BlockedPair(
                    question: home.entryID(of: asked), entry: id, cluster: found.matches[0].entry.cluster)
                // The one that blocks sees to its own memory.
                try await replicas[0].store.block(pair, in: home, by: .now + .seconds(9))
                for replica in replicas.dropFirst() {
                    #expect(try await replica.lookup(asked.text) == nil)
                    #expect(try await replica.store.blocks(of: pair.question, in: home) == [pair])
                }
                // Exact ones stay.
                try await replicas[2].warm(question)
            }
        }
    }

    @Test func `a replica that does not answer is waited for as long as its lease may last`() async throws {
        try await Replica.withReplicas(1, on: try await freshDatabase()) { replicas in
            let replica = replicas[0]
            try await replica.store("a question", "an answer")
            try await replica.warm("a question")
            let keys = replica.store.layout.keys(of: replica.scope)[0]
            var command = RedisCommandFixture.hset(keys.register)
            command.append(ReplicaID().bytes)
            command.append(7)
            _ = try await replica.client.send(command)
            let home = Partition(
                of: CacheScope("c", of: replica.scope), embedding: HashingEmbedder().identity, vary: [])
            let start = ContinuousClock.now
            try await replica.store.block(self.pair(1, 1), in: home, by: .now + .seconds(9))
            #expect(ContinuousClock.now - start >= Replica.times.lease)
            // What nobody has in memory waits for nobody.
            _ = try await replica.client.send(command)
            let next = ContinuousClock.now
            _ = try await replica.store.append([[1]], to: home.cache)
            #expect(ContinuousClock.now - next < Replica.times.lease)
        }
    }
}
