// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB
import Synchronization
import Testing

@testable import EmbeddedStore

/// How much of the file a search reads.
@Suite struct RowsReadTests {
    let folder: Folder
    let home = partition()

    init() throws { self.folder = try Folder() }

    private final class Count: Sendable {
        private let number = Mutex(0)

        func note(_ statement: String) {
            if statement.contains("vector FROM entries") { self.number.withLock { $0 += 1 } }
        }

        func take() -> Int {
            self.number.withLock { number in
                defer { number = 0 }
                return number
            }
        }
    }

    @Test func `of many entries near enough only those are read that age and filter take`() async throws {
        var random = SeededGenerator(seed: 71)
        let asked = random.vector()
        let store = try openStore(self.folder.file)
        let lang = { (text: String) in [Attribute(name: "lang", value: .string(text))] }
        var ids: [EntryID] = []
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<3_000 {
                let isFresh = number % 1_000 == 7
                let entry = try entry(
                    "q\(number)", in: self.home, created: isFresh ? 50 : 0,
                    attributes: lang(number % 1_000 == 8 ? "de" : "fr"))
                if isFresh { ids.append(entry.id) }
                let near = isFresh ? 0.6 - Float(number) / 100_000 : Float.random(in: 0.65...0.8, using: &random)
                let vector = Embedding(
                    unitLength: VectorKind.vector(at: near, from: asked.values, generator: &random))
                group.addTask { _ = try await store.put(entry, embedding: vector, in: self.home) }
            }
            try await group.waitForAll()
        }
        await store.close()
        let file = try DatabaseFile(path: self.folder.file, readers: 1, maximumBytes: nil)
        defer { try? file.close() }
        let catalogue = try Loading.run(file).tables.catalogue
        let partition = try #require(catalogue.partition(self.home.key))
        let count = Count()
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            database.trace(options: .statement) { count.note("\($0)") }
        }
        let pool = try DatabasePool(path: self.folder.file, configuration: configuration)
        defer { try? pool.close() }
        func found(_ candidates: Int, oldest: Int64? = nil, filter: String? = nil) throws -> [EntryID] {
            let query = NearestQuery(
                embedding: asked, count: 1, threshold: 0.85, candidates: candidates, candidateThreshold: 0.5,
                createdAtOrAfter: oldest.map(ms), filter: try filter.map { try MetadataFilter($0) })
            let search = NearestSearch(
                query: query, partition: partition, now: ms(60), catalogue: catalogue, pool: pool)
            return try search.run().matches.map(\.entry.id)
        }
        #expect(try found(6, oldest: 10) == ids)
        #expect(count.take() == 3)
        #expect(try found(1, oldest: 10) == Array(ids.prefix(1)))
        #expect((1...3).contains(count.take()))
        #expect(try found(6, filter: #"lang == "de""#).count == 3)
        #expect(count.take() == 3)
        // One of those that are too old explains a miss.
        #expect(try found(6, oldest: 51).isEmpty)
        #expect(count.take() < 100)
    }
}
