// SPDX-License-Identifier: Apache-2.0
import CKernels
import CacheModel
import Testing

@testable import EmbeddedStore

@Suite struct PartitionIndexTests {
    /// Compares an index with the oracle for many queries: random ones, entries, and neighbours of entries at and
    /// around the threshold.
    private func compare(
        _ index: PartitionIndex, with oracle: NaiveIndex, queries: [[Float]], thresholds: [Float] = [-1, 0.5, 0.85],
        counts: [Int] = [1, 8, .max], now: Timestamp = .start
    ) {
        for query in queries {
            let ranking = oracle.rank(for: query, now: now)
            for threshold in thresholds {
                for count in counts {
                    let found = index.candidates(for: query, threshold: threshold, count: count, now: now)
                    let decided = ranking.decide(found, threshold: threshold, count: count)
                    #expect(decided == ranking.rows(threshold: threshold, count: count), "\(threshold) \(count)")
                    let isWithinError = found.hits.allSatisfy { hit in
                        ranking.similarities[hit.row].map { abs($0 - hit.similarity) <= hit.error } ?? false
                    }
                    #expect(isWithinError)
                }
            }
        }
    }

    private func makeQueries(near vectors: [[Float]], generator: inout SeededGenerator) -> [[Float]] {
        let dimensions = vectors[0].count
        var queries = VectorKind.uniform.makeVectors(2, dimensions: dimensions, generator: &generator)
        queries += VectorKind.oneHot.makeVectors(1, dimensions: dimensions, generator: &generator)
        for similarity: Float in [1, 0.95, 0.85, 0.5] {
            let vector = vectors.randomElement(using: &generator)!
            queries.append(VectorKind.vector(at: similarity, from: vector, generator: &generator))
        }
        return queries
    }

    @Test(arguments: VectorKind.allCases, [1, 3, 17, 64, 384])
    func `candidates decided in fp32 are what comparing with every vector gives`(kind: VectorKind, dimensions: Int) {
        var generator = SeededGenerator(seed: UInt64(dimensions))
        let vectors = kind.makeVectors(2_100, dimensions: dimensions, generator: &generator)
        let (index, oracle) = PartitionIndex.filled(with: vectors)
        let queries = self.makeQueries(near: vectors, generator: &generator)
        self.compare(index, with: oracle, queries: Array(queries.prefix(3)))  // by the vectors alone
        #expect(index.wantsBasis)
        index.refreshBasis()
        #expect(index.basis != nil)
        self.compare(index, with: oracle, queries: queries)
    }

    @Test(arguments: [PartitionIndex.maximumDimensions, 1_536])
    func `many dimensions are as exact as few`(dimensions: Int) {
        var generator = SeededGenerator(seed: 5)
        let vectors = VectorKind.clustered.makeVectors(2_048, dimensions: dimensions, generator: &generator)
        let (index, oracle) = PartitionIndex.filled(with: vectors)
        index.refreshBasis()
        self.compare(
            index, with: oracle, queries: self.makeQueries(near: vectors, generator: &generator), thresholds: [0.85])
    }

    @Test func `neighbours within a ten-thousandth of the threshold fall on the right side`() {
        var generator = SeededGenerator(seed: 11)
        let others = VectorKind.clustered.makeVectors(2_048, dimensions: 384, generator: &generator)
        let query = others[0]
        let close = (0..<2_000).map { number in
            let similarity = 0.85 + Float(number - 1_000) * 1e-7
            return VectorKind.vector(at: similarity, from: query, generator: &generator)
        }
        let (index, oracle) = PartitionIndex.filled(with: others + close)
        index.refreshBasis()
        let ranking = oracle.rank(for: query, now: .start)
        let above = ranking.rows(threshold: 0.85, count: .max).count
        let below = ranking.rows(threshold: 0.8499, count: .max).count - above
        #expect(above > 500 && below > 500)
        self.compare(index, with: oracle, queries: [query], thresholds: [0.85], counts: [1, 8, 900, .max])
    }

    @Test func `data unlike what the basis was learnt from is still found`() {
        var generator = SeededGenerator(seed: 12)
        let learnt = VectorKind.clustered.makeVectors(2_048, dimensions: 96, generator: &generator)
        let (index, _) = PartitionIndex.filled(with: learnt)
        index.refreshBasis()
        var all = learnt
        for kind in VectorKind.allCases { all += kind.makeVectors(300, dimensions: 96, generator: &generator) }
        var oracle = NaiveIndex()
        for (number, vector) in all.enumerated() {
            let id = EntryID(number: number)
            index.put(id, row: Int64(number), expiresAt: .never, vector: vector)
            oracle.entries[id] = .init(id: id, row: Int64(number), expiresAt: .never, vector: vector)
        }
        self.compare(
            index, with: oracle,
            queries: VectorKind.allCases.flatMap { kind in
                kind.makeVectors(3, dimensions: 96, generator: &generator)
            })
    }

    @Test(arguments: [3, 48])
    func `any sequence of changes leaves what it leaves in a dictionary`(dimensions: Int) {
        var generator = SeededGenerator(seed: UInt64(dimensions))
        let index = PartitionIndex(dimensions: dimensions)
        var oracle = NaiveIndex()
        let pool = VectorKind.clustered.makeVectors(200, dimensions: dimensions, generator: &generator)
        // Grows past the first basis, shrinks below its end, and grows again.
        for (phase, removals) in [10, 95, 20].enumerated() {
            for step in 0..<8_000 {
                let row = Int64(8_000 * phase + step)
                let id = EntryID(number: Int.random(in: 0..<3_000, using: &generator))
                if Int.random(in: 0..<100, using: &generator) < removals {
                    #expect(index.remove(id) == (oracle.entries.removeValue(forKey: id) != nil))
                } else {
                    let near = pool.randomElement(using: &generator)!
                    let vector = VectorKind.vector(at: 0.9, from: near, generator: &generator)
                    let expiresAt = Timestamp(milliseconds: 1_000_000 + .random(in: -50...500, using: &generator))
                    let isNew = index.put(id, row: row, expiresAt: expiresAt, vector: vector)
                    #expect(isNew == (oracle.entries[id] == nil))
                    oracle.entries[id] = .init(id: id, row: row, expiresAt: expiresAt, vector: vector)
                }
                index.refreshBasis()
                guard step % 800 == 0 else { continue }
                #expect(index.count == oracle.entries.count)
                let now = Timestamp(milliseconds: 1_000_000 + .random(in: 0...300, using: &generator))
                let query = VectorKind.vector(at: 0.97, from: pool[step % 200], generator: &generator)
                self.compare(index, with: oracle, queries: [query], thresholds: [0.85], now: now)
            }
            if phase == 0 { #expect(index.basis != nil) }
            if phase == 1 { #expect(index.count < 512 && index.basis == nil) }
        }
        for id in oracle.entries.keys { #expect(index.contains(id)) }
        for id in oracle.entries.keys { #expect(index.remove(id)) }
        #expect(index.count == 0 && index.bytes < 1_000)
    }

    @Test func `an expired entry neither appears nor hides a live one`() {
        var generator = SeededGenerator(seed: 21)
        let vectors = VectorKind.clustered.makeVectors(3_000, dimensions: 64, generator: &generator)
        let (index, _) = PartitionIndex.filled(with: vectors)
        index.refreshBasis()
        let query = vectors[0], now = Timestamp.start
        let live = VectorKind.vector(at: 0.9, from: query, generator: &generator)
        let (deadline, after) = (Timestamp(milliseconds: now.milliseconds), Timestamp(milliseconds: .max))
        for number in 0..<3_000 { index.update(EntryID(number: number), row: Int64(number), expiresAt: deadline) }
        index.put(EntryID(number: 9_999), row: 9_999, expiresAt: after, vector: live)
        let found = index.candidates(for: query, threshold: 0.85, count: 1, now: now)
        #expect(found.hits.map(\.row) == [9_999])
        // One millisecond earlier they were all there, the query itself first.
        let before = Timestamp(milliseconds: now.milliseconds - 1)
        #expect(index.candidates(for: query, threshold: 0.85, count: 1, now: before).hits.first?.row == 0)
        index.remove(EntryID(number: 9_999))
        let none = index.candidates(for: query, threshold: 0.85, count: 1, now: now)
        #expect(none.hits.isEmpty && none.nearest == nil)
    }

    @Test func `a miss names a near entry, exactly without a basis and nearly with one`() throws {
        var generator = SeededGenerator(seed: 31)
        let vectors = VectorKind.clustered.makeVectors(2_500, dimensions: 384, generator: &generator)
        let (index, oracle) = PartitionIndex.filled(with: vectors)
        for isApproximate in [false, true] {
            if isApproximate { index.refreshBasis() }
            for vector in vectors.prefix(20) {
                let query = VectorKind.vector(at: 0.7, from: vector, generator: &generator)
                let found = index.candidates(for: query, threshold: 0.99, count: 1, now: .start)
                let nearest = try #require(found.nearest)
                let ranking = oracle.rank(for: query, now: .start)
                let best = try #require(ranking.nearestFirst.first)
                #expect(found.hits.isEmpty)
                #expect(found.isNearestExact == !isApproximate)
                #expect(best.similarity - nearest.similarity <= (isApproximate ? 0.1 : 2 * nearest.error))
                let exact = try #require(ranking.similarities[nearest.row])
                #expect(abs(exact - nearest.similarity) <= nearest.error)
            }
        }
    }

    @Test func `a basis learnt before other changes is adopted after them`() {
        var generator = SeededGenerator(seed: 41)
        let vectors = VectorKind.clustered.makeVectors(5_000, dimensions: 64, generator: &generator)
        var (index, oracle) = PartitionIndex.filled(with: Array(vectors.prefix(2_500)))
        let basis = index.learnBasis()
        for number in 0..<300 {
            index.remove(EntryID(number: number))
            oracle.entries[EntryID(number: number)] = nil
        }
        for number in 2_500..<5_000 {
            let id = EntryID(number: number)
            index.put(id, row: Int64(number), expiresAt: .never, vector: vectors[number])
            oracle.entries[id] = .init(id: id, row: Int64(number), expiresAt: .never, vector: vectors[number])
        }
        index.adopt(basis)
        #expect(!index.wantsBasis)
        self.compare(index, with: oracle, queries: self.makeQueries(near: vectors, generator: &generator))
    }

    @Test func `the answer to a radius is never cut off`() {
        var generator = SeededGenerator(seed: 51)
        let centre = VectorKind.uniform.makeVectors(1, dimensions: 24, generator: &generator)[0]
        // More than one segment, all within the radius.
        let vectors = (0..<20_000).map { _ in VectorKind.vector(at: 0.95, from: centre, generator: &generator) }
        let (index, _) = PartitionIndex.filled(with: vectors)
        index.refreshBasis()
        let found = index.candidates(for: centre, threshold: 0.9, count: .max, now: .start)
        #expect(Set(found.hits.map(\.row)) == Set(0..<20_000))
        #expect(index.candidates(for: centre, threshold: 0.9, count: .max, now: .never).hits.isEmpty)
    }

    @Test func `a small partition takes little memory and an entry of a large one less than a kibibyte`() {
        var generator = SeededGenerator(seed: 61)
        let vector = VectorKind.uniform.makeVectors(1, dimensions: 384, generator: &generator)[0]
        let index = PartitionIndex(dimensions: 384)
        #expect(index.bytes < 1_024)
        index.put(EntryID(number: 0), row: 0, expiresAt: .never, vector: vector)
        #expect(index.bytes < 4_096)
        for number in 1..<32_768 {
            index.put(EntryID(number: number), row: 0, expiresAt: .never, vector: vector)
            if number > 1_024 { #expect(index.bytes / index.count < (number < 2_048 ? 1_870 : 1_200)) }
        }
        index.refreshBasis()
        #expect(index.bytes / index.count < 1_024)
        index.removeAll()
        #expect(index.count == 0 && index.bytes < 1_024)
        #expect(index.candidates(for: vector, threshold: -1, count: 8, now: .start).nearest == nil)
    }
}
