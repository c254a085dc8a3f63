// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import GRDB
import Testing

/// Reading a cache page by page.
@Suite struct ScanTests {
    let folder: Folder
    let plain = partition()
    var random = SeededGenerator(seed: 77)

    init() throws { self.folder = try Folder() }

    /// All pages, in order.
    func scan(
        _ store: EmbeddedStore, _ plain: Partition? = nil, filter: MetadataFilter? = nil, count: Int = 7,
        after start: ScanPosition? = nil, at now: Timestamp = ms(0),
        between: (Int) async throws -> Void = { _ in }
    ) async throws -> [ExportedEntry] {
        var (position, pages, all) = (start, 0, [ExportedEntry]())
        repeat {
            let query = ScanQuery(plain: plain ?? self.plain, filter: filter, position: position, count: count)
            let page = try await store.scan(query, at: now)
            #expect(page.entries.count <= count)
            all += page.entries
            position = page.next
            pages += 1
            if position != nil { try await between(pages) }
        } while position != nil
        return all
    }

    @Test func `a filter that takes few looks at a bounded number for each page`() async throws {
        var random = self.random
        let store = try openStore(self.folder.file)
        let vector = random.vector()
        let wanted = [Attribute(name: "beta", value: .boolean(true))]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<10_000 {
                let home = number < 9_000 ? self.plain : partition(user: "\(number % 300)")
                let attributes = number % 2_500 == 0 ? wanted : []
                let entry = try entry("q\(number)", in: home, attributes: attributes)
                group.addTask { _ = try await store.put(entry, embedding: vector, in: home) }
            }
            try await group.waitForAll()
        }
        var pages = 1
        let found = try await self.scan(store, filter: try MetadataFilter("beta"), count: 256) { pages = $0 + 1 }
        #expect(found.count == 4 && pages == 3)
        // Of many partitions too.
        let none = try await self.scan(store, filter: try MetadataFilter("not exists(beta) and beta")) { _ in }
        #expect(none.isEmpty)
    }

    @Test(arguments: [1, 2])
    func `of an older file the vary parts are not known, but of the partition without any`(version: Int) async throws {
        var random = self.random
        var store = try openStore(self.folder.file)
        let named = partition(user: "a")
        for home in [self.plain, named] {
            _ = try await store.put(try entry("q", in: home), embedding: random.vector(), in: home)
        }
        await store.close()
        let queue = try DatabaseQueue(path: self.folder.file)
        try await queue.write { database in
            try database.execute(
                sql: """
                    \(UpgradeTests.withoutDecisions)
                    DROP TABLE vectors;
                    ALTER TABLE entries DROP COLUMN fresh_ms;
                    DROP TABLE versions;
                    DROP INDEX partitions_by_cache;
                    ALTER TABLE partitions DROP COLUMN vary;
                    ALTER TABLE partitions DROP COLUMN context;
                    PRAGMA user_version = 2;
                    """)
            guard version == 1 else { return }
            try database.execute(
                sql: """
                    ALTER TABLE partitions DROP COLUMN scheme;
                    ALTER TABLE partitions DROP COLUMN identity;
                    ALTER TABLE entries DROP COLUMN quota_bytes;
                    PRAGMA user_version = 1;
                    """)
        }
        try queue.close()
        for _ in 0..<2 {
            store = try openStore(self.folder.file)
            let all = try await self.scan(store)
            #expect(all.count == 2)
            for exported in all {
                #expect(exported.vary == (exported.entry.id == (try entry("q", in: self.plain).id) ? [] : nil))
                #expect(exported.context == nil)
            }
            await store.close()
        }
        // What is stored from now on says what it is.
        store = try openStore(self.folder.file)
        let new = partition(user: "b")
        _ = try await store.put(try entry("q", in: new), embedding: random.vector(), in: new)
        #expect(try await self.scan(store).contains { $0.vary == new.vary })
        // So does what was there, once its vary parts are seen again.
        _ = try await store.put(try entry("q2", in: named), embedding: random.vector(), in: named)
        let all = try await self.scan(store)
        #expect(all.count == 4 && all.count { $0.vary == named.vary } == 2)
    }
}
