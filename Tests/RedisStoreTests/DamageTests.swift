// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

/// What must hold though something was lost, came twice or ended half-way.
@Suite struct DamageTests {
    private let identity = EmbeddingIdentity(provider: "test", model: "damage", dimensions: 32, revision: "1")
    private let client: RedisClient
    private let store: RedisVectorStore
    private let cache = CacheScope("support", of: TenantScope(authenticated: TenantID("acme")))
    private let now = Timestamp(milliseconds: 0)

    init() async throws {
        self.client = try makeClient(try await freshDatabase())
        self.store = makeVectorSetStore(self.client)
    }

    private var partition: Partition { Partition(of: self.cache, embedding: self.identity, vary: []) }
    private var home: PartitionKeys {
        PartitionKeys(
            PartitionKeys.name(of: self.partition.key), in: self.store.layout.keys(of: self.cache.tenant)[0])
    }

    private func vector(_ number: Int) -> Embedding {
        var random = SeededGenerator(UInt64(number))
        return random.unitVector(32)
    }

    @discardableResult
    private func put(_ number: Int, quota: StoreQuota = .unlimited, expires: Int64 = 1000) async throws -> EntryID {
        let prompt = try CanonicalPrompt("q\(number)")
        let id = self.partition.entryID(of: prompt)
        let entry = CacheEntry(
            id: id, prompt: prompt, response: Array("answer \(number)".utf8), contentType: "text/plain",
            attributes: [Attribute(name: "lang", value: .string("de"))], usage: nil, createdAt: self.now,
            expiresAt: Timestamp(milliseconds: expires))
        _ = try await self.store.put(entry, embedding: self.vector(number), in: self.partition, quota: quota)
        return id
    }

    private func isThere(_ id: EntryID) async throws -> Bool {
        try await self.store.entry(id, in: self.partition, at: self.now) != nil
    }

    private func send(_ name: String, _ key: RedisKey, _ arguments: [UInt8]...) async throws -> RESPValue {
        var command = RedisCommand(name, route: .key(slot: key.slot), isRepeatable: true)
        command.append(key.bytes)
        for argument in arguments { command.append(argument) }
        return try await self.client.send(command)
    }

    @Test func `a removal of all that ended half-way leaves nothing that a filter or a radius misses`() async throws {
        var ids: [EntryID] = []
        for number in 0..<6 { ids.append(try await self.put(number)) }
        let removal = RemovalScript(
            mode: .partition, epoch: [], cache: [], home: self.home, identity: self.identity.key)
        _ = try await self.store.run(removal, ids.prefix(3).map { ($0, []) }, at: self.now)
        // Searches find what is left of those that went, and see to it that it goes.
        #expect(try await self.send("VCARD", self.home.vectors) == .integer(6))
        for number in 0..<3 {
            let query = NearestQuery(embedding: self.vector(number), count: 1, threshold: 0.9)
            #expect(try await self.store.nearest(query, in: self.partition, at: self.now).matches.isEmpty)
        }
        await self.store.removeStrays()
        #expect(try await self.send("VCARD", self.home.vectors) == .integer(3))
        let near = RemovalSelector.radius(self.vector(3), similarity: 0.99, in: self.partition)
        #expect(try await self.store.remove(near, dryRun: false, at: self.now).sample == [ids[3]])
        let filter = RemovalSelector.filter(try MetadataFilter(#"lang == "de""#), in: self.cache)
        #expect(try await self.store.remove(filter, dryRun: false, at: self.now).count == 2)
        // With the last entry everything went.
        #expect(try await self.send("EXISTS", self.home.vectors) == .integer(0))
    }

    @Test func `a put that comes again after its entry was removed brings nothing back`() async throws {
        let id = try await self.put(1)
        let keys = self.home.tenant
        var blob = try #require(try await self.store.blobs(of: [id], in: [keys])[0])
        blob.moveReaderIndex(forwardBy: 1)
        let descriptor = PartitionDescriptor(self.partition).encoded()
        #expect(
            try await self.store.remove(.entry(id, in: self.partition), dryRun: false, at: self.now).count == 1)
        let again = blob
        let reply = try await self.client.run(self.store.scripts.put, key: keys.entries, others: self.home.declared) {
            for argument in ["0", "9999999999999"] { $0.append(argument) }
            $0.append(self.home.name)
            $0.append(id.bytes)
            $0.append(again)
            $0.append(self.vector(1).values)
            $0.append([0, 0, 0, 2] + Array("{}".utf8))
            $0.append(descriptor)
            for argument in ["support", "", "", "64"] { $0.append(argument) }
        }
        #expect(try RESPReader.array(reply).first == .integer(0))
        #expect(try await self.isThere(id) == false)
        // One with another token is another put.
        #expect(try await self.isThere(try await self.put(1)))
    }

    @Test(arguments: [0, 1, 41, 64]) func `a blob that was cut is no entry, and is replaced`(length: Int) async throws {
        let id = try await self.put(1)
        let stayed = try await self.put(2)
        _ = try await self.send("HSET", self.home.tenant.entries, id.bytes, [UInt8](repeating: 49, count: length))
        #expect((try? await self.isThere(id)) != true)
        #expect(try await self.store.remove(.ids([id, stayed], in: self.cache), dryRun: true, at: self.now).count == 1)
        try await self.put(1)
        #expect(try await self.isThere(id))
        #expect(try await self.store.remove(.cache(self.cache), dryRun: false, at: self.now).count == 2)
        #expect(try await self.send("EXISTS", self.home.expiries) == .integer(0))
    }

    @Test func `a blob of another partition holds up neither sweeps nor removals`() async throws {
        let id = try await self.put(1, expires: 10)
        let other = Array(repeating: UInt8(ascii: "0"), count: 200)
        _ = try await self.send("HSET", self.home.tenant.entries, id.bytes, other)
        let late = Timestamp(milliseconds: 500)
        #expect(try await self.store.sweep(at: late) == 1)
        #expect(try await self.store.sweep(at: late) == 0)
        let second = try await self.put(2)
        _ = try await self.send("HSET", self.home.tenant.entries, second.bytes, other)
        #expect(try await self.store.remove(.cache(self.cache), dryRun: false, at: self.now).count == 0)
        #expect(try await self.send("EXISTS", self.home.expiries) == .integer(0))
    }

    @Test func `a quota holds though entries were lost`() async throws {
        let quota = StoreQuota(entries: 3, bytes: nil)
        for number in 0..<3 { try await self.put(number, quota: quota) }
        _ = try await self.send("DEL", self.home.tenant.entries)
        for number in 3..<9 { try await self.put(number, quota: quota) }
        let size = try await self.store.sizes(of: self.cache.tenant, identities: [self.identity.key], at: self.now)
        #expect(size.entries == 3)
        #expect(try await self.send("HLEN", self.home.tenant.entries) == .integer(3))
    }

    @Test func `accounts that make no sense are an error and never a trap`() async throws {
        try await self.put(1)
        for wrong in ["-1", "9223372036854775807", "x"] {
            _ = try await self.send("HSET", self.home.tenant.account, Array("n".utf8), Array(wrong.utf8))
            await #expect(throws: VectorStoreError.self) {
                try await self.store.sizes(of: self.cache.tenant, identities: [self.identity.key], at: self.now)
            }
        }
    }

    @Test func `what expires between two readings of sizes counts for nothing`() async throws {
        try await self.put(1, expires: 10)
        _ = try await self.send("HSET", self.home.tenant.account, Array("n".utf8), Array("0".utf8))
        let size = try await self.store.sizes(
            of: self.cache.tenant, identities: [self.identity.key], at: Timestamp(milliseconds: 20))
        #expect(size.entries == 0)
    }

    @Test func `pitfall 31: what another layout holds is shown as orphaned, and goes with the tenant`() async throws {
        for number in 0..<4 { try await self.put(number) }
        let other = makeVectorSetStore(self.client, shards: 3)
        let tenant = self.cache.tenant
        let size = try await other.sizes(of: tenant, identities: [self.identity.key], at: self.now)
        #expect(size.entries == 4 && size.orphanedEntries == 4 && size.caches.isEmpty)
        #expect(try await other.remove(.tenant(tenant), dryRun: true, at: self.now).count == 4)
        #expect(try await other.remove(.tenant(tenant), dryRun: false, at: self.now).count == 4)
        #expect(try await self.store.sizes(of: tenant, identities: [self.identity.key], at: self.now).entries == 0)
    }
}
