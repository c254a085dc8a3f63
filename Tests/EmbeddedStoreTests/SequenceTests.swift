// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Testing

/// Random operations, against a dictionary that is searched from one end to the other.
@Suite struct SequenceTests {
    struct Stored {
        let entry: CacheEntry
        let vector: Embedding
    }

    struct Oracle {
        var entries: [Partition: [EntryID: Stored]] = [:]

        func live(in partition: Partition, at now: Timestamp) -> [Stored] {
            (self.entries[partition] ?? [:]).values.filter { $0.entry.expiresAt > now }
        }

        func nearest(_ query: NearestQuery, in partition: Partition, at now: Timestamp) -> [Stored] {
            Array(
                self.reaching(query, in: partition, at: now).filter { Self.refusal(of: $0, query) == nil }
                    .prefix(query.count))
        }

        /// Of the nearest entry that reaches the threshold, if it is no match.
        func refusal(_ query: NearestQuery, in partition: Partition, at now: Timestamp) -> (Stored, String)? {
            self.reaching(query, in: partition, at: now).first.flatMap { stored in
                Self.refusal(of: stored, query).map { (stored, $0) }
            }
        }

        private func reaching(_ query: NearestQuery, in partition: Partition, at now: Timestamp) -> [Stored] {
            self.live(in: partition, at: now).filter {
                similarity($0.vector, query.embedding) >= Double(query.threshold)
            }.sorted {
                let (left, right) = (similarity($0.vector, query.embedding), similarity($1.vector, query.embedding))
                if left != right { return left > right }
                if $0.entry.createdAt != $1.entry.createdAt { return $0.entry.createdAt > $1.entry.createdAt }
                return ($0.entry.id.high, $0.entry.id.low) < ($1.entry.id.high, $1.entry.id.low)
            }
        }

        private static func refusal(of stored: Stored, _ query: NearestQuery) -> String? {
            if let filter = query.filter, !filter.matches(stored.entry.attributes) { return "filtered" }
            if let oldest = query.createdAtOrAfter, stored.entry.createdAt < oldest { return "tooOld" }
            return nil
        }

        func sizes(of tenant: TenantScope, at now: Timestamp) -> TenantSize {
            var sizes: [String: CacheSize] = [:]
            var (entries, bytes) = (0, 0)
            for partition in self.entries.keys where partition.cache.tenant == tenant {
                let name = partition.cache.name
                for stored in self.live(in: partition, at: now) {
                    let old = sizes[name]
                    sizes[name] = CacheSize(
                        cache: name, entries: (old?.entries ?? 0) + 1,
                        responseBytes: (old?.responseBytes ?? 0) + stored.entry.response.count)
                    entries += 1
                    bytes += stored.entry.quotaBytes(dimensions: dimensions)
                }
            }
            let caches = sizes.values.sorted { $0.cache < $1.cache }
            return TenantSize(caches: caches, entries: entries, bytes: bytes, orphanedEntries: 0)
        }
    }

    struct World {
        let folder: Folder
        var store: EmbeddedStore
        var oracle = Oracle()
        var random: SeededGenerator
        var now = ms(0)
        let centres: [Embedding]
        let homes = [partition(), partition(user: "a"), partition(cache("other")), partition(cache(of: "rival"))]

        init(seed: UInt64) throws {
            self.folder = try Folder()
            self.store = try openStore(self.folder.file)
            var random = SeededGenerator(seed: seed)
            self.centres = (0..<4).map { _ in random.vector() }
            self.random = random
        }

        mutating func home() -> Partition { self.homes[Int.random(in: 0..<self.homes.count, using: &self.random)] }

        mutating func vector() -> Embedding {
            let centre = self.centres[Int.random(in: 0..<self.centres.count, using: &self.random)]
            // Now and then exactly a centre, so that there are ties.
            if Int.random(in: 0..<8, using: &self.random) == 0 { return centre }
            let near = Float.random(in: 0.6...0.99, using: &self.random)
            return self.random.vector(near: centre, similarity: near)
        }

        mutating func prompt() -> String { "q\(Int.random(in: 0..<150, using: &self.random))" }

        mutating func put() async throws {
            let home = self.home()
            let (prompt, vector) = (self.prompt(), self.vector())
            let expires = self.now.milliseconds + Int64.random(in: 0...400, using: &self.random)
            let response = String(repeating: "x", count: Int.random(in: 1...6000, using: &self.random))
            let entry = try entry(
                prompt, in: home, response: response, created: self.now.milliseconds, expires: expires,
                attributes: self.random.attributes())
            let store = self.store
            _ = try await store.put(entry, embedding: vector, in: home)
            self.oracle.entries[home, default: [:]][entry.id] = Stored(entry: entry, vector: vector)
        }

        mutating func remove() async throws {
            let home = self.home()
            let id = home.entryID(of: try CanonicalPrompt(self.prompt()))
            let centre = self.vector()
            let radius = Float.random(in: 0.8...0.95, using: &self.random)
            var doomed: [Partition: [EntryID]] = [:]
            let selector: RemovalSelector
            switch Int.random(in: 0..<20, using: &self.random) {
            case 0:
                selector = .cache(home.cache)
                for other in self.homes where other.cache == home.cache {
                    doomed[other] = Array((self.oracle.entries[other] ?? [:]).keys)
                }
            case 1...6:
                selector = .radius(centre, similarity: radius, in: home)
                doomed[home] = (self.oracle.entries[home] ?? [:]).filter {
                    similarity($0.value.vector, centre) >= Double(radius)
                }.map(\.key)
            case 7...8:
                let filter = try self.random.filter()
                selector = .filter(filter, in: home.cache)
                for other in self.homes where other.cache == home.cache {
                    doomed[other] = (self.oracle.entries[other] ?? [:]).values.map(\.entry).filter {
                        filter.matches($0.attributes)
                    }.map(\.id)
                }
            case 9:
                selector = .tenant(home.cache.tenant)
                for other in self.homes where other.cache.tenant == home.cache.tenant {
                    doomed[other] = Array((self.oracle.entries[other] ?? [:]).keys)
                }
            case 10...13:
                selector = .entry(id, in: home)
                doomed[home] = [id]
            default:
                selector = .ids([id, EntryID(high: 0, low: 1)], in: home.cache)
                doomed[home] = [id]
            }
            var count = 0
            for (partition, ids) in doomed {
                count += self.oracle.live(in: partition, at: self.now).count { ids.contains($0.entry.id) }
            }
            let isDryRun = Int.random(in: 0..<4, using: &self.random) == 0
            let (store, now) = (self.store, self.now)
            let removed = try await store.remove(selector, dryRun: isDryRun, at: now)
            #expect(removed.count == count)
            if isDryRun { return }
            for (partition, ids) in doomed { for id in ids { self.oracle.entries[partition]?[id] = nil } }
        }

        mutating func reopen() async throws {
            let store = self.store
            await store.close()
            self.store = try openStore(self.folder.file)
        }

        mutating func sweep() async throws {
            var expired = 0
            for partition in self.homes {
                let gone = (self.oracle.entries[partition] ?? [:]).filter { $0.value.entry.expiresAt <= self.now }
                expired += gone.count
                for id in gone.keys { self.oracle.entries[partition]?[id] = nil }
            }
            let (store, now) = (self.store, self.now)
            #expect(try await store.sweep(at: now) == expired)
        }

        mutating func check() async throws {
            let home = self.home()
            let query = NearestQuery(
                embedding: self.vector(), count: [1, 2, 7, 100][Int.random(in: 0..<4, using: &self.random)],
                threshold: Float.random(in: 0.5...0.95, using: &self.random),
                createdAtOrAfter: Bool.random(using: &self.random) ? nil : ms(self.now.milliseconds - 60),
                filter: Bool.random(using: &self.random) ? nil : try self.random.filter())
            let id = home.entryID(of: try CanonicalPrompt(self.prompt()))
            let (store, now) = (self.store, self.now)
            let found = try await store.nearest(query, in: home, at: now)
            let expected = self.oracle.nearest(query, in: home, at: now)
            #expect(found.matches.map(\.entry) == expected.map(\.entry))
            for (match, stored) in zip(found.matches, expected) {
                #expect(abs(Double(match.similarity) - similarity(stored.vector, query.embedding)) < 1e-6)
            }
            if expected.isEmpty {
                #expect((found.nearestMiss == nil) == self.oracle.live(in: home, at: now).isEmpty)
                let refused = self.oracle.refusal(query, in: home, at: now)
                #expect("\(found.refusal)" == refused?.1 ?? "belowThreshold")
                if let refused { #expect(found.nearestMiss?.id == refused.0.entry.id) }
            }
            let entry = self.oracle.entries[home]?[id]?.entry
            #expect(
                try await store.entry(id, in: home, at: now) == (entry.map { $0.expiresAt > now } == true ? entry : nil)
            )
            let sizes = try await store.sizes(of: home.cache.tenant, identity: identity.key, at: now)
            let sorted = TenantSize(
                caches: sizes.caches.sorted { $0.cache < $1.cache }, entries: sizes.entries, bytes: sizes.bytes,
                orphanedEntries: sizes.orphanedEntries)
            #expect(sorted == self.oracle.sizes(of: home.cache.tenant, at: now))
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `any sequence of operations leaves what a dictionary would hold`(seed: UInt64) async throws {
        var world = try World(seed: seed)
        for _ in 0..<1500 {
            switch Int.random(in: 0..<100, using: &world.random) {
            case 0: try await world.reopen()
            case 1: try await world.sweep()
            case 2..<8: world.now = ms(world.now.milliseconds + Int64.random(in: 0...20, using: &world.random))
            case 8..<14: try await world.remove()
            case 14..<60: try await world.put()
            default: try await world.check()
            }
        }
        try await world.reopen()
        for _ in 0..<50 { try await world.check() }
    }
}
