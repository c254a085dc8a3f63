// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Storing and getting.
extension StoreConformance {
    static let entryBehaviours = [
        Behaviour("an entry comes back as it was stored, byte by byte") { try await $0.entryComesBack() },
        Behaviour("an entry without prompt, attributes and usage comes back without") {
            try await $0.bareEntryComesBack()
        },
        Behaviour("numbers come back to the last bit") { try await $0.numbersComeBack() },
        Behaviour("a response of 1 MiB of every byte comes back") { try await $0.largeResponseComesBack() },
        Behaviour("storing an id again replaces entry and vector") { try await $0.replaces() },
        Behaviour("what replaces an expired entry replaces nothing") { try await $0.replacesExpired() },
        Behaviour("an entry is there to the last millisecond and gone with its expiry") { try await $0.expires() },
        Behaviour("partitions, caches and tenants never meet") { try await $0.partitionsNeverMeet() },
        Behaviour("a vector of another dimension or length is refused", needsOnePlace: true) {
            try await $0.refusesOtherVectors()
        },
        Behaviour("sizes count live entries by cache, and those of another model as orphans") {
            try await $0.sizesCount()
        },
        Behaviour("what was acknowledged is there after the store was opened again") { try await $0.survives() },
    ]

    /// Text with quotes, NUL and characters of several bytes; a response that is no text; the longest life.
    func entryComesBack() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(1)
        let vector = random.vector()
        let entry = CacheEntry(
            id: EntryID(high: 1, low: .max), prompt: try CanonicalPrompt("Où est l’hôtel? \u{1f3e8}"),
            response: [0, 255, 13, 10, 0, 36, 45, 49], contentType: "a\0b",
            attributes: [
                Attribute(name: "z", value: .string("quote \" slash \\ line \r\n nul \0 é e\u{301}")),
                Attribute(name: "a", value: .number(-0.1)), Attribute(name: "b", value: .boolean(false)),
                Attribute(name: "tags", value: .strings(["doc-17", "", "ü", "a,b|c{d}"])),
                Attribute(name: "empty list", value: .strings([])),
            ], usage: Usage(promptTokens: .max, completionTokens: 0, cost: 0.1), createdAt: ms(-5), expiresAt: ms(.max))
        #expect(try await store.put(entry, vector, in: home) == false)
        let found = try await store.entry(entry.id, in: home, at: ms(0))
        #expect(found == entry)
        // `==` of strings takes different spellings of a character for the same.
        #expect(found.map { Self.utf8($0) } == Self.utf8(entry))
        let query = NearestQuery(embedding: vector, count: 1, threshold: self.same)
        #expect(try await store.nearest(query, in: home, at: ms(0)).matches.map(\.entry) == [entry])
        #expect(try await store.scanAll(home).map(\.entry) == [entry])
    }

    private static func utf8(_ entry: CacheEntry) -> [[UInt8]] {
        let attributes = entry.attributes.flatMap { attribute in
            switch attribute.value {
            case .string(let text): [attribute.name, text]
            case .strings(let texts): [attribute.name] + texts
            case .number, .boolean: [attribute.name]
            }
        }
        return ([entry.prompt?.text ?? "", entry.contentType] + attributes).map { Array($0.utf8) }
    }

    func bareEntryComesBack() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(2)
        let entry = CacheEntry(
            id: EntryID(high: 0, low: 0), prompt: nil, response: [], contentType: "", attributes: [], usage: nil,
            createdAt: ms(0), expiresAt: ms(10))
        try await store.put(entry, random.vector(), in: home)
        #expect(try await store.entry(entry.id, in: home, at: ms(0)) == entry)
        #expect(try await store.scanAll(home).map(\.entry) == [entry])
    }

    func numbersComeBack() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(3)
        let vector = random.vector()
        let doubles: [Double] = [
            0, -0.0, 0.1, 1 / 3, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude,
            .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .pi, 9_007_199_254_740_991, 1e21, 1e-7,
            123_456_789.123_456_78,
        ]
        let integers: [UInt64] = [0, 1, 1 << 53, (1 << 53) + 1, UInt64(Int64.max), UInt64(Int64.max) + 1, .max]
        for (position, integer) in integers.enumerated() {
            let attributes = doubles.enumerated().map { Attribute(name: "n\($0)", value: .number($1)) }
            let usage = Usage(promptTokens: integer, completionTokens: ~integer, cost: doubles[2 + position].magnitude)
            // The longest times that a Store can ask for, and beyond.
            let expires: Int64 = [1, 1 << 41, 1 << 52, (1 << 53) + 1, .max - 1, .max, 1000][position]
            let stored = try entry(
                "q\(position)", in: home, created: -Int64(position), expires: expires, attributes: attributes,
                usage: usage)
            try await store.put(stored, vector, in: home)
            let found = try #require(try await store.entry(stored.id, in: home, at: ms(0)))
            #expect(found == stored)
            for (attribute, double) in zip(found.attributes, doubles) {
                guard case .number(let number) = attribute.value else {
                    Issue.record("a number came back as something else")
                    continue
                }
                #expect(number.bitPattern == double.bitPattern)
            }
        }
    }

    func largeResponseComesBack() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(4)
        let id = home.entryID(of: try CanonicalPrompt("large"))
        let stored = CacheEntry(
            id: id, prompt: try CanonicalPrompt("large"), response: random.bytes(1 << 20), contentType: "x/y",
            attributes: [], usage: nil, createdAt: ms(0), expiresAt: ms(10))
        try await store.put(stored, random.vector(), in: home)
        let isSame = try await store.entry(id, in: home, at: ms(0)) == stored
        #expect(isSame)
        #expect(try await store.sizes(of: self.tenant()).caches.map(\.responseBytes) == [1 << 20])
    }

    func replaces() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(5)
        let vector = random.vector()
        let other = random.vector(near: vector, similarity: 0)
        let first = try entry("q", in: home, response: "one")
        let second = try entry("q", in: home, response: "two", created: 5)
        #expect(try await store.put(first, vector, in: home) == false)
        #expect(try await store.put(second, other, in: home) == true)
        #expect(try await store.entry(first.id, in: home, at: ms(0)) == second)
        let old = NearestQuery(embedding: vector, count: 1, threshold: 0.9)
        #expect(try await store.nearest(old, in: home, at: ms(0)).matches.isEmpty)
        let new = NearestQuery(embedding: other, count: 2, threshold: 0.9)
        #expect(try await store.nearest(new, in: home, at: ms(0)).matches.map(\.entry) == [second])
        let sizes = try await store.sizes(of: self.tenant())
        #expect(sizes.caches == [CacheSize(cache: "support", entries: 1, responseBytes: 3)])
        #expect(sizes.bytes == second.quotaBytes(dimensions: dimensions))
        #expect(try await store.scanAll(home).map(\.entry) == [second])
    }

    func replacesExpired() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(6)
        let vector = random.vector()
        try await store.put(try entry("q", in: home, expires: 500), vector, in: home)
        #expect(try await store.put(try entry("q", in: home, created: 499, expires: 600), vector, in: home) == true)
        #expect(try await store.put(try entry("q", in: home, created: 600), vector, in: home) == false)
        #expect(try await store.put(try entry("q", in: home, created: 601), vector, in: home) == true)
    }

    func expires() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(7)
        let vector = random.vector()
        let stored = try entry("q", in: home, response: "four", expires: 500)
        try await store.put(stored, vector, in: home)
        let query = NearestQuery(embedding: vector, count: 1, threshold: -1)
        for (now, isThere) in [(ms(499), true), (ms(500), false)] {
            #expect(try await store.entry(stored.id, in: home, at: now) == (isThere ? stored : nil))
            let found = try await store.nearest(query, in: home, at: now)
            #expect(found.matches.map(\.entry) == (isThere ? [stored] : []))
            #expect(found.nearestMiss == nil)
            let sizes = try await store.sizes(of: self.tenant(), at: now)
            #expect(sizes.caches == (isThere ? [CacheSize(cache: "support", entries: 1, responseBytes: 4)] : []))
            #expect(sizes.bytes == (isThere ? stored.quotaBytes(dimensions: dimensions) : 0))
            #expect(try await store.scanAll(home, at: now).map(\.entry) == (isThere ? [stored] : []))
            let removed = try await store.remove(.cache(home.cache), dryRun: true, at: now)
            #expect(removed.sample == (isThere ? [stored.id] : []))
        }
        guard let sweep = self.sweep else { return }
        try await sweep(store, ms(499))
        #expect(try await store.contains(stored.id, in: home))
        try await sweep(store, ms(500))
        // With a clock that goes back it would be there again, had it only been passed over.
        #expect(try await store.contains(stored.id, in: home) == false)
        #expect(try await store.nearest(query, in: home, at: ms(0)).matches.isEmpty)
        #expect(try await store.sizes(of: self.tenant()) == .nothing)
    }

    func partitionsNeverMeet() async throws {
        let store = try await self.makeStore()
        var random = SeededGenerator(8)
        let vector = random.vector()
        let context = Fingerprint(.context).finish()
        let homes =
            [
                self.partition(), self.partition(user: "a"), self.partition(user: "b"), self.partition(user: "a|b"),
                self.partition(user: "*"), self.partition(user: "e\u{301}"), self.partition(user: "\u{e9}"),
                Partition(of: self.cache(), embedding: identity, vary: [], context: context),
                Partition(of: self.cache(), embedding: otherIdentity, vary: []),
            ]
            + ["other", "support2", "suppor", "e\u{301}", "\u{e9}", "*"].map { self.partition($0) }
            + ["rival", "acme2", "acm", "acme support", "*", "acme|rival", "e\u{301}", "\u{e9}"].map {
                self.partition(of: $0)
            }
        for (position, home) in homes.enumerated() {
            try await store.put(try entry("q", in: home, response: "\(position)"), vector, in: home)
        }
        let query = NearestQuery(embedding: vector, count: 100, threshold: -1)
        for (position, home) in homes.enumerated() {
            let found = try await store.nearest(query, in: home, at: ms(0))
            #expect(found.matches.map(\.entry.response) == [Array("\(position)".utf8)])
            for other in homes where other != home {
                let id = other.entryID(of: try CanonicalPrompt("q"))
                #expect(try await store.contains(id, in: home) == false)
            }
        }
        #expect(try await store.nearest(query, in: self.partition(user: "nobody"), at: ms(0)).matches.isEmpty)
        let sizes = try await store.sizes(of: self.tenant())
        #expect(sizes.entries == 15 && sizes.caches.count == 7)
        #expect(try await store.sizes(of: self.tenant("acme2")).entries == 1)
        #expect(try await store.sizes(of: self.tenant("nobody")) == .nothing)
    }

    func refusesOtherVectors() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(9)
        try await store.put(try entry("q", in: home), random.vector(), in: home)
        for values in [[Float](repeating: 0.5, count: 4), [Float](repeating: 1, count: dimensions), [.nan], []] {
            let vector = Embedding(unitLength: values)
            await #expect(throws: VectorStoreError.self) { try await store.put(entry("r", in: home), vector, in: home) }
            await #expect(throws: VectorStoreError.self) {
                try await store.nearest(
                    NearestQuery(embedding: vector, count: 1, threshold: 0), in: home, at: ms(0))
            }
            await #expect(throws: VectorStoreError.self) {
                try await store.remove(.radius(vector, similarity: 0, in: home))
            }
        }
        #expect(try await store.sizes(of: self.tenant()).entries == 1)
    }

    func sizesCount() async throws {
        let store = try await self.makeStore()
        var random = SeededGenerator(10)
        let foreign = Partition(of: self.cache(), embedding: otherIdentity, vary: [])
        let homes = [self.partition(), self.partition(user: "a"), foreign, self.partition("other")]
        var bytes = 0
        for (position, home) in homes.enumerated() {
            for number in 0...position {
                let stored = try entry(
                    "q\(number)", in: home, response: "12", expires: number == 0 ? 500 : 1000,
                    attributes: random.fewAttributes())
                try await store.put(stored, random.vector(), in: home)
                if number > 0 { bytes += stored.quotaBytes(dimensions: dimensions) }
            }
        }
        let before = try await store.sizes(of: self.tenant(), at: ms(499))
        #expect(before.entries == 10 && before.orphanedEntries == 3)
        let after = try await store.sizes(of: self.tenant(), at: ms(500))
        let caches = [
            CacheSize(cache: "other", entries: 3, responseBytes: 6),
            CacheSize(cache: "support", entries: 3, responseBytes: 6),
        ]
        #expect(after == TenantSize(caches: caches, entries: 6, bytes: bytes, orphanedEntries: 2))
        let other = try await store.sizes(of: self.tenant(), identities: [otherIdentity.key], at: ms(500))
        #expect(other.orphanedEntries == 4)
    }

    func survives() async throws {
        guard let reopen = self.reopen else { return }
        let (home, other) = (self.partition(), self.partition("other", user: "a"))
        var store = try await self.makeStore()
        var random = SeededGenerator(11)
        var stored: [(CacheEntry, Embedding, Partition)] = []
        for number in 0..<20 {
            let place = number % 2 == 0 ? home : other
            let entry = try entry("q\(number)", in: place, attributes: random.fewAttributes())
            stored.append((entry, random.vector(), place))
            try await store.put(entry, stored[number].1, in: place)
        }
        _ = try await store.remove(.entry(stored[3].0.id, in: other))
        let (sizes, version) = (try await store.sizes(of: self.tenant()), try await store.version(of: other.cache))
        store = try await reopen(store)
        for (number, (entry, vector, place)) in stored.enumerated() {
            #expect(try await store.entry(entry.id, in: place, at: ms(0)) == (number == 3 ? nil : entry))
            let query = NearestQuery(embedding: vector, count: 1, threshold: self.same)
            let found = try await store.nearest(query, in: place, at: ms(0))
            #expect(found.matches.map(\.entry) == (number == 3 ? [] : [entry]))
        }
        #expect(try await store.sizes(of: self.tenant()) == sizes)
        #expect(try await store.version(of: other.cache) == version)
    }
}
