// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import RedisStore

@Suite struct SearchFilterTests {
    @Test(arguments: [FilterParts.all, .withoutOrder, .withSimpleRanges])
    func `a query takes whatever its filter takes`(parts: FilterParts) throws {
        var random = SeededGenerator(21)
        var taken = 0
        let entries = (0..<30).map { _ in
            let entry = random.indexedEntry()
            let tags = SearchFilter.tags(IndexedAttributes(entry, numbers: .prefixes))
            return (attributes: entry, document: ["p": Array("pa".utf8), "t": Array(tags.utf8)])
        }
        for round in 0..<120 {
            let filter = try random.indexedFilter(parts, terms: random.int(1...10))
            let sieve = Sieve(supersetOf: filter, numbers: .prefixes, terms: .max)
            var reader = SearchConditionReader("(@p:{pa} \(SearchFilter.text(sieve) ?? "@p:{pa}"))")
            let condition = try reader.whole()
            for entry in entries {
                let passes = condition.holds(entry.document)
                let isMeant = filter.matches(entry.attributes)
                taken += isMeant ? 1 : 0
                if isMeant != passes, isMeant || parts != .all {
                    Issue.record("round \(round): \(filter.text) and its query differ on \(entry.attributes)")
                }
            }
        }
        #expect(taken > 500)
    }

    @Test func `constants have a form of their own`() {
        #expect(SearchFilter.text(.always) == nil)
        #expect(SearchFilter.text(.never) == "@t:{never}")
        #expect(SearchFilter.tags(IndexedAttributes([], numbers: .prefixes)) == "empty")
        #expect(
            SearchFilter.text(.any([.token("b"), .not(.token("a")), .token("c"), .all([.token("d"), .token("e")])]))
                == "(@t:{tb|tc} | -@t:{ta} | (@t:{td} @t:{te}))")
    }
}
