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

    @Test func `an entry comes back as it was stored, byte by byte`() async throws {
        let entry = CacheEntry(
            id: EntryID(high: 1, low: .max), prompt: try CanonicalPrompt("Où est l’hôtel? \u{1f3e8}"),
            response: [0, 255, 10, 0], contentType: "a\0b",
            attributes: [
                Attribute(name: "z", value: .string("quote \" slash \\ line \n nul \0 é")),
                Attribute(name: "a", value: .number(-0.1)), Attribute(name: "b", value: .boolean(false)),
                Attribute(name: "tags", value: .strings(["doc-17", "", "ü"])),
            ], usage: Usage(promptTokens: .max, completionTokens: 0, cost: 0.1), createdAt: ms(-5), expiresAt: ms(.max))
        #expect(try await self.store.put(entry, embedding: self.vector, in: self.home) == false)
        #expect(try await self.store.entry(entry.id, in: self.home, at: ms(0)) == entry)
        let query = NearestQuery(embedding: self.vector, count: 1, threshold: 0.99)
        #expect(try await self.store.nearest(query, in: self.home, at: ms(0)).matches.map(\.entry) == [entry])
    }

    @Test func `an entry without prompt, attributes and usage comes back without`() async throws {
        let entry = CacheEntry(
            id: EntryID(high: 0, low: 0), prompt: nil, response: [], contentType: "", attributes: [], usage: nil,
            createdAt: ms(0), expiresAt: ms(10))
        _ = try await self.store.put(entry, embedding: self.vector, in: self.home)
        #expect(try await self.store.entry(entry.id, in: self.home, at: ms(0)) == entry)
    }

    @Test func `storing an id again replaces entry and vector`() async throws {
        var random = self.random
        let other = random.vector(near: self.vector, similarity: 0)
        let first = try entry("q", in: self.home, response: "one")
        let second = try entry("q", in: self.home, response: "two", created: 5)
        #expect(try await self.store.put(first, embedding: self.vector, in: self.home) == false)
        #expect(try await self.store.put(second, embedding: other, in: self.home) == true)
        #expect(try await self.store.entry(first.id, in: self.home, at: ms(0)) == second)
        let old = NearestQuery(embedding: self.vector, count: 1, threshold: 0.9)
        #expect(try await self.store.nearest(old, in: self.home, at: ms(0)).matches.isEmpty)
        let new = NearestQuery(embedding: other, count: 1, threshold: 0.9)
        #expect(try await self.store.nearest(new, in: self.home, at: ms(0)).matches.map(\.entry) == [second])
        let sizes = try await self.store.sizes(of: self.home.cache.tenant, at: ms(0))
        #expect(sizes == [CacheSize(cache: "support", entries: 1, responseBytes: 3)])
    }

    @Test func `what replaces an expired entry replaces nothing`() async throws {
        _ = try await self.store.put(
            try entry("q", in: self.home, expires: 0), embedding: self.vector, in: self.home)
        #expect(
            try await self.store.put(try entry("q", in: self.home), embedding: self.vector, in: self.home) == false)
    }

    @Test func `an entry is there to the last millisecond and gone with its expiry`() async throws {
        let entry = try entry("q", in: self.home, response: "four", expires: 500)
        _ = try await self.store.put(entry, embedding: self.vector, in: self.home)
        let query = NearestQuery(embedding: self.vector, count: 1, threshold: -1)
        for (now, isThere) in [(ms(499), true), (ms(500), false)] {
            #expect(try await self.store.entry(entry.id, in: self.home, at: now) == (isThere ? entry : nil))
            let found = try await self.store.nearest(query, in: self.home, at: now)
            #expect(found.matches.map(\.entry) == (isThere ? [entry] : []))
            #expect(found.nearestMiss == nil)
            let sizes = try await self.store.sizes(of: self.home.cache.tenant, at: now)
            #expect(sizes == (isThere ? [CacheSize(cache: "support", entries: 1, responseBytes: 4)] : []))
        }
        #expect(try await self.store.sweep(at: ms(499)) == 0)
        #expect(try await self.store.sweep(at: ms(500)) == 1)
        #expect(try await self.store.sweep(at: ms(500)) == 0)
        #expect(try await self.store.entry(entry.id, in: self.home, at: ms(0)) == nil)
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

    @Test func `partitions, caches and tenants never meet`() async throws {
        let homes = [
            partition(), partition(user: "a"), partition(user: "b"), partition(cache("other")),
            partition(cache(of: "rival")), partition(cache("support", of: "acme2")),
        ]
        for (position, home) in homes.enumerated() {
            let entry = try entry("q", in: home, response: "\(position)")
            _ = try await self.store.put(entry, embedding: self.vector, in: home)
        }
        let query = NearestQuery(embedding: self.vector, count: 100, threshold: -1)
        for (position, home) in homes.enumerated() {
            let found = try await self.store.nearest(query, in: home, at: ms(0))
            #expect(found.matches.map(\.entry.response) == [Array("\(position)".utf8)])
            for other in homes where other != home {
                let id = other.entryID(of: try CanonicalPrompt("q"))
                #expect(try await self.store.entry(id, in: home, at: ms(0)) == nil)
            }
        }
        let unknown = partition(user: "nobody")
        #expect(try await self.store.nearest(query, in: unknown, at: ms(0)).matches.isEmpty)
        let sizes = try await self.store.sizes(of: homes[0].cache.tenant, at: ms(0))
        #expect(Set(sizes.map { "\($0.cache) \($0.entries)" }) == ["support 3", "other 1"])
    }

    @Test func `a vector of another dimension or length is refused`() async throws {
        _ = try await self.store.put(try entry("q", in: self.home), embedding: self.vector, in: self.home)
        for values in [[Float](repeating: 0.5, count: 4), [Float](repeating: 1, count: dimensions), [.nan], []] {
            await #expect(throws: VectorStoreError.self) {
                try await self.store.put(
                    try entry("r", in: self.home), embedding: Embedding(unitLength: values), in: self.home)
            }
            await #expect(throws: VectorStoreError.self) {
                let query = NearestQuery(embedding: Embedding(unitLength: values), count: 1, threshold: 0)
                return try await self.store.nearest(query, in: self.home, at: ms(0))
            }
        }
        let sizes = try await self.store.sizes(of: self.home.cache.tenant, at: ms(0))
        #expect(sizes.map(\.entries) == [1])
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
