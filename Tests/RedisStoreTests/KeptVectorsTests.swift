// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

/// Texts' vectors in a real Redis.
@Suite struct KeptVectorsTests {
    private let identity = Fingerprint(.embeddingIdentity).finish()
    private let kept = KeptVector(
        key: Fingerprint(.text).finish(), tenant: TenantID("acme"), vector: Embedding(unitLength: [0.6, 0.8]))

    /// A busy machine may take longer than the store waits.
    private func found(_ store: RedisVectorStore) async throws -> [Embedding?] {
        for _ in 0..<50 {
            do throws(VectorStoreError) {
                return try await store.vectors([self.kept.key], identity: self.identity, dimensions: 2)
            } catch {
                guard error.code == .unavailable else { throw error }
            }
        }
        throw VectorStoreError(.unavailable, "the server never answered in time")
    }

    @Test(arguments: [RedisVersion.seven, .eight])
    func `each vector is a key that expires, and damaged ones are none`(version: RedisVersion) async throws {
        let server = try await RedisServer.start(version)
        let client = try makeClient("redis://127.0.0.1:\(server.port)")
        let store = makeVectorSetStore(client)
        try await store.remember([self.kept], identity: self.identity)
        #expect(try await self.found(store) == [self.kept.vector])

        let key = KeptVectorValue.key(self.kept.key)
        #expect(String(decoding: key.bytes, as: UTF8.self) == "semcache:vector:1:\(self.kept.key.hexadecimal)")
        let left = try await client.send(RedisCommand("TTL", on: key, isRepeatable: true))
        guard case .integer(let seconds) = left else { return #expect(Bool(false), "TTL is a number") }
        let wanted = Limits.redisVectorTimeToLive.components.seconds
        #expect((wanted - 60...wanted).contains(seconds))

        for value in [[], [1], self.identity.bytes, self.identity.bytes + [UInt8](repeating: 0xff, count: 8)] {
            var command = RedisCommand("SET", on: key, isRepeatable: true)
            command.append(value)
            _ = try await client.send(command)
            #expect(try await self.found(store) == [nil])
        }
        await client.close()
        withExtendedLifetime(server) {}
    }

    @Test func `a server that is gone is an error at once and not a wait`() async throws {
        let server = try await RedisServer.start()
        let client = try makeClient("redis://127.0.0.1:\(server.port)", timeout: .seconds(20))
        let store = makeVectorSetStore(client)
        try await store.remember([self.kept], identity: self.identity)
        try await server.stop()
        let began = ContinuousClock.now
        await #expect(throws: VectorStoreError.self) {
            try await store.vectors([self.kept.key], identity: self.identity, dimensions: 2)
        }
        #expect(ContinuousClock.now - began < .seconds(10), "half of the client's own patience")
        await client.close()
    }
}
