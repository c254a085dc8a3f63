// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Reading a cache page by page.
extension StoreConformance {
    static let scanBehaviours = [
        Behaviour("every live entry of the cache comes once, with its vary parts and context, and no other") {
            try await $0.scanIsComplete()
        },
        Behaviour("what stays comes once, whatever is stored, replaced, removed and reopened in the meantime") {
            try await $0.scanOutlivesChanges()
        },
        Behaviour("a page of large entries is cut by its bytes, and one larger than a page comes alone") {
            try await $0.pagesAreCut()
        },
        Behaviour("a scan with a filter that takes few or none ends") { try await $0.scanOfFewEnds() },
    ]

    func scanIsComplete() async throws {
        let store = try await self.makeStore()
        var random = SeededGenerator(60)
        let context = Fingerprint(.context).finish()
        let vary = [VaryPart(name: "z\u{301}", value: ""), VaryPart(name: "a\"", value: "x\ny|*")]
        let plain = self.partition()
        let homes = [
            plain, self.partition(user: "a"), Partition(of: self.cache(), embedding: identity, vary: vary),
            Partition(of: self.cache(), embedding: identity, vary: [], context: context),
            Partition(of: self.cache(), embedding: identity, vary: vary, context: context),
        ]
        let strangers = [
            self.partition("support2"), self.partition(of: "rival"),
            Partition(of: self.cache(), embedding: otherIdentity, vary: []),
        ]
        var expected: [EntryID: ExportedEntry] = [:]
        for home in homes + strangers {
            for number in 0..<9 {
                let entry = try entry(
                    "q\(number)", in: home, expires: number == 3 ? 500 : 1000, attributes: random.fewAttributes(),
                    usage: number == 4 ? Usage(promptTokens: 1, completionTokens: 2, cost: 3) : nil)
                try await store.put(entry, random.vector(), in: home)
                guard homes.contains(home), number != 3 else { continue }
                expected[entry.id] = ExportedEntry(entry: entry, vary: home.vary, context: home.context)
            }
        }
        let filter = try MetadataFilter("score >= 0.5 or beta")
        for count in [1, 7, 256] {
            let all = try await store.scanAll(plain, count: count, at: ms(500))
            #expect(all.count == expected.count && all.allSatisfy { expected[$0.entry.id] == $0 })
            #expect(Set(all.map(\.entry.id)).count == all.count)
            let taken = try await store.scanAll(plain, filter: filter, count: count, at: ms(500))
            #expect(taken == all.filter { filter.matches($0.entry.attributes) })
            #expect(!taken.isEmpty && taken.count < all.count)
        }
        #expect(try await store.scanAll(self.partition("none")).isEmpty)
    }

    func scanOutlivesChanges() async throws {
        var store = try await self.makeStore()
        var random = SeededGenerator(61)
        let plain = self.partition()
        let homes = [plain] + (0..<4).map { self.partition(user: "\($0)") }
        var staying: Set<EntryID> = []
        for home in homes {
            let entries = try (0..<24).map { try entry("q\($0)", in: home) }
            try await store.put(entries.map { ($0, random.vector()) }, in: home)
            staying.formUnion(entries.enumerated().filter { $0.offset % 4 != 1 }.map(\.element.id))
        }
        var (position, seen, step) = (ScanPosition?.none, [EntryID](), 0)
        repeat {
            let page = try await store.scan(
                ScanQuery(plain: plain, filter: nil, position: position, count: 5), at: ms(0))
            seen += page.entries.map(\.entry.id)
            position = page.next
            step += 1
            let home = random.pick(homes)
            for number in 0..<24 where number % 4 != 3 {
                let entry = try entry("q\(number)", in: home, response: "again \(step)")
                if number % 4 == 1 {
                    _ = try await store.remove(.entry(entry.id, in: home))
                } else {
                    try await store.put(entry, random.vector(), in: home)
                }
            }
            try await store.put(try entry("new \(step)", in: home), random.vector(), in: home)
            if step % 9 == 0, let reopen = self.reopen { store = try await reopen(store) }
        } while position != nil
        #expect(Set(seen).count == seen.count, "an entry came twice")
        #expect(staying.isSubset(of: seen), "an entry was left out")
    }

    func pagesAreCut() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(62)
        for (number, bytes) in [300_000, 300_000, 300_000, 300_000, 2_000_000, 10, 10].enumerated() {
            let entry = try entry("q\(number)", in: home, response: String(repeating: "x", count: bytes))
            try await store.put(entry, random.vector(), in: home)
        }
        var (position, count) = (ScanPosition?.none, 0)
        repeat {
            let query = ScanQuery(plain: home, filter: nil, position: position, count: 256)
            let page = try await store.scan(query, at: ms(0))
            let bytes = page.entries.reduce(0) { $0 + $1.replyBytes }
            #expect(bytes <= Limits.maximumExportPageBytes || page.entries.count == 1)
            count += page.entries.count
            position = page.next
        } while position != nil
        #expect(count == 7)
    }

    func scanOfFewEnds() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(63)
        let vector = random.vector()
        let wanted = [Attribute(name: "beta", value: .boolean(true))]
        for place in [home] + (0..<20).map({ self.partition(user: "\($0)") }) {
            let entries = try (0..<(place == home ? 300 : 5)).map {
                (try entry("q\($0)", in: place, attributes: $0 == 150 ? wanted : []), vector)
            }
            try await store.put(entries, in: place)
        }
        for count in [1, 256] {
            let found = try await store.scanAll(home, filter: try MetadataFilter("beta"), count: count)
            #expect(found.map(\.entry.attributes) == [wanted])
            #expect(try await store.scanAll(home, filter: try MetadataFilter("exists(none)"), count: count).isEmpty)
        }
    }
}
