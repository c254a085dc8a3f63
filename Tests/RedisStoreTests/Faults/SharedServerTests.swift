// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

/// One server that is full, and stores that share one.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SharedServerTests {
    @Test func `a full memory refuses stores with a message that says so, and nothing else`() async throws {
        let server = try await RedisServer.start()
        let load = try LedgerLoad(server.url, questions: 2)
        try await load.run { await load.progress.next(50, .change) }
        try await load.inspect { _ in server }
        let used = try #require(try await server.command("INFO", "memory").line("used_memory").flatMap { Int($0) })
        try await server.command("CONFIG", "SET", "maxmemory", "\(used + (2 << 20))")
        let store = load.inspector
        let partition = Partition(
            of: CacheScope("large", of: load.tenants[0]),
            embedding: EmbeddingIdentity(provider: "test", model: "m", dimensions: 32, revision: "1"), vary: [])
        var stored: [EntryID] = []
        var refusal: VectorStoreError?
        var random = SeededGenerator(1)
        while refusal == nil, stored.count < 1000 {
            let entry = try large(stored.count, in: partition)
            do throws(VectorStoreError) {
                _ = try await store.put(
                    entry, embedding: random.unitVector(32), in: partition, quota: .unlimited)
                stored.append(entry.id)
            } catch {
                refusal = error
            }
        }
        #expect(
            refusal?.code == .unavailable && refusal?.message.contains("memory is full") == true, "\(refusal as Any)")
        #expect(stored.count > 10)
        for id in stored { #expect(try await store.entry(id, in: partition, at: Timestamp(milliseconds: 1)) != nil) }
        let query = NearestQuery(embedding: random.unitVector(32), count: 1, threshold: -1)
        #expect(try await store.nearest(query, in: partition, at: Timestamp(milliseconds: 1)).matches.count == 1)
        await store.flushTouches()
        // Also by one that has not been there before. What is wrong is blocked, too: for a tenant of whom there was nothing.
        let other = try makeClient(server.url)
        let wrong = Partition(
            of: CacheScope("wrong", of: TenantScope(authenticated: TenantID("wrong"))),
            embedding: EmbeddingIdentity(provider: "test", model: "m", dimensions: 32, revision: "1"), vary: [])
        // Beyond doubt full: what it was sent by the Stores may have been given back.
        try await server.command("CONFIG", "SET", "maxmemory", "\(used / 2)")
        for blocker in [makeVectorSetStore(other), store] {
            for number in 0..<4 as Range<UInt64> {
                let pair = BlockedPair(
                    question: EntryID(high: 0, low: number), entry: EntryID(high: 1, low: number),
                    cluster: AnswerCluster(high: 2, low: number))
                try await blocker.block(pair, in: wrong, by: .now + .seconds(9))
                #expect(try await store.blocks(of: pair.question, in: wrong) == [pair])
            }
        }
        let removed = try await makeVectorSetStore(other).remove(
            .cache(partition.cache), dryRun: false, at: Timestamp(milliseconds: 1))
        try await server.command("CONFIG", "SET", "maxmemory", "\(used + (2 << 20))")
        await other.close()
        #expect(removed.count == stored.count)
        let again = try large(0, in: partition)
        _ = try await store.put(again, embedding: random.unitVector(32), in: partition, quota: .unlimited)
        _ = try await store.remove(.cache(partition.cache), dryRun: false, at: Timestamp(milliseconds: 1))
        try await load.run { await load.progress.next(50, .change) }
        try await load.inspect { _ in server }
        await load.close()
    }

    private func large(_ number: Int, in partition: Partition) throws -> CacheEntry {
        let prompt = try CanonicalPrompt("large \(number)")
        return CacheEntry(
            id: partition.entryID(of: prompt), prompt: prompt, response: [UInt8](repeating: 65, count: 32 << 10),
            contentType: "", attributes: [], usage: nil, createdAt: Timestamp(milliseconds: 0),
            expiresAt: Timestamp(milliseconds: 1000))
    }

    @Test func `of many replicas one sweeps in an interval`() async throws {
        let server = try await RedisServer.start()
        let client = try makeClient(server.url)
        let stores = (0..<8).map { _ in self.store(client, sweepInterval: .seconds(60)) }
        await withTaskGroup(of: Void.self) { group in
            for store in stores { group.addTask { for _ in 0..<5 { await store.sweepInTurn() } } }
        }
        #expect(try await self.sweeps(of: server) == 1)
        try await server.command("DEL", "semcache:sweeper")
        await stores[3].sweepInTurn()
        #expect(try await self.sweeps(of: server) == 2)
        await client.close()
    }

    @Test func `a store that runs removes what has expired, through a fault too, and ends when it is cancelled`()
        async throws
    {
        let server = try await RedisServer.start()
        let load = try LedgerLoad(server.url, questions: 2)
        try await load.run { await load.progress.next(50, .change) }
        let keys = load.tenants.flatMap { load.stores[0].layout.keys(of: $0) }
        let stores = load.clients.map { self.store($0, sweepInterval: .milliseconds(100)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for store in stores { group.addTask { await store.run() } }
            try await server.command("CLIENT", "KILL", "TYPE", "normal")
            for keys in keys {
                let name = String(decoding: keys.entries.bytes, as: UTF8.self)
                while try await server.command("EXISTS", name) != .integer(0) { await LedgerLoad.pause() }
            }
            group.cancelAll()
            try await group.waitForAll()
        }
        for keys in keys { #expect(try await problems(of: keys) { _ in server } == []) }
        await load.close()
    }

    /// One for which all entries of a ledger have expired.
    private func store(_ client: RedisClient, sweepInterval: Duration) -> RedisVectorStore {
        RedisVectorStore(
            client: client, index: VectorSetIndex(client: client, quantization: .none),
            configuration: .init(sweepInterval: sweepInterval), logger: silent,
            clock: { Timestamp(milliseconds: 1_000_000) })
    }

    private func sweeps(of server: RedisServer) async throws -> Int {
        let line = try await server.command("INFO", "commandstats").line("cmdstat_sscan") ?? ""
        return try #require(line.firstMatch(of: /calls=(\d+)/).flatMap { Int($0.1) })
    }
}
