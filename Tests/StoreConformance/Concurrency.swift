// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Many callers at once.
extension StoreConformance {
    static let concurrencyBehaviours = [
        Behaviour("every caller sees its own changes, whatever the others do") { try await $0.everyCallerSeesItsOwn() },
        Behaviour("an entry that stays is found while nearer ones come and go") { try await $0.steadyIsFound() },
        Behaviour("nothing that many callers store at once is lost, and the counts add up") {
            try await $0.nothingIsLost()
        },
        Behaviour("of many that store one entry, one is new and the last one stays whole") {
            try await $0.oneEntryStaysWhole()
        },
        Behaviour("one refused change does not touch the others at the same time", needsOnePlace: true) {
            try await $0.refusalTouchesNoOther()
        },
    ]

    func everyCallerSeesItsOwn() async throws {
        let store = try await self.makeStore()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<24 { group.addTask { try await self.change(as: caller, in: store) } }
            try await group.waitForAll()
        }
        #expect(try await store.sizes(of: self.tenant()) == .nothing)
    }

    private func change(as caller: Int, in store: Store) async throws {
        let home = self.partition()
        var random = SeededGenerator(UInt64(caller))
        for round in 0..<20 {
            let vector = random.vector()
            let query = NearestQuery(embedding: vector, count: 1, threshold: self.same)
            let entry = try entry("q\(caller)", in: home, response: "\(round)", created: Int64(round))
            #expect(try await store.put(entry, vector, in: home) == (round % 3 == 1))
            #expect(try await store.entry(entry.id, in: home, at: ms(0)) == entry)
            var found = try await store.nearest(query, in: home, at: ms(0))
            #expect(found.matches.map(\.entry) == [entry])
            if round % 3 == 0 { continue }
            let selectors: [RemovalSelector] = [
                .entry(entry.id, in: home), .ids([entry.id], in: home.cache),
                .radius(vector, similarity: self.same, in: home),
            ]
            let selector = round % 3 == 1 ? selectors[round % selectors.count] : selectors[0]
            #expect(try await store.remove(random.pick([selector] + selectors)).count == 1)
            #expect(try await store.contains(entry.id, in: home) == false)
            found = try await store.nearest(query, in: home, at: ms(0))
            #expect(found.matches.isEmpty)
        }
    }

    func steadyIsFound() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(77)
        let vector = random.vector()
        let steady = try entry("steady", in: home)
        try await store.put(steady, random.vector(near: vector, similarity: 0.9), in: home)
        let passing = try entry("passing", in: home)
        let query = NearestQuery(embedding: vector, count: 1, threshold: 0.8)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for round in 0..<200 {
                    try await store.put(passing, vector, in: home)
                    if round % 2 == 0 { continue }
                    _ = try await store.remove(.entry(passing.id, in: home))
                }
            }
            for _ in 0..<6 {
                group.addTask {
                    for _ in 0..<300 {
                        let found = try await store.nearest(query, in: home, at: ms(0))
                        #expect(found.matches.count == 1)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    func nothingIsLost() async throws {
        let store = try await self.makeStore()
        let homes = [self.partition(), self.partition(user: "a"), self.partition("other")]
        var random = SeededGenerator(78)
        let vector = random.vector()
        // Each writer stores 20, of which it takes the first five away again.
        let bytes = try await withThrowingTaskGroup(of: Int.self) { group in
            for writer in 0..<15 {
                let home = homes[writer % 3]
                group.addTask {
                    var bytes = 0
                    for number in 0..<20 {
                        let entry = try entry("q\(writer) \(number)", in: home)
                        #expect(try await store.put(entry, vector, in: home) == false)
                        if number >= 5 { bytes += entry.quotaBytes(dimensions: dimensions) }
                    }
                    let ids = try (0..<5).map { try entry("q\(writer) \($0)", in: home).id }
                    #expect(try await store.remove(.ids(ids, in: home.cache)).count == 5)
                    return bytes
                }
            }
            return try await group.reduce(0, +)
        }
        let size = try await store.sizes(of: self.tenant())
        #expect(size.entries == 225 && size.bytes == bytes && size.orphanedEntries == 0)
        #expect(size.caches.map(\.entries) == [75, 150])
        let all = try await store.scanAll(homes[0])
        #expect(all.count == 150 && Set(all.map(\.entry.id)).count == 150)
        #expect(try await store.remove(.tenant(self.tenant())).count == 225)
    }

    func oneEntryStaysWhole() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        let vectors = (0..<40).map { seed in
            var random = SeededGenerator(UInt64(seed))
            return random.vector()
        }
        let replacements = try await withThrowingTaskGroup(of: Bool.self) { group in
            for (number, vector) in vectors.enumerated() {
                let entry = try entry("q", in: home, response: "\(number)")
                group.addTask { try await store.put(entry, vector, in: home) }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(replacements == 39)
        let last = try #require(try await store.entry(try entry("q", in: home).id, in: home, at: ms(0)))
        let number = try #require(Int(String(decoding: last.response, as: UTF8.self)))
        // Its vector is that of the same put.
        let query = NearestQuery(embedding: vectors[number], count: 5, threshold: self.same)
        #expect(try await store.nearest(query, in: home, at: ms(0)).matches.map(\.entry) == [last])
        #expect(try await store.sizes(of: self.tenant()).entries == 1)
    }

    func refusalTouchesNoOther() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(79)
        let vector = random.vector()
        try await store.put(try entry("first", in: home), vector, in: home)
        let stored = try await withThrowingTaskGroup(of: Bool.self) { group in
            for position in 0..<100 {
                let entry = try entry("q\(position)", in: home)
                group.addTask {
                    let vector = position % 10 == 3 ? unit([1, 1, 1, 1]) : vector
                    return (try? await store.put(entry, vector, in: home)) != nil
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(stored == 90)
        #expect(try await store.sizes(of: self.tenant()).entries == 91)
    }
}
