// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

/// What a replica of the server has when it takes over.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ReplicaOfServerTests {
    private static let partition = Partition(
        of: CacheScope("c", of: TenantScope(authenticated: TenantID("acme"))),
        embedding: EmbeddingIdentity(provider: "test", model: "m", dimensions: 8, revision: "1"), vary: [])
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)

    private static func entry(tag: String) throws -> CacheEntry {
        let prompt = try CanonicalPrompt("the same question")
        return CacheEntry(
            id: Self.partition.entryID(of: prompt), prompt: prompt, response: Array(tag.utf8), contentType: "",
            attributes: [Attribute(name: Attribute.tagsName, value: .strings([tag]))], usage: nil, createdAt: Self.now,
            expiresAt: Self.now + .seconds(3600))
    }

    private static func offset(_ name: String, of server: RedisServer) async throws -> Int? {
        try await server.command("INFO", "replication").line(name).flatMap { Int($0) }
    }

    // VADD of an element that is there already is not replicated by Redis 8.0.
    @Test(arguments: [VectorQuantization.none, .q8, .bin])
    func `an entry that was stored again is found by its new tags on the replica that takes over`(
        quantization: VectorQuantization
    ) async throws {
        let options = ["--repl-diskless-sync-delay", "0"]
        let primary = try await RedisServer.start(options: options)
        let replica = try await RedisServer.start(options: options + ["--replicaof", "127.0.0.1", "\(primary.port)"])
        let deadline = ContinuousClock.now + .seconds(30)
        while try await replica.command("INFO", "replication").line("master_link_status") != "up" {
            try #require(ContinuousClock.now < deadline, "the replica does not follow")
        }
        let client = try makeClient(primary.url)
        let store = makeVectorSetStore(client, quantization: quantization)
        var random = SeededGenerator(1)
        for tag in ["red", "green", "blue"] {
            _ = try await store.put(
                try Self.entry(tag: tag), embedding: random.unitVector(8), in: Self.partition, quota: .unlimited)
        }
        let written = try #require(try await Self.offset("master_repl_offset", of: primary))
        while try await Self.offset("slave_repl_offset", of: replica) ?? 0 < written {
            try #require(ContinuousClock.now < deadline, "the replica stays behind")
        }
        await client.close()
        try await primary.kill()
        try await replica.command("REPLICAOF", "NO", "ONE")

        let successor = try makeClient(replica.url)
        let other = makeVectorSetStore(successor, quantization: quantization)
        let filter = RemovalSelector.filter(.anyOf(tags: ["blue"]), in: Self.partition.cache)
        #expect(try await other.remove(filter, dryRun: false, at: Self.now).count == 1)
        #expect(try await other.entry(try Self.entry(tag: "blue").id, in: Self.partition, at: Self.now) == nil)
        await successor.close()
    }
}
