// SPDX-License-Identifier: Apache-2.0

import CKernels
import Foundation
import Testing

@testable import LocalEmbedder

/// Encoders of the real model, one for each precision and path that a test asked for.
private enum Encoders {
    private struct Key: Hashable {
        let precision: MiniLMEncoder.Precision
        let isa: UInt32
    }

    private static let lock = NSLock()
    private nonisolated(unsafe) static var made: [Key: MiniLMEncoder] = [:]  // under `lock`

    static func encoder(_ precision: MiniLMEncoder.Precision, _ isa: ck_isa = ck_isa_best()) throws -> MiniLMEncoder {
        let folder = try #require(
            ProcessInfo.processInfo.environment["SEMCACHED_TEST_MODEL"],
            "set SEMCACHED_TEST_MODEL to the folder that deploy/model prints")
        return try Self.lock.withLock {
            let key = Key(precision: precision, isa: isa.rawValue)
            if let encoder = Self.made[key] { return encoder }
            let encoder = try MiniLMEncoder(modelFile: folder + "/model.safetensors", precision: precision, isa: isa)
            Self.made[key] = encoder
            return encoder
        }
    }
}

/// Vectors that sentence-transformers made; make_reference.py says how.
private struct Reference {
    private struct Text: Decodable {
        let text: String
        let ids: [Int32]
    }

    let ids: [[Int32]]
    let vectors: [[Float]]

    static let shared = Result { try Reference() }

    private init() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Resources")
        let lines = try Data(contentsOf: folder.appending(path: "reference-texts.ndjson")).split(separator: 10)
        self.ids = try lines.map { try JSONDecoder().decode(Text.self, from: $0).ids }
        let bytes = try Data(contentsOf: folder.appending(path: "reference-vectors.f16"))
        try #require(lines.count == 500 && bytes.count == 500 * 384 * 2)
        self.vectors = (0..<500).map { text in
            (0..<384).map { i in
                let at = (text * 384 + i) * 2
                return Float(Float16(bitPattern: UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8))
            }
        }
    }
}

private func cosine(_ a: [Float], _ b: [Float]) -> Double {
    var (dot, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
        dot += Double(x) * Double(y)
        aa += Double(x) * Double(x)
        bb += Double(y) * Double(y)
    }
    return dot / (aa * bb).squareRoot()
}

/// Some ids that are no sentence: a text of any length.
private func ids(_ count: Int, seed: Int = 0) -> [Int32] {
    (0..<count).map { Int32(999 + (seed * 131 + $0 * 7919) % 28_000) }
}

/// What the cosines to the vectors of sentence-transformers are at least: on average, and each.
private struct Bounds {
    let mean: Double
    let least: Double

    init(_ precision: MiniLMEncoder.Precision) {
        (self.mean, self.least) =
            switch precision {
            case .fp32: (0.999999, 0.99999)
            case .int16: (0.99999, 0.9999)
            case .int8: (0.998, 0.99)
            }
    }
}

private let supported = [CK_ISA_SCALAR, CK_ISA_NEON, CK_ISA_AVX2, CK_ISA_AVX512, CK_ISA_AVX512VNNI]
    .filter { ck_isa_supported($0) != 0 }.map(\.rawValue)

#if DEBUG
private let isOptimised = false
#else
private let isOptimised = true
#endif

@Suite struct MiniLMEncoderTests {
    @Test(arguments: supported, MiniLMEncoder.Precision.allCases)
    func `every path of this machine makes the vectors of sentence-transformers`(
        isa: UInt32, precision: MiniLMEncoder.Precision
    ) throws {
        let reference = try Reference.shared.get()
        let encoder = try Encoders.encoder(precision, ck_isa(rawValue: isa))
        let workspace = try encoder.makeWorkspace()
        let bounds = Bounds(precision)
        // Without optimisation, scalar code takes a second for a long text.
        let texts = Array(stride(from: 0, to: 500, by: isOptimised ? (isa == CK_ISA_SCALAR.rawValue ? 7 : 1) : 29))
        var sum = 0.0
        for text in texts {
            let vector = try encoder.encode([reference.ids[text]], using: workspace)[0]
            let similarity = cosine(vector, reference.vectors[text])
            sum += similarity
            #expect(similarity >= bounds.least, "text \(text) of \(reference.ids[text].count) tokens")
            let length = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(length - 1) < 1e-5)
        }
        #expect(sum / Double(texts.count) >= bounds.mean)
    }

    @Test(arguments: MiniLMEncoder.Precision.allCases)
    func `a text of any length from 1 to 256 has a right vector`(precision: MiniLMEncoder.Precision) throws {
        // Another path cuts the work in other pieces, so an error at an edge would show as a difference.
        let encoder = try Encoders.encoder(precision)
        let other = try Encoders.encoder(.fp32, ck_isa_supported(CK_ISA_AVX2) != 0 ? CK_ISA_AVX2 : CK_ISA_SCALAR)
        let workspace = try encoder.makeWorkspace()
        let lengths = isOptimised ? Array(1...256) : Array(1...34) + [47, 48, 49, 63, 64, 65, 255, 256]
        for length in lengths {
            let text = ids(length, seed: length)
            let vector = try encoder.encode([text], using: workspace)[0]
            let expected = try other.encode([text], using: workspace)[0]
            #expect(cosine(vector, expected) >= Bounds(precision).least, "\(length) tokens")
        }
    }

    @Test(arguments: supported, MiniLMEncoder.Precision.allCases)
    func `a text has the same vector in a batch and alone, to the last bit`(
        isa: UInt32, precision: MiniLMEncoder.Precision
    ) throws {
        let encoder = try Encoders.encoder(precision, ck_isa(rawValue: isa))
        let workspace = try encoder.makeWorkspace()
        // More tokens than are computed at a time, and one text that fills that alone.
        let lengths =
            isOptimised
            ? [12, 1, 256, 7, 33, 200, 90, 16, 3, 256, 2, 11, 13, 14, 15, 17, 27, 28, 29, 42, 43] : [12, 1, 5, 33, 3]
        let batch = lengths.enumerated().map { ids($1, seed: $0) }
        let vectors = try encoder.encode(batch, using: workspace)
        for (text, vector) in zip(batch, vectors) {
            #expect(try encoder.encode([text], using: workspace)[0] == vector)
        }
    }

    @Test(arguments: MiniLMEncoder.Precision.allCases)
    func `a used workspace makes the vectors of a fresh one`(precision: MiniLMEncoder.Precision) throws {
        let encoder = try Encoders.encoder(precision)
        let used = try encoder.makeWorkspace()
        for (seed, length) in [256, 5, 40, 1, 17].enumerated() {
            let text = ids(length, seed: seed)
            let vector = try encoder.encode([text], using: used)[0]
            #expect(try encoder.encode([text], using: encoder.makeWorkspace())[0] == vector)
        }
    }

    @Test func `threads share an encoder`() async throws {
        let encoder = try Encoders.encoder(.int16)
        let workspace = try encoder.makeWorkspace()
        let texts = (0..<8).map { ids(10 + $0, seed: $0) }
        let expected = try texts.map { try encoder.encode([$0], using: workspace)[0] }
        let same = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask { @concurrent in
                    let workspace = try encoder.makeWorkspace()
                    return try texts.map { try encoder.encode([$0], using: workspace)[0] } == expected
                }
            }
            return try await group.reduce(true) { $0 && $1 }
        }
        #expect(same)
    }

    @Test(arguments: MiniLMEncoder.Precision.allCases)
    func `vectors can be written into memory of the caller's`(precision: MiniLMEncoder.Precision) throws {
        let encoder = try Encoders.encoder(precision)
        let workspace = try encoder.makeWorkspace()
        let texts = [ids(5), ids(14, seed: 1)]
        var vectors = [Float](repeating: .nan, count: 2 * MiniLMEncoder.dimensions)
        let lengths: [Int32] = [5, 14]
        let all = texts.flatMap { $0 }
        try vectors.withUnsafeMutableBufferPointer {
            try encoder.encode(ids: all.span, lengths: lengths.span, using: workspace, into: $0)
        }
        #expect(vectors == (try encoder.encode(texts, using: workspace)).flatMap { $0 })
    }

    @Test func `vectors of int8 differ from those of fp32`() throws {
        // Or else the precision would not have been taken at all.
        let texts = [ids(9)]
        let (eight, whole) = (try Encoders.encoder(.int8), try Encoders.encoder(.fp32))
        let workspace = try eight.makeWorkspace()
        let similarity = cosine(
            try eight.encode(texts, using: workspace)[0], try whole.encode(texts, using: workspace)[0])
        #expect(similarity < 0.99999)
    }

    @Test func `a batch of nothing has no vectors`() throws {
        let encoder = try Encoders.encoder(.int16)
        #expect(try encoder.encode([], using: encoder.makeWorkspace()).isEmpty)
    }

    @Test(
        arguments: [
            [[]], [ids(3), []], [ids(257)], [ids(5), ids(1000)], [[101, -1, 102]], [[30_522]], [[.max]], [[.min]],
            [ids(4), [101, 30_522, 102]],
        ] as [[[Int32]]])
    func `what is no text of this model is refused`(batch: [[Int32]]) throws {
        let encoder = try Encoders.encoder(.int16)
        #expect(encoder.vocabularySize == 30_522)
        let workspace = try encoder.makeWorkspace()
        let error = #expect(throws: ModelError.self) { try encoder.encode(batch, using: workspace) }
        #expect(error?.code == .invalidInput)
        // And it did no harm.
        #expect(try encoder.encode([[101, 30_521, 102]], using: workspace)[0].allSatisfy(\.isFinite))
    }

    @Test(arguments: [[3], [1, 1], [], [2, 1], [-1, 3], [Int32.max, Int32.max]] as [[Int32]])
    func `lengths that are not those of the ids are refused`(lengths: [Int32]) throws {
        let encoder = try Encoders.encoder(.int16)
        let workspace = try encoder.makeWorkspace()
        let given = lengths == [3] || lengths == [2, 1] ? [101, 102] : [101, 2000, 102] as [Int32]
        let error = #expect(throws: ModelError.self) {
            try encoder.encode(ids: given, lengths: lengths, using: workspace)
        }
        #expect(error?.code == .invalidInput)
    }
}
