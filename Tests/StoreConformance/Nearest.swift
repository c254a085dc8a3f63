// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Searching by nearness.
extension StoreConformance {
    static let nearestBehaviours = [
        Behaviour("an empty partition has nothing near, and no nearest") { try await $0.nothingIsNear() },
        Behaviour("a nearer entry that is too old does not shadow a fresh one") { try await $0.oldDoesNotShadow() },
        Behaviour("pitfall 5: a nearer entry that is filtered out does not shadow one that is not") {
            try await $0.filteredDoesNotShadow()
        },
        Behaviour("a nearer entry that has expired does not shadow a live one") {
            try await $0.expiredDoesNotShadow()
        },
        Behaviour("a miss says that the nearest was too old") { try await $0.missIsTooOld() },
        Behaviour("a miss says that the nearest was filtered out, whatever is nearer to the others") {
            try await $0.missIsFiltered()
        },
        Behaviour("a miss names the nearest entry below the threshold with its true similarity") {
            try await $0.missIsBelowThreshold()
        },
        Behaviour("of equally similar entries the newer comes first, then the smaller id") {
            try await $0.tiesHaveAnOrder()
        },
        Behaviour("what must be found is found, whatever is told besides") { try await $0.candidatesAreTold() },
        Behaviour("the threshold itself is reached, and no similarity is above 1") {
            try await $0.thresholdIsInclusive()
        },
        Behaviour("random searches find what looking at every vector finds") {
            try await $0.nearestAsByBruteForce(seed: 11, count: 300, searches: 150)
        },
    ]

    private func put(
        _ prompt: String, _ vector: Embedding, created: Int64 = 0, expires: Int64 = 1000,
        attributes: [Attribute] = [], in store: Store
    ) async throws -> EntryID {
        let home = self.partition()
        let entry = try entry(prompt, in: home, created: created, expires: expires, attributes: attributes)
        try await store.put(entry, vector, in: home)
        return entry.id
    }

    func nothingIsNear() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(20)
        let vector = random.vector()
        let query = NearestQuery(
            embedding: vector, count: 3, threshold: -1, filter: try MetadataFilter("not exists(a)"))
        for _ in 0..<2 {
            let found = try await store.nearest(query, in: home, at: ms(0))
            #expect(found.matches.isEmpty && found.nearestMiss == nil && found.refusal == .belowThreshold)
            // The second time it has been there, and is empty again.
            let id = try await self.put("q", vector, in: store)
            _ = try await store.remove(.entry(id, in: home))
        }
    }

    func oldDoesNotShadow() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(21)
        let vector = random.vector()
        for position in 0..<30 { _ = try await self.put("old \(position)", vector, created: 10, in: store) }
        let near = random.vector(near: vector, similarity: 0.9)
        let fresh = try await self.put("fresh", near, created: 20, in: store)
        for (oldest, count) in [(Int64(20), 1), (20, 5)] {
            let query = NearestQuery(embedding: vector, count: count, threshold: 0.8, createdAtOrAfter: ms(oldest))
            let found = try await store.nearest(query, in: home, at: ms(30))
            #expect(found.matches.map(\.entry.id) == [fresh])
            #expect(found.nearestMiss == nil)
        }
        let query = NearestQuery(embedding: vector, count: 1, threshold: 0.8, createdAtOrAfter: ms(10))
        let found = try await store.nearest(query, in: home, at: ms(30))
        #expect(found.matches.count == 1 && found.matches.first?.entry.id != fresh)
    }

    func filteredDoesNotShadow() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(22)
        let vector = random.vector()
        let foreign = [Attribute(name: "lang", value: .string("fr"))]
        for position in 0..<30 { _ = try await self.put("fr \(position)", vector, attributes: foreign, in: store) }
        let own = try await self.put(
            "de", random.vector(near: vector, similarity: 0.9), created: 5,
            attributes: [Attribute(name: "lang", value: .string("de"))], in: store)
        for oldest in [nil, ms(5)] {
            let query = NearestQuery(
                embedding: vector, count: 1, threshold: 0.8, createdAtOrAfter: oldest,
                filter: try MetadataFilter(#"lang == "de""#))
            let found = try await store.nearest(query, in: home, at: ms(30))
            #expect(found.matches.map(\.entry.id) == [own])
        }
    }

    func expiredDoesNotShadow() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(23)
        let vector = random.vector()
        for position in 0..<150 { _ = try await self.put("gone \(position)", vector, expires: 20, in: store) }
        let live = try await self.put("live", random.vector(near: vector, similarity: 0.9), in: store)
        let query = NearestQuery(embedding: vector, count: 1, threshold: 0.8)
        #expect(try await store.nearest(query, in: home, at: ms(20)).matches.map(\.entry.id) == [live])
        // Nor is it the nearest of a miss.
        let strict = NearestQuery(embedding: vector, count: 1, threshold: 0.95)
        let found = try await store.nearest(strict, in: home, at: ms(20))
        #expect(found.matches.isEmpty && found.nearestMiss?.id == live && found.refusal == .belowThreshold)
    }

    func missIsTooOld() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(24)
        let vector = random.vector()
        let old = try await self.put("old", vector, created: 10, in: store)
        let query = NearestQuery(embedding: vector, count: 1, threshold: 0.8, createdAtOrAfter: ms(11))
        let found = try await store.nearest(query, in: home, at: ms(30))
        #expect(found.matches.isEmpty && found.refusal == .tooOld && found.nearestMiss?.id == old)
        if self.isExact { #expect(found.nearestMiss?.isApproximate == false) }
    }

    func missIsFiltered() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(25)
        let vector = random.vector()
        let filtered = try await self.put("near", random.vector(near: vector, similarity: 0.95), in: store)
        _ = try await self.put(
            "nearer than the threshold only", random.vector(near: vector, similarity: 0.85), in: store)
        let taken = try await self.put(
            "far", random.vector(near: vector, similarity: 0.3),
            attributes: [Attribute(name: "a", value: .number(1))], in: store)
        let filter = try MetadataFilter("a == 1")
        let query = NearestQuery(embedding: vector, count: 3, threshold: 0.8, filter: filter)
        var found = try await store.nearest(query, in: home, at: ms(0))
        #expect(found.matches.isEmpty && found.refusal == .filtered && found.nearestMiss?.id == filtered)
        if self.isExact { #expect(found.nearestMiss?.isApproximate == false) }
        let lenient = NearestQuery(embedding: vector, count: 3, threshold: 0, filter: filter)
        found = try await store.nearest(lenient, in: home, at: ms(0))
        #expect(found.matches.map(\.entry.id) == [taken] && found.nearestMiss == nil)
        let strict = NearestQuery(embedding: vector, count: 3, threshold: self.same, filter: filter)
        found = try await store.nearest(strict, in: home, at: ms(0))
        #expect(found.matches.isEmpty && found.refusal == .belowThreshold && found.nearestMiss?.id == filtered)
    }

    func missIsBelowThreshold() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(26)
        let vector = random.vector()
        let near = random.vector(near: vector, similarity: 0.7)
        let id = try await self.put("near", near, in: store)
        let query = NearestQuery(embedding: vector, count: 1, threshold: 0.9)
        let found = try await store.nearest(query, in: home, at: ms(0))
        #expect(found.matches.isEmpty && found.refusal == .belowThreshold)
        let miss = try #require(found.nearestMiss)
        #expect(miss.id == id)
        #expect(abs(miss.similarity - Float(similarity(near, vector))) <= self.tolerance)
    }

    func tiesHaveAnOrder() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(27)
        let vector = random.vector()
        var ids: [(Int64, EntryID)] = []
        for position in 0..<12 {
            let created = Int64(position % 3)
            ids.append((created, try await self.put("q\(position)", vector, created: created, in: store)))
        }
        ids.sort { ($1.0, $0.1.high, $0.1.low) < ($0.0, $1.1.high, $1.1.low) }
        for count in [1, 5, 12] {
            let query = NearestQuery(embedding: vector, count: count, threshold: 0.8)
            let found = try await store.nearest(query, in: home, at: ms(5))
            #expect(found.matches.map(\.entry.id) == ids.prefix(count).map(\.1))
        }
    }

    func candidatesAreTold() async throws {
        let store = try await self.makeStore()
        var random = SeededGenerator(29)
        let vector = random.vector()
        var ids: [EntryID] = []
        for (position, wanted) in [Float(0.97), 0.93, 0.9, 0.7, 0.65, 0.6, 0.3].enumerated() {
            let lang = Attribute(name: "lang", value: .string(position % 2 == 0 ? "de" : "fr"))
            let near = random.vector(near: vector, similarity: wanted)
            ids.append(
                try await self.put("q\(position)", near, created: Int64(position), attributes: [lang], in: store))
        }
        func matches(
            _ count: Int, _ threshold: Float, _ candidates: Int, from least: Float? = nil, oldest: Int64? = nil,
            filter: String? = nil
        ) async throws -> [Int?] {
            let query = NearestQuery(
                embedding: vector, count: count, threshold: threshold, candidates: candidates,
                candidateThreshold: least, createdAtOrAfter: oldest.map(ms),
                filter: try filter.map { try MetadataFilter($0) })
            let found = try await store.nearest(query, in: self.partition(), at: ms(10))
            if found.matches.isEmpty { #expect(found.nearestMiss?.id == ids[0] && found.refusal == .belowThreshold) }
            return found.matches.map { ids.firstIndex(of: $0.entry.id) }
        }
        #expect(try await matches(1, 0.8, 0) == [0])
        #expect(try await matches(1, 0.8, 2) == [0, 1])
        #expect(try await matches(1, 0.8, 9) == [0, 1, 2])
        #expect(try await matches(1, 0.8, 5, from: 0.5) == [0, 1, 2, 3, 4])
        #expect(try await matches(1, 0.95, 9, from: 0.5) == [0, 1, 2, 3, 4, 5])
        #expect(try await matches(3, 0.8, 2, from: 0.5) == [0, 1, 2])
        // What would have to be searched for anew need not be told; here all of it is seen at once.
        #expect(try await matches(1, 0.8, 9, from: 0.5, filter: #"lang == "fr""#) == [1, 3, 5])
        #expect(try await matches(1, 0.95, 9, from: 0.5, oldest: 4) == [4, 5])
        #expect(try await matches(1, 0.95, 9, from: 0.5, oldest: 4, filter: #"lang == "de""#) == [4])
        // A miss is told by what must be found.
        #expect(try await matches(1, 0.98, 9, from: 0.8, oldest: 4) == [])
        #expect(try await matches(1, 0.98, 9, from: 0.95, filter: #"lang == "fr""#) == [])
    }

    func thresholdIsInclusive() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(28)
        for round in 0..<100 {
            let vector = random.vector()
            let stored = round % 2 == 0 ? vector : random.vector(near: vector, similarity: 0.9)
            _ = try await self.put("q", stored, in: store)
            let query = NearestQuery(embedding: vector, count: 1, threshold: 0.8)
            let match = try #require(try await store.nearest(query, in: home, at: ms(0)).matches.first)
            #expect(match.similarity <= 1)
            let equal = NearestQuery(embedding: vector, count: 1, threshold: match.similarity)
            #expect(try await store.nearest(equal, in: home, at: ms(0)).matches.first == match)
            guard match.similarity < 1 else { continue }
            let above = NearestQuery(embedding: vector, count: 1, threshold: match.similarity.nextUp)
            let miss = try await store.nearest(above, in: home, at: ms(0))
            #expect(miss.matches.isEmpty && miss.nearestMiss?.id == match.entry.id)
        }
    }

    /// Random vectors in clusters, with duplicates, of all ages and attributes; random thresholds, counts and filters.
    package func nearestAsByBruteForce(seed: UInt64, count: Int, searches: Int) async throws {
        let (store, home, oracle) = (try await self.makeStore(), self.partition(), MemoryVectorStore())
        var random = SeededGenerator(seed)
        let centres = (0..<6).map { _ in random.vector() }
        var entries: [(CacheEntry, Embedding)] = []
        for position in 0..<count {
            let centre = random.pick(centres)
            let vector =
                random.chance(0.1)
                ? centre : random.vector(near: centre, similarity: Float.random(in: 0.3...0.99, using: &random))
            let entry = try entry(
                "q\(position)", in: home, response: "answer \(random.int(0...40))",
                created: Int64(random.int(0...50)),
                expires: random.chance(0.1) ? 60 : 1000, attributes: random.fewAttributes())
            entries.append((entry, vector))
        }
        try await store.put(entries, in: home)
        try await oracle.put(entries, in: home)
        for _ in 0..<count / 10 {
            let (id, cluster) = (random.pick(entries).0.id, random.pick(entries).0.cluster)
            for one in [store, oracle] { #expect(try await one.assign(cluster, to: id, in: home)) }
        }
        for search in 0..<searches {
            let centre = random.pick(centres)
            let threshold = Float.random(in: 0.2...0.999, using: &random)
            let query = NearestQuery(
                embedding: random.chance(0.3) ? centre : random.vector(near: centre, similarity: 0.8),
                count: random.pick([1, 2, 7, 100]), threshold: threshold, candidates: random.pick([0, 6, 40]),
                candidateThreshold: random.chance(0.5) ? nil : Float.random(in: -0.2...threshold, using: &random),
                createdAtOrAfter: random.chance(0.7) ? nil : ms(Int64(random.int(0...55))),
                filter: random.chance(0.3) ? nil : try random.fewFilter(),
                neighbours: random.pick([0, 1, 8, 30]))
            let expectation = try await NearestExpectation.make(query, in: home, at: ms(60), from: oracle, self)
            let text = query.filter?.text ?? "none"
            expectation.check(
                try await store.nearest(query, in: home, at: ms(60)), "search \(search), filter \(text)")
        }
    }
}
