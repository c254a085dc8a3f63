// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Testing

@Suite struct RemovalTests {
    let folder: Folder
    let store: EmbeddedStore
    let home = partition()
    let vector: Embedding

    init() throws {
        self.folder = try Folder()
        self.store = try openStore(self.folder.file)
        var random = SeededGenerator(seed: 2)
        self.vector = random.vector()
    }

    func put(_ prompt: String, in partition: Partition, expires: Int64 = 1000) async throws -> EntryID {
        let entry = try entry(prompt, in: partition, expires: expires)
        _ = try await self.store.put(entry, embedding: self.vector, in: partition)
        return entry.id
    }

    func entries(of cache: CacheScope, at now: Timestamp = ms(0)) async throws -> Int {
        let sizes = try await self.store.sizes(of: cache.tenant, at: now)
        return sizes.first { $0.cache == cache.name }?.entries ?? 0
    }

    @Test func `ids remove entries of their cache only, in all its partitions`() async throws {
        let elsewhere = partition(cache(of: "rival"))
        let ids = [
            try await self.put("a", in: self.home), try await self.put("a", in: partition(user: "x")),
            try await self.put("a", in: elsewhere), EntryID(high: 1, low: 2),
        ]
        let removed = try await self.store.remove(.ids(ids + ids, in: self.home.cache), dryRun: false, at: ms(0))
        #expect(removed.count == 2)
        #expect(Set(removed.sample) == Set(ids[..<2]))
        #expect(try await self.entries(of: self.home.cache) == 0)
        #expect(try await self.store.entry(ids[2], in: elsewhere, at: ms(0)) != nil)
    }

    @Test func `one entry is removed from its partition only`() async throws {
        let id = try await self.put("a", in: self.home)
        let other = partition(user: "x")
        _ = try await self.put("b", in: other)
        #expect(try await self.store.remove(.entry(id, in: other), dryRun: false, at: ms(0)).count == 0)
        let removed = try await self.store.remove(.entry(id, in: self.home), dryRun: false, at: ms(0))
        #expect(removed == RemovalResult(count: 1, sample: [id]))
        #expect(try await self.store.entry(id, in: self.home, at: ms(0)) == nil)
        #expect(try await self.store.remove(.entry(id, in: self.home), dryRun: false, at: ms(0)).count == 0)
        let nobody = partition(user: "nobody")
        #expect(try await self.store.remove(.entry(id, in: nobody), dryRun: false, at: ms(0)).count == 0)
    }

    @Test func `a whole cache goes with all its partitions, and no other cache`() async throws {
        var ids: Set<EntryID> = []
        for position in 0..<60 {
            ids.insert(try await self.put("q\(position)", in: partition(user: "\(position % 3)")))
        }
        let elsewhere = [partition(cache("support2")), partition(cache(of: "rival"))]
        for other in elsewhere { _ = try await self.put("a", in: other) }
        let dry = try await self.store.remove(.cache(self.home.cache), dryRun: true, at: ms(0))
        #expect(dry.count == 60)
        #expect(dry.sample.count == Limits.maximumSampleIDs && ids.isSuperset(of: dry.sample))
        #expect(try await self.entries(of: self.home.cache) == 60)
        #expect(try await self.store.remove(.cache(self.home.cache), dryRun: false, at: ms(0)).count == 60)
        #expect(try await self.entries(of: self.home.cache) == 0)
        for other in elsewhere { #expect(try await self.entries(of: other.cache) == 1) }
        let query = NearestQuery(embedding: self.vector, count: 100, threshold: -1)
        #expect(try await self.store.nearest(query, in: partition(user: "0"), at: ms(0)).matches.isEmpty)
    }

    @Test func `a dry run counts and samples but removes nothing`() async throws {
        let id = try await self.put("a", in: self.home)
        let selectors: [RemovalSelector] = [
            .ids([id], in: self.home.cache), .entry(id, in: self.home),
            .radius(self.vector, similarity: 0.9, in: self.home), .cache(self.home.cache),
            .filter(try MetadataFilter("not exists(a)"), in: self.home.cache), .tenant(self.home.cache.tenant),
        ]
        for selector in selectors {
            let result = try await self.store.remove(selector, dryRun: true, at: ms(0))
            #expect(result == RemovalResult(count: 1, sample: [id]))
            #expect(try await self.store.entry(id, in: self.home, at: ms(0)) != nil)
        }
    }

    @Test(arguments: 0..<6)
    func `expired entries are removed with the others but not counted`(selector: Int) async throws {
        let live = try await self.put("a", in: self.home)
        let expired = try await self.put("b", in: self.home, expires: 5)
        let selectors: [RemovalSelector] = [
            .ids([expired, live], in: self.home.cache), .entry(expired, in: self.home),
            .radius(self.vector, similarity: 0.9, in: self.home), .cache(self.home.cache),
            .filter(try MetadataFilter("not exists(a)"), in: self.home.cache), .tenant(self.home.cache.tenant),
        ]
        let removed = try await self.store.remove(selectors[selector], dryRun: false, at: ms(5))
        #expect(
            removed == (selector == 1 ? RemovalResult(count: 0, sample: []) : RemovalResult(count: 1, sample: [live])))
        // With a clock that goes back it would be there again, had it only been passed over.
        #expect(try await self.store.entry(expired, in: self.home, at: ms(0)) == nil)
    }

    @Test func `a radius removes exactly the live entries of its partition within it`() async throws {
        var random = SeededGenerator(seed: 3)
        var vectors: [EntryID: Embedding] = [:]
        for position in 0..<400 {
            let near = Float.random(in: 0...1, using: &random)
            let vector = random.vector(near: self.vector, similarity: near)
            let entry = try entry("q\(position)", in: self.home)
            vectors[entry.id] = vector
            _ = try await self.store.put(entry, embedding: vector, in: self.home)
        }
        let other = partition(user: "x")
        let outsider = try await self.put("q", in: other)
        for radius in [Float(0.9), 0.6, -1] {
            let within = Set(vectors.filter { similarity($0.value, self.vector) >= Double(radius) }.keys)
            let selector = RemovalSelector.radius(self.vector, similarity: radius, in: self.home)
            let removed = try await self.store.remove(selector, dryRun: false, at: ms(0))
            #expect(removed.count == within.count && within.count > Limits.maximumSampleIDs)
            #expect(removed.sample.count == Limits.maximumSampleIDs && within.isSuperset(of: removed.sample))
            for id in vectors.keys {
                let isThere = try await self.store.entry(id, in: self.home, at: ms(0)) != nil
                #expect(isThere != within.contains(id))
            }
            vectors = vectors.filter { !within.contains($0.key) }
        }
        #expect(try await self.store.entry(outsider, in: other, at: ms(0)) != nil)
    }

    @Test func `a radius sees what was put just before it`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<50 {
                let entry = try entry("q\(round)", in: self.home)
                group.addTask {
                    _ = try await self.store.put(entry, embedding: self.vector, in: self.home)
                    let selector = RemovalSelector.radius(self.vector, similarity: 0.9, in: self.home)
                    _ = try await self.store.remove(selector, dryRun: false, at: ms(0))
                    #expect(try await self.store.entry(entry.id, in: self.home, at: ms(0)) == nil)
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `a removed entry can be stored again`() async throws {
        for _ in 0..<3 {
            let id = try await self.put("a", in: self.home)
            #expect(try await self.store.entry(id, in: self.home, at: ms(0)) != nil)
            #expect(try await self.store.remove(.cache(self.home.cache), dryRun: false, at: ms(0)).count == 1)
            #expect(try await self.store.sweep(at: ms(0)) == 0)
            #expect(try await self.store.entry(id, in: self.home, at: ms(0)) == nil)
        }
    }
}
