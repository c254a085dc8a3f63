// SPDX-License-Identifier: Apache-2.0
import CacheModel
import Testing

@testable import EmbeddedStore

/// Filters inside the scan, with and without a basis.
@Suite struct FilteredSearchTests {
    @Test(arguments: [1, 2] as [UInt64])
    func `what is found through a filter is what comparing with every entry that it takes gives`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let vectors = VectorKind.clustered.makeVectors(5_000, dimensions: 64, generator: &random)
        let index = PartitionIndex(dimensions: 64)
        var oracle = NaiveIndex()
        var attributes: [EntryID: [Attribute]] = [:]
        for (number, vector) in vectors.enumerated() {
            // Some are replaced, with other attributes.
            let id = EntryID(number: number % 4_000)
            attributes[id] = random.attributes()
            index.put(
                id, row: Int64(number), expiresAt: .never, attributes: AttributesText.canonical(attributes[id] ?? []),
                vector: vector)
            oracle.entries[id] = NaiveIndex.Entry(id: id, row: Int64(number), expiresAt: .never, vector: vector)
            if number == 3_000 { index.refreshBasis() }
            if number % 5 == 4 {
                let gone = EntryID(number: number / 2)
                #expect(index.remove(gone) == (oracle.entries.removeValue(forKey: gone) != nil))
            }
        }
        #expect(index.basis != nil)
        for round in 0..<20 {
            let filter = try random.filter()
            let stored = vectors.randomElement(using: &random)!
            let near = [Float(1), 0.95, 0.8][round % 3]
            let query = VectorKind.vector(at: near, from: stored, generator: &random)
            let taken = NaiveIndex(entries: oracle.entries.filter { filter.matches(attributes[$0.key] ?? []) })
            let ranking = taken.rank(for: query, now: .start)
            let all = oracle.rank(for: query, now: .start)
            for threshold in [Float(-1), 0.6, 0.9] {
                for count in [1, 5, .max] {
                    let found = index.candidates(
                        for: query, threshold: threshold, count: count, now: .start, filter: filter)
                    #expect(found.hits.allSatisfy { ranking.similarities[$0.row] != nil })
                    let rows = ranking.rows(threshold: threshold, count: count)
                    #expect(ranking.decide(found, threshold: threshold, count: count) == rows)
                    if rows.isEmpty, let nearest = all.rows(threshold: threshold, count: 1).first {
                        #expect(found.refused.contains { $0.row == nearest })
                    }
                }
            }
            let expected = Set(taken.entries.values.map(\.row))
            #expect(Set(index.rows(takenBy: filter)) == expected)
        }
    }

    @Test func `pitfall 5: nearer entries that are filtered out take nobody's place`() throws {
        var random = SeededGenerator(seed: 9)
        let query = VectorKind.uniform.makeVectors(1, dimensions: 384, generator: &random)[0]
        let index = PartitionIndex(dimensions: 384)
        let foreign = AttributesText.canonical([Attribute(name: "lang", value: .string("fr"))])
        for number in 0..<3_000 {
            index.put(
                EntryID(number: number), row: Int64(number), expiresAt: .never, attributes: foreign, vector: query)
        }
        let own = AttributesText.canonical([Attribute(name: "lang", value: .string("de"))])
        let farther = VectorKind.vector(at: 0.9, from: query, generator: &random)
        index.put(EntryID(number: 9_999), row: 9_999, expiresAt: .never, attributes: own, vector: farther)
        let filter = try MetadataFilter(#"lang == "de""#)
        for isWithBasis in [false, true] {
            if isWithBasis { index.refreshBasis() }
            #expect((index.basis != nil) == isWithBasis)
            let found = index.candidates(for: query, threshold: 0.8, count: 1, now: .start, filter: filter)
            #expect(found.hits.map(\.row) == [9_999])
        }
    }

    @Test func `what was noted of an entry goes where the entry goes`() {
        var random = SeededGenerator(seed: 10)
        let index = PartitionIndex(dimensions: 3)
        var uses: [EntryID: (row: Int64, use: UInt32)] = [:]
        for round in 0..<20_000 {
            let id = EntryID(number: Int(random.next() % 3_000))
            let now = Timestamp(milliseconds: Int64(round) * 1000)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let vector = VectorKind.uniform.makeVectors(1, dimensions: 3, generator: &random)[0]
                index.put(id, row: Int64(round), expiresAt: .never, usedAt: now, vector: vector)
                uses[id] = (Int64(round), UInt32(round))
            case 5..<8:
                index.noteUse(id, at: now)
                uses[id]?.use = UInt32(round)
            default: #expect(index.remove(id) == (uses.removeValue(forKey: id) != nil))
            }
        }
        #expect(index.count == uses.count)
        let known = Dictionary(uniqueKeysWithValues: uses.values.map { ($0.row, $0.use) })
        for position in 0..<index.count {
            let occupant = index.occupant(position)
            #expect(known[occupant.row] == occupant.lastUse)
        }
    }
}
