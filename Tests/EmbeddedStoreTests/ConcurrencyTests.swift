// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Testing

@Suite struct ConcurrencyTests {
    let home = partition()

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
