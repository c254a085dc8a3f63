// SPDX-License-Identifier: Apache-2.0
import CKernels
import CacheModel
import Testing

@testable import EmbeddedStore

@Suite struct ScanPathsTests {
    @Test(arguments: [5, 33, 384], [false, true])
    func `every path of this machine gives the same scores, hits and peaks`(dimensions: Int, hasBasis: Bool) {
        #expect(supportedInstructionSets.contains(ck_isa_best()))
        var generator = SeededGenerator(seed: 7)
        // Not a multiple of a block, nor of two.
        let count: UInt32 = 2_048 - 9
        let vectors = VectorKind.clustered.makeVectors(Int(count), dimensions: dimensions, generator: &generator)
        var segment = ck_scan_segment()
        #expect(ck_scan_segment_make(&segment, UInt32(dimensions), 2_048) == 1)
        defer { ck_scan_segment_free(&segment) }
        segment.count = count
        var error: Float = 0
        for (place, vector) in vectors.enumerated() {
            error = max(error, ck_scan_put(CK_ISA_SCALAR, &segment, UInt32(place), vector))
            segment.expiry[place] = .max
        }
        let sample: [UnsafePointer<Int16>?] = (0..<Int(count)).map {
            UnsafePointer(segment.vectors + $0 * Int(segment.stride))
        }
        let basis = hasBasis ? ck_scan_basis_learn(CK_ISA_SCALAR, sample, count, UInt32(dimensions)) : nil
        defer { ck_scan_basis_free(basis) }
        if let basis { ck_scan_encode(CK_ISA_SCALAR, &segment, 0, count, basis) }
        for number in 0..<12 {
            let query = VectorKind.vector(at: 0.9, from: vectors[number * 150], generator: &generator)
            var prepared = ck_scan_query()
            ck_scan_query_make(CK_ISA_SCALAR, &prepared, query, UInt32(dimensions), error, basis)
            for floor: Float in [0.85, 0.3, -1] {
                let outcomes = supportedInstructionSets.map { self.scan(&segment, &prepared, floor, $0) }
                #expect(outcomes.allSatisfy { $0 == outcomes[0] })
                #expect(floor > -1 || outcomes[0].hits.count == Int(count))
            }
        }
    }

    private struct Outcome: Equatable {
        let hits: [UInt32]
        let similarities: [Float]
        let peaks: [UInt32]
        let read: [UInt64]
    }

    private func scan(
        _ segment: inout ck_scan_segment, _ query: inout ck_scan_query, _ floor: Float, _ instructionSet: ck_isa
    ) -> Outcome {
        var state = ck_scan_state()
        ck_scan_state_make(&state)
        var hits = [ck_scan_hit](repeating: ck_scan_hit(), count: Int(segment.count))
        let found = ck_scan_segment_hits(instructionSet, &segment, nil, 0, &query, floor, 0, &state, &hits)
        let peaks = withUnsafeBytes(of: (state.peak_score, state.peak_slot)) { Array($0.bindMemory(to: UInt32.self)) }
        return Outcome(
            hits: hits.prefix(Int(found)).map(\.slot), similarities: hits.prefix(Int(found)).map(\.similarity),
            peaks: peaks, read: [state.lines_read, state.vectors_read])
    }

    @Test(arguments: VectorKind.allCases)
    func `an index on any path finds what comparing with every vector gives`(kind: VectorKind) {
        for instructionSet in supportedInstructionSets {
            var generator = SeededGenerator(seed: 9)
            let vectors = kind.makeVectors(2_200, dimensions: 70, generator: &generator)
            let (index, oracle) = PartitionIndex.filled(with: vectors, instructionSet: instructionSet)
            index.refreshBasis()
            for number in 0..<10 {
                let query = VectorKind.vector(at: 0.9, from: vectors[number * 200], generator: &generator)
                let ranking = oracle.rank(for: query, now: .start)
                for count in [1, 8, Int.max] {
                    let found = index.candidates(for: query, threshold: 0.8, count: count, now: .start)
                    let decided = ranking.decide(found, threshold: 0.8, count: count)
                    #expect(decided == ranking.rows(threshold: 0.8, count: count))
                }
            }
        }
    }

    @Test func `the largest products that unit vectors allow do not overflow on any path`() {
        for dimensions in [2, 384, 4_096] {
            let even = [Float](repeating: Float(1 / Double(dimensions).squareRoot()), count: dimensions)
            let single = (0..<dimensions).map { Float($0 == 0 ? 1 : 0) }
            for vector in [even, single, even.map(-), single.map(-)] {
                for instructionSet in supportedInstructionSets {
                    let index = PartitionIndex(dimensions: dimensions, instructionSet: instructionSet)
                    index.put(EntryID(number: 1), row: 1, expiresAt: .never, vector: vector)
                    for (query, expected) in [(vector, Float(1)), (vector.map(-), -1)] {
                        let found = index.candidates(for: query, threshold: -2, count: 1, now: .start)
                        #expect(abs((found.hits.first?.similarity ?? 9) - expected) <= found.hits[0].error)
                        #expect(found.hits[0].error < 0.01)
                    }
                }
            }
        }
    }

    @Test(arguments: [1, 15, 16, 63, 64, 100, 384])
    func `the fp32 product of every path is that of a sum in double within rounding`(dimensions: Int) {
        var generator = SeededGenerator(seed: 3)
        let pair = VectorKind.uniform.makeVectors(2, dimensions: dimensions, generator: &generator)
        let exact = zip(pair[0], pair[1]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        for instructionSet in supportedInstructionSets {
            #expect(abs(Double(ck_dot_f32(instructionSet, pair[0], pair[1], dimensions)) - exact) < 1e-6)
        }
    }
}
