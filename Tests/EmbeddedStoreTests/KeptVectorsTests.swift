// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB
import TestSupport
import Testing

@testable import EmbeddedStore

/// Texts' vectors in the file.
@Suite struct KeptVectorsTests {
    private let folder: Folder
    private let tenant = cache().tenant.tenant

    init() throws { self.folder = try Folder() }

    private func kept(_ number: Int, of tenant: TenantID? = nil, dimensions count: Int = dimensions) -> KeptVector {
        var fingerprint = Fingerprint(.text)
        fingerprint.append(UInt64(number))
        var values = [Float](repeating: 0, count: count)
        values[number % count] = 1
        return KeptVector(
            key: fingerprint.finish(), tenant: tenant ?? self.tenant, vector: Embedding(unitLength: values))
    }

    /// - Returns: The numbers of those that are there.
    private func numbers(_ store: EmbeddedStore, _ range: Range<Int>) async throws -> [Int] {
        let keys = range.map { self.kept($0).key }
        let vectors = try await store.vectors(keys, identity: identity.key, dimensions: dimensions)
        return zip(range, vectors).filter { $1 != nil }.map(\.0)
    }

    private func change(_ sql: String) throws {
        let queue = try DatabaseQueue(path: self.folder.file)
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try queue.close()
    }

    @Test func `vectors outlive the process, and those of a removed tenant do not`() async throws {
        var store = try openStore(self.folder.file)
        let rival = cache(of: "rival").tenant.tenant
        try await store.remember([self.kept(1), self.kept(2, of: rival)], identity: identity.key)
        await store.close()
        store = try openStore(self.folder.file)
        #expect(try await self.numbers(store, 0..<4) == [1, 2])
        _ = try await store.remove(.tenant(cache().tenant), dryRun: true, at: ms(0))
        #expect(try await self.numbers(store, 0..<4) == [1, 2])
        _ = try await store.remove(.tenant(cache().tenant), dryRun: false, at: ms(0))
        #expect(try await self.numbers(store, 0..<4) == [2])
    }

    @Test func `above the limit those go that were not used for the longest time, whatever opens the file`()
        async throws
    {
        let each = dimensions * 4 + Limits.keptVectorOverhead
        let configuration = EmbeddedStore.Configuration(maximumVectorBytes: 10 * each)
        var store = try openStore(self.folder.file, configuration: configuration)
        for number in 0..<10 { try await store.remember([self.kept(number)], identity: identity.key) }
        #expect(try await self.numbers(store, 0..<3) == [0, 1, 2])
        // Kept again, one is not counted twice.
        try await store.remember([self.kept(3)], identity: identity.key)
        #expect(try await self.numbers(store, 0..<3) == [0, 1, 2])
        await store.close()
        store = try openStore(self.folder.file, configuration: configuration)
        for number in 10..<14 { try await store.remember([self.kept(number)], identity: identity.key) }
        // 0…2 were read before 3 was written, and 3 was written again: the next oldest are gone.
        #expect(try await self.numbers(store, 0..<14) == [0, 1, 2, 3, 8, 9, 10, 11, 12, 13])
        // One batch that is larger than the room leaves as many as there is room for.
        try await store.remember((20..<60).map { self.kept($0) }, identity: identity.key)
        #expect(try await self.numbers(store, 0..<60) == Array(50..<60))
    }

    @Test func `damaged rows are passed over`() async throws {
        var store = try openStore(self.folder.file)
        try await store.remember((0..<5).map { self.kept($0) }, identity: identity.key)
        await store.close()
        let keys = (0..<5).map { self.kept($0).key.hexadecimal }
        try self.change(
            """
            UPDATE vectors SET vector = x'00' WHERE key = x'\(keys[0])';
            UPDATE vectors SET vector = zeroblob(\(dimensions * 4)) WHERE key = x'\(keys[1])';
            UPDATE vectors SET identity = x'01' WHERE key = x'\(keys[2])';
            UPDATE vectors SET vector = x'\(String(repeating: "ff", count: dimensions * 4))' WHERE key = x'\(keys[3])';
            """)
        store = try openStore(self.folder.file)
        #expect(try await self.numbers(store, 0..<5) == [4])
    }

    @Test func `a file of version 4 is brought up with its entries and keeps vectors then`() async throws {
        var store = try openStore(self.folder.file)
        let entry = try entry("q", in: partition())
        var random = SeededGenerator(seed: 5)
        _ = try await store.put(entry, embedding: random.vector(), in: partition())
        await store.close()
        try self.change(
            """
            \(UpgradeTests.withoutDecisions)
            DROP TABLE vectors; ALTER TABLE entries DROP COLUMN fresh_ms; PRAGMA user_version = 4
            """)
        store = try openStore(self.folder.file)
        #expect(try await store.entry(entry.id, in: partition(), at: ms(0)) == entry)
        try await store.remember([self.kept(1)], identity: identity.key)
        #expect(try await self.numbers(store, 0..<3) == [1])
    }

    @Test func `a closed store says so`() async throws {
        let store = try openStore(self.folder.file)
        await store.close()
        await #expect(throws: VectorStoreError.self) { try await self.numbers(store, 0..<1) }
        await #expect(throws: VectorStoreError.self) {
            try await store.remember([self.kept(1)], identity: identity.key)
        }
    }
}
