// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOPosix
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

/// How often and how long Redis is asked.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SearchCostTests {
    private let home = Partition(
        of: CacheScope("support", of: TenantScope(authenticated: TenantID("acme"))),
        embedding: EmbeddingIdentity(provider: "test", model: "cost", dimensions: 32, revision: "1"), vary: [])

    @Test func `the heads of entries in several shards are asked for at once`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            arguments.first.map { String(decoding: $0, as: UTF8.self) } == "EVALSHA" ? .silence : nil
        }
        var configuration = try RedisConfiguration(url: "redis://127.0.0.1:\(server.port)")
        configuration.connectionsPerNode = 1
        let client = RedisClient(configuration, group: MultiThreadedEventLoopGroup.singleton, logger: silent)
        let store = makeVectorSetStore(client, shards: 3)
        let ids = (0..<3 as Range<UInt64>).map { EntryID(high: 1, low: $0) }
        async let heads = store.heads(of: ids, in: store.layout.homes(of: self.home), isWanted: true)
        await server.received("EVALSHA", count: 3)
        for _ in ids { try await server.push("*1\r\n$0\r\n\r\n") }
        // None of them is there.
        #expect(try await heads.get().isEmpty)
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
