// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Testing

@Suite struct NearestTests {
    let folder: Folder
    let store: EmbeddedStore
    let home = partition()
    let vector: Embedding
    var random = SeededGenerator(seed: 4)

    init() throws {
        self.folder = try Folder()
        self.store = try openStore(self.folder.file)
        self.vector = self.random.vector()
    }

    func put(
        _ prompt: String, _ vector: Embedding, created: Int64 = 0, attributes: [Attribute] = []
    ) async throws -> EntryID {
        let entry = try entry(prompt, in: self.home, created: created, attributes: attributes)
        _ = try await self.store.put(entry, embedding: vector, in: self.home)
        return entry.id
    }

    @Test func `a nearer entry that is too old does not shadow a fresh one`() async throws {
        var random = self.random
        for position in 0..<30 { _ = try await self.put("old \(position)", self.vector, created: 10) }
        let fresh = try await self.put("fresh", random.vector(near: self.vector, similarity: 0.95), created: 20)
        var query = NearestQuery(embedding: self.vector, count: 1, threshold: 0.8, createdAtOrAfter: ms(20))
        var found = try await self.store.nearest(query, in: self.home, at: ms(30))
        #expect(found.matches.map(\.entry.id) == [fresh])
        #expect(found.nearestMiss == nil)
        query = NearestQuery(embedding: self.vector, count: 1, threshold: 0.8, createdAtOrAfter: ms(10))
        found = try await self.store.nearest(query, in: self.home, at: ms(30))
        #expect(found.matches.count == 1 && found.matches.first?.entry.id != fresh)
    }

    @Test func `a miss says that the nearest was too old`() async throws {
        let old = try await self.put("old", self.vector, created: 10)
        let query = NearestQuery(embedding: self.vector, count: 1, threshold: 0.8, createdAtOrAfter: ms(11))
        let found = try await self.store.nearest(query, in: self.home, at: ms(30))
        #expect(found.matches.isEmpty && found.refusal == .tooOld)
        #expect(found.nearestMiss?.id == old && found.nearestMiss?.isApproximate == false)
    }

    @Test func `pitfall 5: a nearer entry that is filtered out does not shadow one that is not`() async throws {
        var random = self.random
        let foreign = [Attribute(name: "lang", value: .string("fr"))]
        for position in 0..<30 { _ = try await self.put("fr \(position)", self.vector, attributes: foreign) }
        let own = try await self.put(
            "de", random.vector(near: self.vector, similarity: 0.9), created: 5,
            attributes: [Attribute(name: "lang", value: .string("de"))])
        for oldest in [nil, ms(5)] {
            let query = NearestQuery(
                embedding: self.vector, count: 1, threshold: 0.8, createdAtOrAfter: oldest,
                filter: try MetadataFilter(#"lang == "de""#))
            let found = try await self.store.nearest(query, in: self.home, at: ms(30))
            #expect(found.matches.map(\.entry.id) == [own])
        }
    }

    @Test func `a miss says that the nearest was filtered out, whatever is nearer to the others`() async throws {
        var random = self.random
        let filtered = try await self.put("near", random.vector(near: self.vector, similarity: 0.95))
        _ = try await self.put("nearer than the threshold only", random.vector(near: self.vector, similarity: 0.85))
        let taken = try await self.put(
            "far", random.vector(near: self.vector, similarity: 0.3), attributes: [.init(name: "a", value: .number(1))])
        let filter = try MetadataFilter("a == 1")
        let query = NearestQuery(embedding: self.vector, count: 3, threshold: 0.8, filter: filter)
        var found = try await self.store.nearest(query, in: self.home, at: ms(0))
        #expect(found.matches.isEmpty && found.refusal == .filtered)
        #expect(found.nearestMiss?.id == filtered && found.nearestMiss?.isApproximate == false)
        let lenient = NearestQuery(embedding: self.vector, count: 3, threshold: 0, filter: filter)
        found = try await self.store.nearest(lenient, in: self.home, at: ms(0))
        #expect(found.matches.map(\.entry.id) == [taken] && found.nearestMiss == nil)
        let strict = NearestQuery(embedding: self.vector, count: 3, threshold: 0.999, filter: filter)
        found = try await self.store.nearest(strict, in: self.home, at: ms(0))
        #expect(found.matches.isEmpty && found.refusal == .belowThreshold)
        #expect(found.nearestMiss?.id == filtered)
    }

    @Test func `a miss names the nearest entry below the threshold with its true similarity`() async throws {
        var random = self.random
        let near = random.vector(near: self.vector, similarity: 0.7)
        let id = try await self.put("near", near)
        let query = NearestQuery(embedding: self.vector, count: 1, threshold: 0.9)
        let found = try await self.store.nearest(query, in: self.home, at: ms(0))
        #expect(found.matches.isEmpty && found.refusal == .belowThreshold)
        let miss = try #require(found.nearestMiss)
        #expect(miss.id == id)
        #expect(abs(Double(miss.similarity) - similarity(near, self.vector)) < 1e-6)
    }

    @Test func `of equally similar entries the newer comes first, then the smaller id`() async throws {
        var ids: [(Int64, EntryID)] = []
        for position in 0..<12 {
            let created = Int64(position % 3)
            ids.append((created, try await self.put("q\(position)", self.vector, created: created)))
        }
        ids.sort { ($1.0, $0.1.high, $0.1.low) < ($0.0, $1.1.high, $1.1.low) }
        for count in [1, 5, 12] {
            let query = NearestQuery(embedding: self.vector, count: count, threshold: 0.8)
            let found = try await self.store.nearest(query, in: self.home, at: ms(0))
            #expect(found.matches.map(\.entry.id) == ids.prefix(count).map(\.1))
        }
    }

    @Test func `similarity never leaves its range`() async throws {
        var random = self.random
        for _ in 0..<200 {
            let vector = random.vector()
            let entry = try entry("q", in: self.home)
            _ = try await self.store.put(entry, embedding: vector, in: self.home)
            let query = NearestQuery(embedding: vector, count: 1, threshold: 0.99999)
            let match = try #require(try await self.store.nearest(query, in: self.home, at: ms(0)).matches.first)
            #expect(match.similarity <= 1)
        }
    }
}
