// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Testing

@Suite struct EmbeddedStoreTests {
    let folder: Folder
    let store: EmbeddedStore
    let home = partition()
    let vector: Embedding
    var random = SeededGenerator(seed: 1)

    init() throws {
        self.folder = try Folder()
        self.store = try openStore(self.folder.file)
        self.vector = self.random.vector()
    }

    @Test func `a sweep says how many it removed, and gives their memory back`() async throws {
        let entry = try entry("q", in: self.home, expires: 500)
        _ = try await self.store.put(entry, embedding: self.vector, in: self.home)
        #expect(self.store.indexBytes > 0)
        #expect(try await self.store.sweep(at: ms(499)) == 0)
        #expect(try await self.store.sweep(at: ms(500)) == 1)
        #expect(try await self.store.sweep(at: ms(500)) == 0)
        #expect(self.store.indexBytes == 0)
    }

    @Test func `a sweep removes more than one step's worth`() async throws {
        for position in 0..<700 {
            _ = try await self.store.put(
                try entry("q\(position)", in: self.home, expires: position < 650 ? 10 : 1000), embedding: self.vector,
                in: self.home)
        }
        #expect(try await self.store.sweep(at: ms(10)) == 650)
        let sizes = try await self.store.sizes(of: self.home.cache.tenant, at: ms(0))
        #expect(sizes.map(\.entries) == [50])
    }

    @Test func `one refused change does not touch the others of its batch`() async throws {
        let answers = await withTaskGroup(of: Bool.self) { group in
            for position in 0..<200 {
                group.addTask {
                    let vector = position % 10 == 3 ? unit([1, 1, 1, 1]) : self.vector
                    guard let entry = try? entry("q\(position)", in: self.home) else { return false }
                    return (try? await self.store.put(entry, embedding: vector, in: self.home)) != nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        // The first one decides the partition's dimension, so either the few are refused or the many.
        let sizes = try await self.store.sizes(of: self.home.cache.tenant, at: ms(0))
        #expect([20, 180].contains(answers))
        #expect(sizes.map(\.entries) == [answers])
    }

    @Test func `a closed store refuses everything`() async throws {
        let entry = try entry("q", in: self.home)
        _ = try await self.store.put(entry, embedding: self.vector, in: self.home)
        await self.store.close()
        await self.store.close()
        let closed = VectorStoreError(.unavailable, "the store is closed")
        await #expect(throws: closed) { try await self.store.entry(entry.id, in: self.home, at: ms(0)) }
        await #expect(throws: closed) { try await self.store.put(entry, embedding: self.vector, in: self.home) }
        await #expect(throws: closed) { try await self.store.sweep(at: ms(0)) }
    }
}
