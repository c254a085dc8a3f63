// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import GRDB
import TestSupport
import Testing

/// What the file keeps of decisions.
@Suite struct DecisionTests {
    let folder: Folder
    let home = partition()

    init() throws { self.folder = try Folder() }

    private func change(_ sql: String) throws {
        let queue = try DatabaseQueue(path: self.folder.file)
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try queue.close()
    }

    private func count(_ table: String) throws -> Int? {
        let queue = try DatabaseQueue(path: self.folder.file)
        defer { try? queue.close() }
        return try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") }
    }

    private func pair(_ question: UInt64, _ entry: UInt64) -> BlockedPair {
        BlockedPair(
            question: EntryID(high: 0, low: question), entry: EntryID(high: 1, low: entry),
            cluster: AnswerCluster(high: 2, low: entry))
    }

    @Test func `a file of version 6 is brought up: what it has is in the clusters of its responses`() async throws {
        var random = SeededGenerator(seed: 51)
        var store = try openStore(self.folder.file)
        var entries: [CacheEntry] = []
        for (position, length) in [0, 3, 9000, 300_000].enumerated() {
            let entry = try entry(
                "q\(position)", in: self.home, response: String(repeating: "\(position)", count: length))
            _ = try await store.put(entry, embedding: random.vector(), in: self.home)
            entries.append(entry)
        }
        await store.close()
        try self.change("\(UpgradeTests.withoutDecisions) PRAGMA user_version = 6")
        // The second time it is as it was left.
        for round in 0..<2 {
            store = try openStore(self.folder.file)
            let query = NearestQuery(embedding: random.vector(), count: 1, threshold: 1, neighbours: 10)
            let neighbours = try await store.nearest(query, in: self.home, at: ms(0)).neighbours
            #expect(neighbours.count == 4)
            for entry in entries {
                #expect(try await store.entry(entry.id, in: self.home, at: ms(0)) == entry)
                #expect(neighbours.contains { $0.id == entry.id && $0.cluster == AnswerCluster(of: entry.response) })
            }
            #expect(try await store.append([[1]], to: self.home.cache) == UInt64(round) + 1)
            await store.close()
        }
        #expect(try self.count("pragma_user_version WHERE user_version = 7") == 1)
    }

    @Test func `clusters go with their entries, however they go`() async throws {
        var random = SeededGenerator(seed: 52)
        let store = try openStore(self.folder.file)
        var ids: [EntryID] = []
        for position in 0..<40 {
            let home = position % 4 == 0 ? partition(user: "a") : self.home
            let entry = try entry("q\(position)", in: home, expires: position % 5 == 0 ? 10 : 1000)
            // Twice: the second takes the place of the first.
            for _ in 0..<2 { _ = try await store.put(entry, embedding: random.vector(), in: home) }
            ids.append(entry.id)
        }
        let quota = StoreQuota(entries: 30, bytes: nil)
        let last = try entry("last", in: self.home)
        _ = try await store.put(last, embedding: random.vector(), in: self.home, quota: quota)
        _ = try await store.sweep(at: ms(10))
        _ = try await store.remove(.ids(Array(ids.prefix(3)), in: self.home.cache), dryRun: false, at: ms(0))
        _ = try await store.remove(.entry(last.id, in: self.home), dryRun: false, at: ms(0))
        let left = try await store.sizes(of: self.home.cache.tenant, identities: [], at: ms(0)).entries
        await store.close()
        #expect(try self.count("entries") == left && left > 10)
        #expect(try self.count("clusters JOIN entries USING (row)") == left)
        #expect(try self.count("clusters") == left)
        let again = try openStore(self.folder.file)
        _ = try await again.remove(.cache(self.home.cache), dryRun: false, at: ms(0))
        await again.close()
        #expect(try self.count("clusters") == 0 && self.count("entries") == 0)
    }

    @Test func `a cache has no more blocked questions than the limit, another has its own`() async throws {
        var configuration = EmbeddedStore.Configuration()
        configuration.maximumBlockedQuestions = 3
        for round in 0..<2 as Range<UInt64> {
            let store = try openStore(self.folder.file, configuration: configuration)
            for question in 0..<3 as Range<UInt64> {
                try await store.block(self.pair(question, round), in: self.home, by: .now + .seconds(9))
            }
            for _ in 0..<2 {
                let fault = await #expect(throws: VectorStoreError.self) {
                    try await store.block(self.pair(9, 0), in: self.home, by: .now + .seconds(9))
                }
                #expect(fault?.code == .overQuota && fault?.message.contains("3 questions") == true)
            }
            #expect(try await store.blocks(of: self.pair(9, 0).question, in: self.home).isEmpty)
            try await store.block(self.pair(9, round), in: partition(cache("other")), by: .now + .seconds(9))
            #expect(
                try await store.blocks(of: self.pair(2, 0).question, in: self.home)
                    == (0...round).map { self.pair(2, $0) })
            await store.close()
        }
    }

    @Test func `a Store that fails alone leaves the entry that it would have replaced as it was`() async throws {
        var random = SeededGenerator(seed: 53)
        var store = try openStore(self.folder.file)
        let (vector, cluster) = (random.vector(), AnswerCluster(high: 7, low: 7))
        let old = try entry("q", in: self.home, response: "old")
        _ = try await store.put(old, embedding: vector, in: self.home)
        #expect(try await store.assign(cluster, to: old.id, in: self.home))
        try self.change(
            """
            CREATE TRIGGER refusal BEFORE INSERT ON entries WHEN NEW.created_ms = 5
                BEGIN SELECT RAISE(ABORT, 'no'); END
            """)
        let new = try entry("q", in: self.home, response: "new", created: 5)
        await #expect(throws: VectorStoreError.self) {
            try await store.put(new, embedding: vector, in: self.home)
        }
        for _ in 0..<2 {
            #expect(try await store.entry(old.id, in: self.home, at: ms(0)) == old.inCluster(cluster))
            let query = NearestQuery(embedding: vector, count: 1, threshold: 0.9, neighbours: 1)
            #expect(try await store.nearest(query, in: self.home, at: ms(0)).neighbours.map(\.cluster) == [cluster])
            await store.close()
            #expect(try self.count("clusters") == 1)
            store = try openStore(self.folder.file)
        }
    }

    @Test func `a row without a cluster is in that of its response`() async throws {
        var random = SeededGenerator(seed: 54)
        var store = try openStore(self.folder.file)
        let vector = random.vector()
        let entries = try ["", String(repeating: "so ", count: 30_000)].enumerated().map { position, response in
            try entry("q\(position)", in: self.home, response: response)
        }
        for entry in entries { _ = try await store.put(entry, embedding: vector, in: self.home) }
        await store.close()
        try self.change("DELETE FROM clusters")
        for _ in 0..<2 {
            store = try openStore(self.folder.file)
            let query = NearestQuery(embedding: vector, count: 1, threshold: 0.9, neighbours: 5)
            let neighbours = try await store.nearest(query, in: self.home, at: ms(0)).neighbours
            #expect(Set(neighbours.map(\.cluster)) == Set(entries.map { AnswerCluster(of: $0.response) }))
            for entry in entries {
                #expect(try await store.entry(entry.id, in: self.home, at: ms(0)) == entry)
            }
            await store.close()
        }
        store = try openStore(self.folder.file)
        #expect(try await store.assign(AnswerCluster(high: 1, low: 1), to: entries[0].id, in: self.home))
        await store.close()
        #expect(try self.count("clusters") == 1)
    }

    @Test func `blocks that cannot be are a fault of their own`() async throws {
        let store = try openStore(self.folder.file)
        try await store.block(self.pair(1, 1), in: self.home, by: .now + .seconds(9))
        try self.change("UPDATE blocked_questions SET pairs = x'0102'")
        var fault = try await #require(throws: VectorStoreError.self) {
            try await store.blocks(of: self.pair(1, 1).question, in: self.home)
        }
        #expect(fault.code == .corrupt)
        fault = try await #require(throws: VectorStoreError.self) {
            try await store.block(self.pair(1, 2), in: self.home, by: .now + .seconds(9))
        }
        #expect(fault.code == .corrupt)
        try await store.block(self.pair(2, 2), in: self.home, by: .now + .seconds(9))
    }

    @Test(arguments: [Int64.max, .max - 1, .min, -1])
    func `a number of records that cannot be is a fault and no trap`(last: Int64) async throws {
        let store = try openStore(self.folder.file)
        #expect(try await store.append([[1]], to: self.home.cache) == 1)
        try self.change("UPDATE decision_logs SET last = \(last)")
        var fault = try await #require(throws: VectorStoreError.self) {
            try await store.append([[2], [3]], to: self.home.cache)
        }
        #expect(fault.code == .corrupt)
        fault = try await #require(throws: VectorStoreError.self) {
            try await store.records(of: self.home.cache, after: 0)
        }
        #expect(fault.code == .corrupt)
        #expect(try await store.append([[4]], to: cache("other")) == 1)
    }
}
