// SPDX-License-Identifier: Apache-2.0
import CacheModel
import Testing

@testable import EmbeddedStore

@Suite struct NeighbourTests {
    private struct Known {
        let id: EntryID
        let vector: [Float]
        let expiresAt: Timestamp
        let createdAt: Timestamp
        let cluster: AnswerCluster
        let isGerman: Bool
    }

    @Test(arguments: VectorKind.allCases)
    func `the nearest are those that a comparison with every vector finds, in any order of work`(
        kind: VectorKind
    ) throws {
        var random = SeededGenerator(seed: 61)
        let (count, dimensions) = (20_000, 48)
        let index = PartitionIndex(dimensions: dimensions)
        let vectors = kind.makeVectors(count, dimensions: dimensions, generator: &random)
        let german = AttributesText.canonical([Attribute(name: "lang", value: .string("de"))])
        var known: [Known] = []
        for number in 0..<count {
            let entry = Known(
                id: EntryID(number: number), vector: vectors[number],
                expiresAt: number % 10 == 0 ? Timestamp(milliseconds: 0) : .never,
                createdAt: Timestamp(milliseconds: Int64(number % 100)),
                cluster: AnswerCluster(high: 1, low: UInt64(number % 13)), isGerman: number % 50 == 0)
            index.put(
                entry.id, row: Int64(number), expiresAt: entry.expiresAt, createdAt: entry.createdAt,
                cluster: entry.cluster, attributes: entry.isGerman ? german : [], vector: entry.vector)
            known.append(entry)
            if number == 4_000 { index.refreshBasis() }
        }
        let filter = try MetadataFilter(#"lang == "de""#)
        let now = Timestamp(milliseconds: 5)
        for round in 0..<12 {
            let query = VectorKind.vector(at: 0.8, from: vectors[round * 997], generator: &random)
            let oldest = round % 3 == 0 ? Timestamp(milliseconds: 60) : nil
            let isFiltered = round % 4 == 1
            let wanted = [1, 30, 32][round % 3]
            let found = index.candidates(
                for: query, threshold: 0.7, count: 1, now: now, filter: isFiltered ? filter : nil,
                createdAtOrAfter: oldest, neighbours: wanted)
            let without = index.candidates(
                for: query, threshold: 0.7, count: 1, now: now, filter: isFiltered ? filter : nil,
                createdAtOrAfter: oldest)
            // Looking for neighbours changes nothing of the rest; only the nearest of a miss is known for certain.
            #expect(found.hits.first == without.hits.first)
            if without.hits.isEmpty {
                #expect(found.refused.first == without.refused.first && found.tooOld.first == without.tooOld.first)
            }
            #expect(oldest != nil || found.tooOld.isEmpty)
            let live = known.filter { $0.expiresAt > now }
            let taken = live.filter { entry in
                (!isFiltered || entry.isGerman) && oldest.map { entry.createdAt >= $0 } ?? true
            }
            let exact = taken.map { ($0, Similarity.of($0.vector, query)) }.sorted { $0.1 > $1.1 }
            #expect(found.neighbours.count >= min(wanted, exact.count))
            for (place, near) in found.neighbours.prefix(wanted).enumerated() {
                let truth = known[Int(near.row)]
                #expect(near.id == truth.id && near.cluster == truth.cluster && near.createdAt == truth.createdAt)
                #expect(abs(near.similarity - Similarity.of(truth.vector, query)) <= 0.0005)
                #expect(near.similarity >= exact[place].1 - 0.0005)
            }
            let nearest = try #require(found.nearest)
            #expect(found.isNearestExact)
            let best = try #require(live.map { Similarity.of($0.vector, query) }.max())
            // Of hits and what is refused, the better; else of all.
            if found.hits.isEmpty && found.refused.isEmpty && found.tooOld.isEmpty {
                #expect(abs(nearest.similarity - best) <= 0.0005)
            }
        }
    }

    @Test func `cluster and creation of an entry go where the entry goes`() {
        var random = SeededGenerator(seed: 62)
        let index = PartitionIndex(dimensions: 3)
        var known: [EntryID: (cluster: AnswerCluster, created: Timestamp)] = [:]
        for round in 0..<6_000 {
            let id = EntryID(number: Int(random.next() % 40))
            let cluster = AnswerCluster(high: random.next(), low: UInt64(round))
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let vector = VectorKind.uniform.makeVectors(1, dimensions: 3, generator: &random)[0]
                let created = Timestamp(milliseconds: Int64(round))
                index.put(
                    id, row: Int64(round), expiresAt: .never, createdAt: created, cluster: cluster, vector: vector)
                known[id] = (cluster, created)
            case 5..<7:
                index.assign(cluster, to: id)
                known[id]?.cluster = cluster
            default: #expect(index.remove(id) == (known.removeValue(forKey: id) != nil))
            }
            guard round % 100 == 0, !known.isEmpty else { continue }
            let found = index.candidates(
                for: [1, 0, 0], threshold: 0.9, count: 1, now: .start, neighbours: 100)
            #expect(found.neighbours.count == known.count)
            for near in found.neighbours {
                #expect(near.cluster == known[near.id]?.cluster && near.createdAt == known[near.id]?.created)
            }
        }
    }
}
