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

    @Test(arguments: [1, 7, 256])
    func `every live entry of the cache comes once, with its vary parts and context, and no other`(count: Int)
        async throws
    {
        var random = self.random
        let store = try openStore(self.folder.file)
        let context = Fingerprint(.context).finish()
        let other = EmbeddingIdentity(provider: "test", model: "other", dimensions: dimensions, revision: "1")
        let vary = [VaryPart(name: "z\u{301}", value: ""), VaryPart(name: "a\"", value: "x\ny")]
        let homes = [
            self.plain, partition(user: "a"), Partition(of: cache(), embedding: identity, vary: vary),
            Partition(of: cache(), embedding: identity, vary: [], context: context),
            Partition(of: cache(), embedding: identity, vary: vary, context: context),
        ]
        let strangers = [
            partition(cache("support2")), partition(cache(of: "rival")),
            Partition(of: cache(), embedding: other, vary: []),
        ]
        var expected: [EntryID: ExportedEntry] = [:]
        for home in homes + strangers {
            for number in 0..<9 {
                let entry = try entry(
                    "q\(number)", in: home, expires: number == 3 ? 500 : 1000, attributes: random.attributes(),
                    usage: number == 4 ? Usage(promptTokens: 1, completionTokens: 2, cost: 3) : nil)
                _ = try await store.put(entry, embedding: random.vector(), in: home)
                guard homes.contains(home), number != 3 else { continue }
                expected[entry.id] = ExportedEntry(entry: entry, vary: home.vary, context: home.context)
            }
        }
        let all = try await self.scan(store, count: count, at: ms(500))
        #expect(all.count == expected.count && all.allSatisfy { expected[$0.entry.id] == $0 })
        #expect(Set(all.map(\.entry.id)).count == all.count)
        let filter = try MetadataFilter("score >= 0.5 or beta")
        let taken = try await self.scan(store, filter: filter, count: count, at: ms(500))
        #expect(taken == all.filter { filter.matches($0.entry.attributes) })
        #expect(try await self.scan(store, partition(cache("none"))).isEmpty)
    }

    @Test func `what stays comes once, whatever is stored, replaced, removed and restarted in the meantime`()
        async throws
    {
        var random = self.random
        let homes = [self.plain] + (0..<6).map { partition(user: "\($0)") }
        var store = try openStore(self.folder.file)
        var staying: Set<EntryID> = []
        for home in homes {
            for number in 0..<40 {
                let entry = try entry("q\(number)", in: home)
                _ = try await store.put(entry, embedding: random.vector(), in: home)
                if number % 4 != 1 { staying.insert(entry.id) }
            }
        }
        var (position, seen, step) = (ScanPosition?.none, [EntryID](), 0)
        repeat {
            let query = ScanQuery(plain: self.plain, filter: nil, position: position, count: 5)
            let page = try await store.scan(query, at: ms(0))
            seen += page.entries.map(\.entry.id)
            position = page.next
            step += 1
            let home = homes.randomElement(using: &random)!
            for number in 0..<40 where number % 4 != 3 {
                // Another row, and perhaps a number that was used before.
                let entry = try entry("q\(number)", in: home, response: "again \(step)")
                if number % 4 == 1 {
                    _ = try await store.remove(.entry(entry.id, in: home), dryRun: false, at: ms(0))
                } else {
                    _ = try await store.put(entry, embedding: random.vector(), in: home)
                }
            }
            _ = try await store.put(try entry("new \(step)", in: home), embedding: random.vector(), in: home)
            if step % 9 == 0 {
                await store.close()
                store = try openStore(self.folder.file)
            }
        } while position != nil
        #expect(Set(seen).count == seen.count, "an entry came twice")
        #expect(staying.isSubset(of: seen), "an entry was left out")
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

    @Test func `a page of large entries is cut by its bytes, and one larger than a page comes alone`() async throws {
        var random = self.random
        let store = try openStore(self.folder.file)
        for (number, bytes) in [300_000, 300_000, 300_000, 300_000, 2_000_000, 10, 10].enumerated() {
            let entry = try entry(
                "q\(number)", in: self.plain, response: String(repeating: "x", count: bytes))
            _ = try await store.put(entry, embedding: random.vector(), in: self.plain)
        }
        var (position, count) = (ScanPosition?.none, 0)
        repeat {
            let query = ScanQuery(plain: self.plain, filter: nil, position: position, count: 256)
            let page = try await store.scan(query, at: ms(0))
            let bytes = page.entries.reduce(0) { $0 + $1.replyBytes }
            #expect(bytes <= Limits.maximumExportPageBytes || page.entries.count == 1)
            count += page.entries.count
            position = page.next
        } while position != nil
        #expect(count == 7)
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
