// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Testing

@Suite struct ConcurrencyTests {
    let folder: Folder
    let store: EmbeddedStore
    let home = partition()

    init() throws {
        self.folder = try Folder()
        self.store = try openStore(self.folder.file, configuration: .init(readerThreads: 3))
    }

    @Test func `every caller sees its own changes, whatever the others do`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<24 {
                group.addTask { try await self.change(as: caller) }
            }
            try await group.waitForAll()
        }
        let sizes = try await self.store.sizes(of: self.home.cache.tenant, at: ms(0))
        #expect(sizes == [])
    }

    func change(as caller: Int) async throws {
        var random = SeededGenerator(seed: UInt64(caller))
        for round in 0..<20 {
            let vector = random.vector()
            let query = NearestQuery(embedding: vector, count: 1, threshold: 0.999)
            let entry = try entry("q\(caller)", in: self.home, response: "\(round)", created: Int64(round))
            #expect(try await self.store.put(entry, embedding: vector, in: self.home) == (round % 3 == 1))
            #expect(try await self.store.entry(entry.id, in: self.home, at: ms(0)) == entry)
            var found = try await self.store.nearest(query, in: self.home, at: ms(0))
            #expect(found.matches.map(\.entry) == [entry])
            if round % 3 == 0 { continue }
            if round % 3 == 1 || round == 19 {
                let selectors: [RemovalSelector] = [
                    .entry(entry.id, in: self.home), .ids([entry.id], in: self.home.cache),
                    .radius(vector, similarity: 0.999, in: self.home),
                ]
                let selector = selectors[round % selectors.count]
                #expect(try await self.store.remove(selector, dryRun: false, at: ms(0)).count == 1)
            } else {
                #expect(
                    try await self.store.remove(.entry(entry.id, in: self.home), dryRun: false, at: ms(0)).count == 1)
            }
            #expect(try await self.store.entry(entry.id, in: self.home, at: ms(0)) == nil)
            found = try await self.store.nearest(query, in: self.home, at: ms(0))
            #expect(found.matches.isEmpty)
        }
    }

    @Test func `an entry that stays is found while nearer ones come and go`() async throws {
        var random = SeededGenerator(seed: 77)
        let vector = random.vector()
        let steady = try entry("steady", in: self.home)
        let second = random.vector(near: vector, similarity: 0.9)
        _ = try await self.store.put(steady, embedding: second, in: self.home)
        let passing = try entry("passing", in: self.home)
        let query = NearestQuery(embedding: vector, count: 1, threshold: 0.8)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for round in 0..<300 {
                    _ = try await self.store.put(passing, embedding: vector, in: self.home)
                    if round % 2 == 0 { continue }
                    _ = try await self.store.remove(.entry(passing.id, in: self.home), dryRun: false, at: ms(0))
                }
            }
            for _ in 0..<6 {
                group.addTask {
                    for _ in 0..<500 {
                        let found = try await self.store.nearest(query, in: self.home, at: ms(0))
                        #expect(found.matches.count == 1)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `changes beyond the queue are refused as overload and the others are kept`() async throws {
        let folder = try Folder()
        let store = try openStore(folder.file, configuration: .init(maximumQueuedBytes: 100_000))
        let entries = try (0..<400).map {
            try entry("q\($0)", in: self.home, response: String(repeating: "x", count: 10_000))
        }
        var random = SeededGenerator(seed: 78)
        let vector = random.vector()
        let stored = await withTaskGroup(of: EntryID?.self) { group in
            for entry in entries {
                group.addTask {
                    do throws(VectorStoreError) {
                        _ = try await store.put(entry, embedding: vector, in: self.home)
                        return entry.id
                    } catch {
                        #expect(error.code == .overloaded)
                        return nil
                    }
                }
            }
            return await group.reduce(into: Set<EntryID>()) { if let id = $1 { $0.insert(id) } }
        }
        for entry in entries {
            let isThere = try await store.entry(entry.id, in: self.home, at: ms(0)) != nil
            #expect(isThere == stored.contains(entry.id))
        }
        #expect(!stored.isEmpty)
    }
}
