// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Random operations, against a store that looks at every entry.
extension StoreConformance {
    static let sequenceBehaviours = [
        Behaviour("any sequence of operations leaves what a dictionary would hold") {
            try await $0.behavesAsDictionary(seed: 1, rounds: 700)
        },
        Behaviour("a small tenant's entries go exactly in the order of their last use", needsOnePlace: true) {
            try await $0.evictsInOrderOfUse(seed: 1, rounds: 400)
        },
    ]

    /// - Parameter rounds: Of which about half are puts.
    package func behavesAsDictionary(seed: UInt64, rounds: Int) async throws {
        var world = try await World(seed: seed, self)
        for _ in 0..<rounds {
            switch world.random.int(0...99) {
            case 0: try await world.reopen()
            case 1: try await world.sweep()
            case 2..<8: world.now = ms(world.now.milliseconds + Int64(world.random.int(0...20)))
            case 8..<14: try await world.remove()
            case 14..<60: try await world.put()
            default: try await world.check()
            }
        }
        try await world.reopen()
        for _ in 0..<50 { try await world.check() }
    }

    private struct World {
        let conformance: StoreConformance
        var store: Store
        let oracle = MemoryVectorStore()
        var random: SeededGenerator
        var now = ms(0)
        /// Of the store and of the oracle, when a cache was checked last.
        var versions: [CacheScope: (own: CacheVersion, counted: CacheVersion)] = [:]
        let centres: [Embedding]
        let homes: [Partition]
        /// All that were ever stored.
        var vectors: [Partition: [Embedding]] = [:]

        init(seed: UInt64, _ conformance: StoreConformance) async throws {
            self.conformance = conformance
            self.homes = conformance.homes
            self.store = try await conformance.makeStore()
            var random = SeededGenerator(seed)
            self.centres = (0..<4).map { _ in random.vector() }
            self.random = random
        }

        mutating func vector() -> Embedding {
            let centre = self.random.pick(self.centres)
            // Now and then exactly a centre, so that there are ties.
            if self.random.int(0...7) == 0 { return centre }
            return self.random.vector(near: centre, similarity: Float.random(in: 0.6...0.99, using: &self.random))
        }

        mutating func prompt() -> String { "q\(self.random.int(0...149))" }

        mutating func put() async throws {
            let (home, prompt, vector) = (self.random.pick(self.homes), self.prompt(), self.vector())
            let response = String(repeating: "x", count: self.random.int(1...6000))
            let entry = try entry(
                prompt, in: home, response: response, created: self.now.milliseconds,
                expires: self.now.milliseconds + Int64(self.random.int(0...400)),
                attributes: self.random.fewAttributes())
            let (store, oracle) = (self.store, self.oracle)
            self.vectors[home, default: []].append(vector)
            let expected = try await oracle.put(entry, vector, in: home)
            #expect(try await store.put(entry, vector, in: home) == expected)
        }

        mutating func selector() throws -> RemovalSelector {
            let home = self.random.pick(self.homes)
            let id = home.entryID(of: try CanonicalPrompt(self.prompt()))
            switch self.random.int(0...19) {
            case 0: return .cache(home.cache)
            case 1...6:
                // Not where rounding would decide.
                let centre = self.vector()
                for _ in 0..<100 {
                    let radius = Float.random(in: 0.8...0.95, using: &self.random)
                    if self.isClear(radius, around: centre, in: home) {
                        return .radius(centre, similarity: radius, in: home)
                    }
                }
                return .entry(id, in: home)
            case 7...8: return .filter(try self.random.fewFilter(), in: home.cache)
            case 9: return .tenant(home.cache.tenant)
            case 10...13: return .entry(id, in: home)
            default: return .ids([id, EntryID(high: 0, low: 1)], in: home.cache)
            }
        }

        private func isClear(_ radius: Float, around centre: Embedding, in home: Partition) -> Bool {
            let margin = 2 * Double(self.conformance.tolerance)
            return (self.vectors[home] ?? []).allSatisfy { abs(similarity($0, centre) - Double(radius)) > margin }
        }

        mutating func remove() async throws {
            let (selector, isDryRun) = (try self.selector(), self.random.int(0...3) == 0)
            let (store, oracle, now) = (self.store, self.oracle, self.now)
            let expected = try await oracle.remove(selector, dryRun: isDryRun, at: now)
            let removed = try await store.remove(selector, dryRun: isDryRun, at: now)
            #expect(removed.count == expected.count)
            #expect(removed.sample.count == expected.sample.count)
            #expect(Set(removed.sample).count == removed.sample.count)
        }

        mutating func reopen() async throws {
            guard let reopen = self.conformance.reopen else { return }
            let store = self.store
            self.store = try await reopen(store)
        }

        func sweep() async throws {
            let (store, now) = (self.store, self.now)
            try await self.conformance.sweep?(store, now)
        }

        mutating func check() async throws {
            let home = self.random.pick(self.homes)
            let query = NearestQuery(
                embedding: self.vector(), count: self.random.pick([1, 2, 7, 100]),
                threshold: Float.random(in: 0.5...0.95, using: &self.random),
                createdAtOrAfter: self.random.chance(0.5) ? nil : ms(self.now.milliseconds - 60),
                filter: self.random.chance(0.5) ? nil : try self.random.fewFilter())
            let id = home.entryID(of: try CanonicalPrompt(self.prompt()))
            let (store, oracle, now) = (self.store, self.oracle, self.now)
            let expectation = try await NearestExpectation.make(
                query, in: home, at: now, from: oracle, self.conformance)
            expectation.check(try await store.nearest(query, in: home, at: now))
            let known = try await oracle.entry(id, in: home, at: now)
            #expect(try await store.entry(id, in: home, at: now) == known)
            let sizes = try await oracle.sizes(of: home.cache.tenant, at: now)
            #expect(try await store.sizes(of: home.cache.tenant, at: now) == sizes)
            let counted = try await oracle.version(of: home.cache)
            let version = try await store.version(of: home.cache)
            // A removal may count more than once, but only one that was meant for this cache.
            if let last = self.versions[home.cache] {
                #expect(version.sequence >= last.own.sequence)
                #expect((version.epoch > last.own.epoch) == (counted.epoch > last.counted.epoch))
                #expect(version.epoch - last.own.epoch >= counted.epoch - last.counted.epoch)
            }
            self.versions[home.cache] = (version, counted)
            if self.random.chance(0.1) {
                let plain = Partition(of: home.cache, embedding: identity, vary: [])
                let entries = try await oracle.scanAll(plain, at: now).map(\.entry)
                let found = try await store.scanAll(plain, count: self.random.int(1...256), at: now).map(\.entry)
                #expect(found.count == entries.count)
                #expect(
                    found.sorted { ($0.id.high, $0.id.low) < ($1.id.high, $1.id.low) }
                        == entries.sorted { ($0.id.high, $0.id.low) < ($1.id.high, $1.id.low) })
            }
        }
    }
}
