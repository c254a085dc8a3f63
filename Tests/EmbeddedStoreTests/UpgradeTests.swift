// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import GRDB
import Testing

/// Files of the first version, and entries of older keys and other models.
@Suite struct UpgradeTests {
    let folder: Folder
    let home = partition()
    let tenant = cache().tenant
    var random = SeededGenerator(seed: 41)

    init() throws { self.folder = try Folder() }

    /// The tables as version 1 made them.
    static let version1 = """
        CREATE TABLE caches (
            cache INTEGER PRIMARY KEY,
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
            tenant TEXT NOT NULL,
            name TEXT NOT NULL
        ) STRICT;
        CREATE TABLE partitions (
            partition INTEGER PRIMARY KEY,
            cache INTEGER NOT NULL,
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
            dimensions INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE entries (
            row INTEGER PRIMARY KEY,
            partition INTEGER NOT NULL,
            id BLOB NOT NULL CHECK (length(id) = 16),
            created_ms INTEGER NOT NULL,
            expires_ms INTEGER NOT NULL,
            vector BLOB NOT NULL,
            content_type TEXT NOT NULL,
            attributes TEXT,
            prompt_tokens INTEGER,
            completion_tokens INTEGER,
            cost REAL,
            prompt TEXT,
            response BLOB NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX entries_by_id ON entries (id, partition);
        CREATE INDEX entries_by_partition ON entries (partition);
        CREATE INDEX entries_by_expiry ON entries (expires_ms);
        PRAGMA application_id = \(0x5365_6d43);
        PRAGMA user_version = 1;
        """

    /// Takes away what version 7 has brought.
    static let withoutDecisions = """
        DROP TABLE clusters; DROP TABLE decision_logs; DROP TABLE decision_records; DROP TABLE decision_snapshots;
        DROP TABLE blocked_questions;
        """

    /// Stores entries and makes a file of version 1 of them.
    func makeOldFile() async throws -> [CacheEntry] {
        var random = self.random
        let made = try Folder()
        let store = try openStore(made.file)
        var entries: [CacheEntry] = []
        for position in 0..<200 {
            let prompt = position % 3 == 0 ? nil : try CanonicalPrompt("où \(position) \u{1f3e8}")
            entries.append(
                CacheEntry(
                    id: EntryID(high: 1, low: UInt64(position)), prompt: prompt,
                    response: [UInt8](repeating: 0, count: [0, 3, 9000, 100_000][position % 4]),
                    contentType: position % 5 == 0 ? "a\0bü" : "", attributes: random.attributes(),
                    usage: position % 2 == 0 ? nil : Usage(promptTokens: 1, completionTokens: .max, cost: 0.5),
                    createdAt: ms(Int64(position)), expiresAt: ms(1000)))
            _ = try await store.put(entries[position], embedding: random.vector(), in: self.home)
        }
        await store.close()
        try self.change(
            """
            PRAGMA page_size = 8192;
            PRAGMA journal_mode = WAL;
            \(Self.version1)
            ATTACH '\(made.file)' AS new;
            INSERT INTO caches SELECT * FROM new.caches;
            INSERT INTO partitions SELECT partition, cache, key, dimensions FROM new.partitions;
            INSERT INTO entries
                SELECT row, partition, id, created_ms, expires_ms, vector, content_type, attributes, prompt_tokens,
                    completion_tokens, cost, prompt, response
                FROM new.entries;
            """)
        return entries
    }

    func change(_ sql: String) throws {
        let queue = try DatabaseQueue(path: self.folder.file)
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try queue.close()
    }

    func read<Value: DatabaseValueConvertible>(_ sql: String) throws -> Value? {
        let queue = try DatabaseQueue(path: self.folder.file)
        defer { try? queue.close() }
        return try queue.read { try Value.fetchOne($0, sql: sql) }
    }

    @Test func `a file of version 1 is brought up and has lost nothing`() async throws {
        let entries = try await self.makeOldFile()
        let bytes = entries.reduce(0) { $0 + $1.quotaBytes(dimensions: dimensions) }
        // The second time it is as it was left.
        for _ in 0..<2 {
            let store = try openStore(self.folder.file)
            for entry in entries {
                #expect(try await store.entry(entry.id, in: self.home, at: ms(0)) == entry)
            }
            // Of which model they are is not known, so they are nobody's orphans.
            let size = try await store.sizes(of: self.tenant, identities: [Fingerprint(.tenant).finish()], at: ms(0))
            #expect(size.entries == 200 && size.bytes == bytes && size.orphanedEntries == 0)
            let filter = try MetadataFilter("beta")
            let count = entries.count { filter.matches($0.attributes) }
            let selector = RemovalSelector.filter(filter, in: self.home.cache)
            #expect(try await store.remove(selector, dryRun: true, at: ms(0)).count == count)
            await store.close()
            #expect(try self.read("PRAGMA user_version") == 7)
            #expect(try self.read("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'old%'") == 0)
        }
        let store = try openStore(self.folder.file)
        #expect(try await store.remove(.cache(self.home.cache), dryRun: false, at: ms(0)).count == 200)
        let size = try await store.sizes(of: self.tenant, identities: [identity.key], at: ms(0))
        #expect(size == TenantSize(caches: [], entries: 0, bytes: 0, orphanedEntries: 0))
    }

    @Test func `a file of version 3 is brought up, and counts from then on`() async throws {
        var random = self.random
        var store = try openStore(self.folder.file)
        let entry = try entry("q", in: self.home)
        _ = try await store.put(entry, embedding: random.vector(), in: self.home)
        await store.close()
        try self.change(
            """
            \(Self.withoutDecisions)
            DROP TABLE vectors; DROP TABLE versions; ALTER TABLE entries DROP COLUMN fresh_ms;
            PRAGMA user_version = 3
            """)
        store = try openStore(self.folder.file)
        #expect(try await store.entry(entry.id, in: self.home, at: ms(0)) == entry)
        #expect(try await store.version(of: self.home.cache) == CacheVersion(epoch: 0, sequence: 0))
        #expect(try await store.remove(.cache(self.home.cache), dryRun: false, at: ms(0)).count == 1)
        #expect(try await store.version(of: self.home.cache) == CacheVersion(epoch: 1, sequence: 1))
        await store.close()
        #expect(try self.read("PRAGMA user_version") == 7)
        try self.change("UPDATE versions SET epoch = -9")
        store = try openStore(self.folder.file)
        let fault = try await #require(throws: VectorStoreError.self) {
            try await store.version(of: self.home.cache)
        }
        #expect(fault.code == .corrupt && fault.message.contains(self.folder.file))
    }

    @Test
    func `a file of version 5 is brought up: what it has is fresh to its end, what comes may have a stale window`()
        async throws
    {
        var random = self.random
        var store = try openStore(self.folder.file)
        let old = try entry("old", in: self.home)
        _ = try await store.put(old, embedding: random.vector(), in: self.home, quota: .unlimited)
        await store.close()
        try self.change(
            "\(Self.withoutDecisions) ALTER TABLE entries DROP COLUMN fresh_ms; PRAGMA user_version = 5")
        let prompt = try CanonicalPrompt("new")
        let new = CacheEntry(
            id: self.home.entryID(of: prompt), prompt: prompt, response: [1], contentType: "a", attributes: [],
            usage: nil, createdAt: ms(0), freshUntil: ms(10), expiresAt: ms(1000))
        for round in 0..<2 {
            store = try openStore(self.folder.file)
            #expect(try await store.entry(old.id, in: self.home, at: ms(0)) == old)
            if round == 0 {
                _ = try await store.put(new, embedding: random.vector(), in: self.home, quota: .unlimited)
            }
            #expect(try await store.entry(new.id, in: self.home, at: ms(500)) == new)
            await store.close()
            #expect(try self.read("PRAGMA user_version") == 7)
        }
    }

    @Test func `a file of version 1 that cannot be brought up stays as it is`() async throws {
        _ = try await self.makeOldFile()
        try self.change("UPDATE entries SET attributes = '{' WHERE row = 7")
        let refusal = try #require(throws: VectorStoreError.self) { try openStore(self.folder.file) }
        #expect(refusal.code == .corrupt && refusal.message.contains("row 7"))
        #expect(try self.read("PRAGMA user_version") == 1)
        #expect(try self.read("SELECT count(*) FROM entries") == 200)
        try self.change("UPDATE entries SET attributes = NULL WHERE row = 7")
        let store = try openStore(self.folder.file)
        #expect(try await store.sizes(of: self.tenant, at: ms(0)).map(\.entries) == [200])
    }

    @Test func `pitfall 31: entries of another model or key scheme are shown as orphans and go with the tenant`()
        async throws
    {
        var random = self.random
        let vector = random.vector()
        var store = try openStore(self.folder.file)
        let other = EmbeddingIdentity(provider: "test", model: "other", dimensions: dimensions, revision: "1")
        let homes = [
            self.home, partition(user: "old scheme"), partition(cache("old cache")),
            Partition(of: cache(), embedding: other, vary: []), partition(cache(of: "rival")),
        ]
        for (position, home) in homes.enumerated() {
            for number in 0...position {
                let entry = try entry("q\(number)", in: home, response: "12", expires: number == 0 ? 500 : 1000)
                _ = try await store.put(entry, embedding: vector, in: home)
            }
        }
        await store.close()
        try self.change(
            """
            UPDATE partitions SET scheme = 0
                WHERE key = x'\(homes[1].key.hexadecimal)';
            UPDATE caches SET key = randomblob(32) WHERE name = 'old cache';
            """)
        store = try openStore(self.folder.file)
        for (now, gone) in [(ms(0), 0), (ms(500), 1)] {
            var size = try await store.sizes(of: self.tenant, identities: [identity.key], at: now)
            let left = (1...4).map { $0 - gone }
            #expect(size.entries == left.reduce(0, +) && size.orphanedEntries == left[1...].reduce(0, +))
            #expect(size.caches.map(\.cache) == ["support"])
            #expect(size.caches.map(\.entries) == [left[0] + left[1] + left[3]])
            size = try await store.sizes(of: self.tenant, identities: [other.key], at: now)
            #expect(size.orphanedEntries == left[..<3].reduce(0, +))
        }
        let removed = try await store.remove(.tenant(self.tenant), dryRun: false, at: ms(0))
        #expect(removed.count == 10)
        let size = try await store.sizes(of: self.tenant, identities: [identity.key], at: ms(0))
        #expect(size == TenantSize(caches: [], entries: 0, bytes: 0, orphanedEntries: 0))
        let rival = try await store.sizes(of: homes[4].cache.tenant, identities: [identity.key], at: ms(0))
        #expect(rival.entries == 5 && rival.orphanedEntries == 0)
    }
}
