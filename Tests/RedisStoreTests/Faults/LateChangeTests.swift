// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOPosix
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

private let now = Timestamp(milliseconds: 1)

/// What a server that hung has still in its sockets when it wakes up.
@Suite(.serialized, .timeLimit(.minutes(1))) struct LateChangeTests {
    @Test(arguments: [true, false])
    func `a change that has failed is not made later, over what was acknowledged since`(isRemoval: Bool) async throws {
        let server = try await RedisServer.start()
        // Shorter than connections may be silent.
        let (slow, slowClient) = try self.store(server, timeout: .seconds(2))
        let items = try LedgerItem.make(tenants: "late", owners: 1, questions: 4)[0]
        try await self.put(items[0], version: 1, in: slow)
        // So that the server knows the script: one that it has to ask for again cannot come late.
        _ = try await slow.remove(.entry(items[7].id, in: items[7].partition), dryRun: false, at: now)
        let connections = try await self.connections(of: server)
        let (fast, fastClient) = try self.store(server, timeout: .seconds(20))
        try await self.put(items[1], version: 1, in: fast)

        server.pause()
        await withTaskGroup(of: Void.self) { group in
            // They keep the server busy while it takes what others send.
            for item in items[2...4] {
                group.addTask {
                    await #expect(throws: VectorStoreError.self) {
                        try await self.put(item, version: 1, bytes: 500_000, in: slow)
                    }
                }
            }
            await LedgerLoad.pause()
            group.addTask {
                await #expect(throws: VectorStoreError.self) {
                    if isRemoval {
                        _ = try await slow.remove(.entry(items[0].id, in: items[0].partition), dryRun: false, at: now)
                    } else {
                        try await self.put(items[0], version: 2, in: slow)
                    }
                }
            }
        }
        // Those have failed; this comes after them, but by another connection.
        async let change: Void = self.change(items[0], isRemoval: isRemoval, in: fast)
        for _ in 0..<10 { await LedgerLoad.pause() }
        server.resume()
        try await change
        // Until it has read everything that the lost connection held.
        while try await !self.connections(of: server).isDisjoint(with: connections) { await LedgerLoad.pause() }
        let found = try await fast.entry(items[0].id, in: items[0].partition, at: now)
        #expect(found.flatMap { items[0].version(of: $0) } == (isRemoval ? 3 : nil))
        for item in items[2...4] { #expect(try await fast.entry(item.id, in: item.partition, at: now) == nil) }
        await slowClient.close()
        await fastClient.close()
    }

    /// What undoes the one that failed.
    private func change(_ item: LedgerItem, isRemoval: Bool, in store: RedisVectorStore) async throws {
        if isRemoval {
            try await self.put(item, version: 3, in: store)
        } else {
            _ = try await store.remove(.entry(item.id, in: item.partition), dryRun: false, at: now)
        }
    }

    private func put(
        _ item: LedgerItem, version: Int, bytes: Int? = nil, in store: RedisVectorStore
    ) async throws(VectorStoreError) {
        let entry = item.entry(version: version)
        let large = CacheEntry(
            id: entry.id, prompt: entry.prompt,
            response: bytes.map { [UInt8](repeating: 65, count: $0) } ?? entry.response,
            contentType: entry.contentType, attributes: entry.attributes, usage: nil, createdAt: entry.createdAt,
            expiresAt: entry.expiresAt)
        _ = try await store.put(large, embedding: item.vector, in: item.partition, quota: .unlimited)
    }

    /// With one connection.
    private func store(_ server: RedisServer, timeout: Duration) throws -> (RedisVectorStore, RedisClient) {
        var configuration = try RedisConfiguration(url: server.url)
        configuration.connectionsPerNode = 1
        configuration.commandTimeout = timeout
        configuration.connectTimeout = .seconds(20)
        let client = RedisClient(configuration, group: MultiThreadedEventLoopGroup.singleton, logger: silent)
        let store = RedisVectorStore(
            client: client, index: VectorSetIndex(client: client, quantization: .none),
            configuration: .init(timeout: timeout), logger: silent, clock: { now })
        return (store, client)
    }

    /// The numbers of all but the one that asks.
    private func connections(of server: RedisServer) async throws -> Set<Substring> {
        let list = try await server.command("CLIENT", "LIST").description
        return Set(
            list.split(separator: "\n").filter { !$0.contains("cmd=client|list") }
                .compactMap { $0.firstMatch(of: /id=(\d+)/)?.1 })
    }
}
