// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Removing.
extension StoreConformance {
    static let removalBehaviours = [
        Behaviour("ids remove entries of their cache only, in all its partitions") { try await $0.removesIDs() },
        Behaviour("one entry is removed from its partition only") { try await $0.removesEntry() },
        Behaviour("a whole cache goes with all its partitions, and no other cache") { try await $0.removesCache() },
        Behaviour("a dry run counts and removes nothing") { try await $0.dryRunRemovesNothing() },
        Behaviour("expired entries are removed with the others but not counted") { try await $0.removesExpired() },
        Behaviour("a radius removes exactly the live entries of its partition within it") {
            try await $0.removesRadius()
        },
        Behaviour("a radius sees what was put just before it") { try await $0.radiusSeesPuts() },
        Behaviour("pitfall 20: a filter removes all that it takes, in all partitions, however many") {
            try await $0.removesFilter()
        },
        Behaviour("random filters remove what looking at every entry finds") { try await $0.removesRandomFilters() },
        Behaviour("attributes that were replaced are not what a filter goes by") {
            try await $0.filterSeesReplacement()
        },
        Behaviour("pitfall 8: removal by filter and of a tenant stays within its names") {
            try await $0.removalStaysWithin()
        },
        Behaviour("a removed entry can be stored again") { try await $0.removedCanReturn() },
    ]

    private static func vector() -> Embedding {
        var random = SeededGenerator(40)
        return random.vector()
    }

    private func put(
        _ prompt: String, in home: Partition, of store: Store, expires: Int64 = 1000, attributes: [Attribute] = []
    ) async throws -> EntryID {
        let entry = try entry(prompt, in: home, expires: expires, attributes: attributes)
        try await store.put(entry, Self.vector(), in: home)
        return entry.id
    }

    func removesIDs() async throws {
        let (store, home, elsewhere) = (try await self.makeStore(), self.partition(), self.partition(of: "rival"))
        let ids = [
            try await self.put("a", in: home, of: store),
            try await self.put("a", in: self.partition(user: "x"), of: store),
            try await self.put("a", in: elsewhere, of: store),
            try await self.put("a", in: self.partition("other"), of: store), EntryID(high: 1, low: 2),
        ]
        let removed = try await store.remove(.ids(ids + ids, in: home.cache))
        #expect(removed.count == 2 && Set(removed.sample) == Set(ids[..<2]))
        #expect(try await store.contains(ids[2], in: elsewhere))
        #expect(try await store.sizes(of: self.tenant()).caches.map(\.cache) == ["other"])
        #expect(try await store.remove(.ids([], in: home.cache)).count == 0)
    }

    func removesEntry() async throws {
        let (store, home, other) = (try await self.makeStore(), self.partition(), self.partition(user: "x"))
        let id = try await self.put("a", in: home, of: store)
        _ = try await self.put("b", in: other, of: store)
        #expect(try await store.remove(.entry(id, in: other)).count == 0)
        #expect(try await store.remove(.entry(id, in: home)) == RemovalResult(count: 1, sample: [id]))
        #expect(try await store.contains(id, in: home) == false)
        #expect(try await store.remove(.entry(id, in: home)).count == 0)
        #expect(try await store.remove(.entry(id, in: self.partition(user: "nobody"))).count == 0)
        #expect(try await store.sizes(of: self.tenant()).entries == 1)
    }

    func removesCache() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var ids: Set<EntryID> = []
        for position in 0..<60 {
            let part = self.partition(user: position % 3 == 0 ? nil : "\(position % 3)")
            ids.insert(try await self.put("q\(position)", in: part, of: store))
        }
        let other = self.partition("other"), rival = self.partition(of: "rival")
        let kept = [
            (try await self.put("q", in: other, of: store), other),
            (try await self.put("q", in: rival, of: store), rival),
        ]
        let dry = try await store.remove(.cache(home.cache), dryRun: true, at: ms(0))
        #expect(dry.count == 60 && dry.sample.count == Limits.maximumSampleIDs && ids.isSuperset(of: dry.sample))
        let removed = try await store.remove(.cache(home.cache))
        #expect(removed.count == 60 && removed.sample.count == Limits.maximumSampleIDs)
        #expect(Set(removed.sample).count == removed.sample.count && ids.isSuperset(of: removed.sample))
        #expect(try await store.remove(.cache(home.cache)).count == 0)
        #expect(try await store.sizes(of: self.tenant()).caches.map(\.cache) == ["other"])
        for (id, home) in kept { #expect(try await store.contains(id, in: home)) }
        let query = NearestQuery(embedding: Self.vector(), count: 10, threshold: -1)
        let found = try await store.nearest(query, in: home, at: ms(0))
        #expect(found.matches.isEmpty && found.nearestMiss == nil)
    }

    func dryRunRemovesNothing() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        let tagged = [Attribute(name: "tags", value: .strings(["t"]))]
        let id = try await self.put("a", in: home, of: store, attributes: tagged)
        _ = try await self.put("b", in: home, of: store)
        let selectors: [(RemovalSelector, Int)] = [
            (.ids([id], in: home.cache), 1), (.entry(id, in: home), 1),
            (.radius(Self.vector(), similarity: 0.9, in: home), 2),
            (.filter(try MetadataFilter(#"tags contains "t""#), in: home.cache), 1), (.cache(home.cache), 2),
            (.tenant(self.tenant()), 2),
        ]
        for (selector, count) in selectors {
            let dry = try await store.remove(selector, dryRun: true, at: ms(0))
            #expect(dry.count == count && dry.sample.count == count && Set(dry.sample).count == count)
            if count == 1 { #expect(dry.sample == [id]) }
            #expect(try await store.sizes(of: self.tenant()).entries == 2)
        }
    }

    func removesExpired() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        for selector in 0..<6 {
            let live = try await self.put("a", in: home, of: store)
            let expired = try await self.put("b", in: home, of: store, expires: 5)
            let selectors: [RemovalSelector] = [
                .ids([expired, live], in: home.cache), .entry(expired, in: home),
                .radius(Self.vector(), similarity: 0.9, in: home), .cache(home.cache),
                .filter(try MetadataFilter("not exists(a)"), in: home.cache), .tenant(self.tenant()),
            ]
            let removed = try await store.remove(selectors[selector], at: ms(5))
            let expected =
                selector == 1 ? RemovalResult(count: 0, sample: []) : RemovalResult(count: 1, sample: [live])
            #expect(removed == expected)
            // With a clock that goes back it would be there again, had it only been passed over.
            #expect(try await store.contains(expired, in: home) == false)
        }
    }

    func removesRadius() async throws {
        let (store, home, other) = (try await self.makeStore(), self.partition(), self.partition(user: "x"))
        var random = SeededGenerator(43)
        let centre = Self.vector()
        var vectors: [EntryID: Embedding] = [:]
        var entries: [(CacheEntry, Embedding)] = []
        for position in 0..<200 {
            let near = Float.random(in: 0...1, using: &random)
            entries.append((try entry("q\(position)", in: home), random.vector(near: centre, similarity: near)))
            vectors[entries[position].0.id] = entries[position].1
        }
        try await store.put(entries, in: home)
        let outsider = try await self.put("q", in: other, of: store)
        let margin = Double(self.tolerance)
        for radius in [Float(0.8), 0.5, -1] {
            let certain = vectors.filter { similarity($0.value, centre) >= Double(radius) + margin }
            let possible = vectors.filter { similarity($0.value, centre) >= Double(radius) - margin }
            let selector = RemovalSelector.radius(centre, similarity: radius, in: home)
            let dry = try await store.remove(selector, dryRun: true, at: ms(0))
            let removed = try await store.remove(selector)
            #expect(removed.count == dry.count && certain.count > Limits.maximumSampleIDs)
            #expect((certain.count...possible.count).contains(removed.count))
            #expect(removed.sample.count == Limits.maximumSampleIDs)
            #expect(Set(possible.keys).isSuperset(of: removed.sample))
            for id in vectors.keys {
                let isThere = try await store.contains(id, in: home)
                if certain[id] != nil { #expect(!isThere) }
                if possible[id] == nil { #expect(isThere) }
                if !isThere { vectors[id] = nil }
            }
        }
        #expect(vectors.isEmpty)
        #expect(try await store.contains(outsider, in: other))
    }

    func radiusSeesPuts() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<50 {
                group.addTask {
                    let id = try await self.put("q\(round)", in: home, of: store)
                    _ = try await store.remove(.radius(Self.vector(), similarity: 0.9, in: home))
                    #expect(try await store.contains(id, in: home) == false)
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.sizes(of: self.tenant()) == .nothing)
    }

    func removesFilter() async throws {
        let store = try await self.makeStore()
        let homes = [self.partition(), self.partition(user: "a"), self.partition(user: "b")]
        let old = [Attribute(name: "version", value: .number(1))], new = [Attribute(name: "version", value: .number(2))]
        let vector = Self.vector()
        for (number, home) in homes.enumerated() {
            let entries = try (0..<450).map {
                try entry("q \(number) \($0)", in: home, attributes: $0 < 400 ? old : new)
            }
            try await store.put(entries.map { ($0, vector) }, in: home)
        }
        let selector = RemovalSelector.filter(try MetadataFilter("version < 2"), in: homes[0].cache)
        let dry = try await store.remove(selector, dryRun: true, at: ms(0))
        #expect(dry.count == 1200 && dry.sample.count == Limits.maximumSampleIDs)
        #expect(try await store.sizes(of: self.tenant()).entries == 1350)
        let removed = try await store.remove(selector)
        #expect(removed.count == 1200 && removed.sample.count == Limits.maximumSampleIDs)
        #expect(try await store.sizes(of: self.tenant()).entries == 150)
        for home in homes {
            let query = NearestQuery(embedding: vector, count: 100, threshold: 0)
            let found = try await store.nearest(query, in: home, at: ms(0))
            #expect(found.matches.count == 50 && found.matches.allSatisfy { $0.entry.attributes == new })
        }
        #expect(try await store.remove(selector).count == 0)
    }

    func removesRandomFilters() async throws {
        let (store, oracle) = (try await self.makeStore(), MemoryVectorStore())
        let homes = [self.partition(), self.partition(user: "a")]
        var random = SeededGenerator(44)
        for home in homes {
            let entries = try (0..<100).map {
                (try entry("q\($0)", in: home, attributes: random.fewAttributes()), Self.vector())
            }
            try await store.put(entries, in: home)
            try await oracle.put(entries, in: home)
        }
        for round in 0..<60 {
            let filter = try random.fewFilter()
            let selector = RemovalSelector.filter(filter, in: homes[0].cache)
            let expected = try await oracle.remove(selector, dryRun: true, at: ms(0)).count
            #expect(try await store.remove(selector, dryRun: true, at: ms(0)).count == expected, "\(filter.text)")
            guard round % 6 == 0, expected < 60 else { continue }
            _ = try await oracle.remove(selector)
            #expect(try await store.remove(selector).count == expected, "\(filter.text)")
            let left = Set(try await oracle.scanAll(homes[0]).map(\.entry.id))
            #expect(Set(try await store.scanAll(homes[0]).map(\.entry.id)) == left, "\(filter.text)")
        }
    }

    func filterSeesReplacement() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        for lang in ["de", "fr"] {
            let attributes = [Attribute(name: "lang", value: .string(lang))]
            _ = try await self.put("q", in: home, of: store, attributes: attributes)
        }
        for (lang, count) in [("de", 0), ("fr", 1)] {
            let filter = try MetadataFilter("lang == \"\(lang)\"")
            #expect(try await store.remove(.filter(filter, in: home.cache)).count == count)
        }
    }

    /// Names that other caches mix up: as prefixes, as patterns, joined, or in another spelling of a character.
    private static let names = ["tenant1", "tenant10", "a|b", "a", "*", "e\u{301}", "\u{e9}", "acme:x", "acme"]

    func removalStaysWithin() async throws {
        let store = try await self.makeStore()
        let caches = Self.names.flatMap { tenant in Self.names.map { self.cache($0, of: tenant) } }
        let vector = Self.vector()
        for cache in caches {
            let home = Partition(of: cache, embedding: identity, vary: [])
            try await store.put([(entry("q1", in: home), vector), (entry("q2", in: home), vector)], in: home)
        }
        let all = try MetadataFilter("not exists(nothing)")
        var gone: Set<CacheScope> = []
        for name in ["tenant1", "a|b", "*", "e\u{301}", "acme"] {
            let one = self.cache(name, of: name)
            #expect(try await store.remove(.filter(all, in: one)).count == 2)
            gone.insert(one)
            for tenant in Self.names {
                let sizes = try await store.sizes(of: self.tenant(tenant))
                for cache in caches where cache.tenant == self.tenant(tenant) {
                    let size = sizes.caches.first { $0.cache.utf8.elementsEqual(cache.name.utf8) }
                    #expect((size?.entries ?? 0) == (gone.contains(cache) ? 0 : 2))
                }
            }
            #expect(try await store.remove(.tenant(one.tenant), dryRun: true, at: ms(0)).count == 16)
            #expect(try await store.remove(.tenant(one.tenant)).count == 16)
            gone.formUnion(caches.filter { $0.tenant == one.tenant })
            for tenant in Self.names {
                let isGone = gone.contains { $0.tenant == self.tenant(tenant) }
                #expect(try await store.sizes(of: self.tenant(tenant)).entries == (isGone ? 0 : 18))
            }
        }
        #expect(try await store.remove(.tenant(self.tenant("nobody"))).count == 0)
        // What was emptied can come again.
        let home = Partition(of: self.cache("*", of: "*"), embedding: identity, vary: [])
        _ = try await self.put("q1", in: home, of: store)
        #expect(try await store.sizes(of: home.cache.tenant).entries == 1)
    }

    func removedCanReturn() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        for round in 0..<4 {
            let id = try await self.put("a", in: home, of: store)
            #expect(try await store.contains(id, in: home))
            let selector: RemovalSelector = round % 2 == 0 ? .cache(home.cache) : .tenant(self.tenant())
            #expect(try await store.remove(selector).count == 1)
            try await self.sweep?(store, ms(0))
            #expect(try await store.contains(id, in: home) == false)
        }
    }
}
