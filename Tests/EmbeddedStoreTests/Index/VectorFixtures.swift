// SPDX-License-Identifier: Apache-2.0
import CKernels
import CacheModel

@testable import EmbeddedStore

/// Repeatable randomness.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> UInt64 {
        self.state ^= self.state << 13
        self.state ^= self.state >> 7
        self.state ^= self.state << 17
        return self.state &* 0x2545_f491_4f6c_dd1d
    }
}

/// The shapes of data that a scan must be exact on.
enum VectorKind: String, CaseIterable {
    /// No direction is better than another.
    case uniform
    /// Some few directions hold most of the length, as in real embeddings.
    case clustered
    /// Tight families, with similarities within some 0.0001 of each other.
    case nearDuplicates
    /// One component, often one that was rare when the basis was learnt.
    case oneHot
    /// All components alike but for signs of a few.
    case constant
    /// Nothing in the directions that hold the others' length.
    case emptyLead
}

extension VectorKind {
    /// - Returns: Unit vectors.
    func makeVectors(_ count: Int, dimensions: Int, generator: inout SeededGenerator) -> [[Float]] {
        let centres = (0..<12).map { _ in
            (0..<dimensions).map { index in Self.normal(&generator) / Float(1 + index / 4) }
        }
        return (0..<count).map { number in
            let centre = centres[Int.random(in: 0..<12, using: &generator)]
            return Self.unit(
                (0..<dimensions).map { index -> Float in
                    switch self {
                    case .uniform: Self.normal(&generator)
                    case .clustered: centre[index] + 0.3 * Self.normal(&generator) / Float(1 + index / 8)
                    case .nearDuplicates: centre[index] + 0.0003 * Self.normal(&generator)
                    case .oneHot: index == number % dimensions ? (number % 7 == 0 ? -1 : 1) : 0
                    case .constant: Int.random(in: 0..<dimensions, using: &generator) < 2 ? -1 : 1
                    case .emptyLead: index < dimensions / 2 && number % 3 != 0 ? 0 : Self.normal(&generator)
                    }
                })
        }
    }

    static func unit(_ vector: [Float]) -> [Float] {
        let length = vector.reduce(into: 0.0) { $0 += Double($1) * Double($1) }.squareRoot()
        guard length > 0 else { return vector.indices.map { $0 == 0 ? 1 : 0 } }
        return vector.map { Float(Double($0) / length) }
    }

    static func normal(_ generator: inout SeededGenerator) -> Float {
        // Four 16-bit uniforms of one draw: bell-shaped enough.
        let draw = generator.next()
        let sum = (draw & 0xffff) + (draw >> 16 & 0xffff) + (draw >> 32 & 0xffff) + draw >> 48
        return Float(sum) / 37_837 - 3.464
    }

    /// A vector at some similarity to another one.
    static func vector(
        at similarity: Float, from vector: [Float], generator: inout SeededGenerator
    ) -> [Float] {
        let other = (0..<vector.count).map { _ in Self.normal(&generator) }
        let along = zip(vector, other).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        let across = Self.unit(zip(vector, other).map { $1 - along * $0 })
        let rest = max(0, 1 - similarity * similarity).squareRoot()
        return Self.unit(zip(vector, across).map { similarity * $0 + rest * $1 })
    }
}

/// What an index must equal: every vector, compared one after the other.
struct NaiveIndex {
    struct Entry {
        let id: EntryID
        var row: Int64
        var expiresAt: Timestamp
        var vector: [Float]
    }

    var entries: [EntryID: Entry] = [:]

    /// The plain fp32 sum.
    static func similarity(_ first: [Float], _ second: [Float]) -> Float {
        var sum: Float = 0
        first.withUnsafeBufferPointer { first in
            second.withUnsafeBufferPointer { second in
                var index = 0
                while index < first.count {
                    sum += first[index] * second[index]
                    index += 1
                }
            }
        }
        return sum
    }

    /// Compares a query with every live entry.
    func rank(for query: [Float], now: Timestamp) -> NaiveRanking {
        var ranking = NaiveRanking()
        for entry in self.entries.values where entry.expiresAt > now {
            ranking.similarities[entry.row] = Self.similarity(query, entry.vector)
        }
        ranking.nearestFirst = ranking.similarities.map { (row: $0.key, similarity: $0.value) }
            .sorted { ($0.similarity, $1.row) > ($1.similarity, $0.row) }
        return ranking
    }
}

/// Every live entry's similarity to one query, by row.
struct NaiveRanking {
    var similarities: [Int64: Float] = [:]
    var nearestFirst: [(row: Int64, similarity: Float)] = []

    /// - Returns: Rows, nearest first.
    func rows(threshold: Float, count: Int) -> [Int64] {
        self.nearestFirst.prefix { $0.similarity >= threshold }.prefix(count).map(\.row)
    }

    /// The same, from an index's candidates and nothing else.
    func decide(_ candidates: PartitionIndex.Candidates, threshold: Float, count: Int) -> [Int64] {
        candidates.hits.compactMap { hit in self.similarities[hit.row].map { (row: hit.row, similarity: $0) } }
            .filter { $0.similarity >= threshold }
            .sorted { ($0.similarity, $1.row) > ($1.similarity, $0.row) }
            .prefix(count).map(\.row)
    }
}

extension EntryID {
    init(number: Int) {
        self.init(high: UInt64(number) &* 0x9e37_79b9_7f4a_7c15, low: UInt64(number))
    }
}

extension Timestamp {
    static let never = Timestamp(milliseconds: .max)
    static let start = Timestamp(milliseconds: 1_000_000)
}

/// The paths that this machine can run.
let supportedInstructionSets = [
    CK_ISA_SCALAR, CK_ISA_NEON, CK_ISA_AVX2, CK_ISA_AVX512, CK_ISA_AVX512VNNI,
].filter { ck_isa_supported($0) != 0 }

extension PartitionIndex {
    /// An index and its oracle with the same entries; row is the entry's number.
    static func filled(
        with vectors: [[Float]], instructionSet: ck_isa = ck_isa_best()
    ) -> (index: PartitionIndex, oracle: NaiveIndex) {
        let index = PartitionIndex(dimensions: vectors[0].count, instructionSet: instructionSet)
        var oracle = NaiveIndex()
        for (number, vector) in vectors.enumerated() {
            let id = EntryID(number: number)
            index.put(id, row: Int64(number), expiresAt: .never, vector: vector)
            oracle.entries[id] = .init(id: id, row: Int64(number), expiresAt: .never, vector: vector)
        }
        return (index, oracle)
    }
}
