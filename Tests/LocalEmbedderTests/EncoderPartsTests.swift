// SPDX-License-Identifier: Apache-2.0

import CKernels
import Testing

@testable import LocalEmbedder

/// The products and the attention of every path against plain loops, on numbers that no trained model has.
@Suite struct EncoderPartsTests {
    private static let paths = InstructionSet.supported
    /// Around the heights of all tiles: 4, 6, 12 and 14 rows.
    private static let heights = [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 27, 28, 29]

    /// How extreme weights and activations are.
    enum Numbers: CaseIterable {
        /// SplitMix64: the same numbers in every run, and millions of them in little time.
        struct Generator: RandomNumberGenerator {
            private var state: UInt64 = 6

            mutating func next() -> UInt64 {
                self.state &+= 0x9E37_79B9_7F4A_7C15
                var z = self.state
                z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
                z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
                return z ^ z >> 31
            }
        }

        case ordinary, largest, largestOfBothSigns, negative, zeros, tiny, outliers

        func make(_ count: Int, _ random: inout Generator, limit: Float) -> [Float] {
            (0..<count).map { index in
                switch self {
                case .ordinary: .random(in: -1...1, using: &random)
                case .largest: limit
                case .largestOfBothSigns: Bool.random(using: &random) ? limit : -limit
                case .negative: -.random(in: 0...limit, using: &random)
                case .zeros: 0
                case .tiny: .random(in: -1...1, using: &random) * 1e-25
                case .outliers: index % 97 == 5 ? limit : .random(in: -1e-3...1e-3, using: &random)
                }
            }
        }
    }

    /// A matrix and rows.
    private struct Product {
        let inputs: Int
        let outputs: Int
        let tokens: Int
        let weights: [Float]
        let bias: [Float]
        let rows: [Float]

        func result(_ precision: ck_encoder_precision, _ isa: ck_isa) -> [Float]? {
            var result = [Float](repeating: .nan, count: self.tokens * self.outputs)
            let status = self.weights.withUnsafeBufferPointer { weights in
                self.bias.withUnsafeBufferPointer { bias in
                    var matrix = ck_encoder_affine(weight: weights.baseAddress, bias: bias.baseAddress)
                    return ck_encoder_multiply(
                        precision, isa, &matrix, self.inputs, self.outputs, self.rows, self.tokens, &result)
                }
            }
            return status == CK_ENCODER_OK ? result : nil
        }

        func expect(_ result: [Float], within error: (Row, Column) -> Double) {
            let rows = (0..<self.tokens).map { Row(self.rows[$0 * self.inputs..<($0 + 1) * self.inputs]) }
            // A part of the columns, at every place of a vector and of a panel: 37 has no factor with their widths.
            let outputs = Array(stride(from: 0, to: self.outputs, by: 37))
            let columns = outputs.map { Column(self.weights[$0 * self.inputs..<($0 + 1) * self.inputs]) }
            var isRight = true  // and not the largest error, which would hide what is not a number
            for token in 0..<self.tokens {
                for (output, column) in zip(outputs, columns) {
                    var exact = 0.0, size = 0.0
                    for (x, w) in zip(rows[token].values, column.values) {
                        exact += x * w
                        size += (x * w).magnitude
                    }
                    exact += Double(self.bias[output])
                    let allowed =
                        error(rows[token], column) + 1e-4 * (size + Double(self.bias[output].magnitude))
                        + 1e-30
                    let difference = Double(result[token * self.outputs + output]) - exact
                    isRight = isRight && difference.magnitude <= allowed
                }
            }
            #expect(isRight, "\(self.tokens) rows of \(self.inputs)")
        }
    }

    private struct Row {
        let values: [Double]
        /// The largest without its sign, what there is between the smallest and the largest and zero, and the sum of all
        /// without their signs.
        let largest: Double, range: Double, sum: Double

        init(_ values: ArraySlice<Float>) {
            self.values = values.map(Double.init)
            self.largest = self.values.map(\.magnitude).max() ?? 0
            self.range = max(self.values.max() ?? 0, 0) - min(self.values.min() ?? 0, 0)
            self.sum = self.values.reduce(0) { $0 + $1.magnitude }
        }
    }

    private typealias Column = Row

    private func products(_ path: String, _ precision: ck_encoder_precision, within error: (Row, Column) -> Double)
        throws
    {
        var random = Numbers.Generator()
        let isa = try InstructionSet.path(named: path)
        for weights in Numbers.allCases {
            for rows in Numbers.allCases {
                let height = Self.heights.randomElement(using: &random) ?? 1
                for (inputs, outputs) in [(384, 384), (1536, 384)] {
                    let product = Product(
                        inputs: inputs, outputs: outputs, tokens: height,
                        weights: weights.make(inputs * outputs, &random, limit: 999),
                        bias: Numbers.ordinary.make(outputs, &random, limit: 1),
                        rows: rows.make(height * inputs, &random, limit: 1e6))
                    product.expect(try #require(product.result(precision, isa)), within: error)
                }
            }
        }
    }

    // An overflow of int32 would be an error of 2^32 units; what is allowed is the rounding of every factor.

    @Test(arguments: paths)
    func `products of int16 err by no more than their rounding`(path: String) throws {
        try self.products(path, CK_ENCODER_INT16) { row, column in
            // The finest that the packing may choose: for long rows of equal weights 341 units for the largest.
            let bound = 2_147_483_647.0 / 4095 - 0.51 * Double(row.values.count)
            let units = column.sum > 0 ? min((bound * column.largest / column.sum).rounded(.down), 32_767) : 32_767
            let weightError = 0.501 * column.largest / units, rowError = 0.501 * row.largest / 4095
            return row.sum * weightError + column.sum * rowError
                + Double(row.values.count) * weightError * rowError
        }
    }

    @Test(arguments: paths)
    func `products of int8 err by no more than their rounding`(path: String) throws {
        try self.products(path, CK_ENCODER_INT8) { row, column in
            // At the ends of the range the zero point's rounding adds to that of the number.
            let weightError = 0.501 * column.largest / 127, rowError = 1.001 * row.range / 255
            return row.sum * weightError + column.sum * rowError
                + Double(row.values.count) * weightError * rowError
        }
    }

    @Test(arguments: paths)
    func `products of fp32 err by no more than single precision`(path: String) throws {
        try self.products(path, CK_ENCODER_FP32) { _, _ in 0 }
    }

    @Test(arguments: paths)
    func `integer sums are the same on every path, to the last bit`(path: String) throws {
        var random = Numbers.Generator()
        let isa = try InstructionSet.path(named: path)
        for precision in [CK_ENCODER_INT16, CK_ENCODER_INT8] {
            for height in Self.heights {
                let product = Product(
                    inputs: 1536, outputs: 384, tokens: height,
                    weights: Numbers.ordinary.make(1536 * 384, &random, limit: 1),
                    bias: Numbers.zeros.make(384, &random, limit: 0),
                    rows: Numbers.outliers.make(height * 1536, &random, limit: 50))
                #expect(product.result(precision, isa) == product.result(precision, CK_ISA_SCALAR), "\(height) rows")
            }
        }
    }

    @Test func `sizes that no matrix of the network has are refused`() {
        for (inputs, outputs, tokens) in [(383, 384, 1), (384, 0, 1), (384, 384, 0), (384, 384, 257)] {
            let product = Product(
                inputs: inputs, outputs: outputs, tokens: tokens, weights: [], bias: [], rows: [])
            #expect(product.result(CK_ENCODER_INT8, CK_ISA_SCALAR) == nil)
        }
    }

    // MARK: - Attention

    /// Attention of 12 heads in double precision.
    private static func attention(_ qkv: [Float], tokens: Int) -> [Float] {
        var context = [Float](repeating: 0, count: tokens * 384)
        for head in 0..<12 {
            func part(_ kind: Int, _ token: Int) -> ArraySlice<Float> {
                let start = token * 1152 + kind * 384 + head * 32
                return qkv[start..<start + 32]
            }
            for token in 0..<tokens {
                let scores = (0..<tokens).map { other in
                    zip(part(0, token), part(1, other)).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                }
                let largest = scores.max() ?? 0
                let weights = scores.map { exp2(($0 - largest) * 1.4426950408889634) }
                let sum = weights.reduce(0, +)
                for k in 0..<32 {
                    var value = 0.0
                    for (other, weight) in weights.enumerated() {
                        value += weight * Double(part(2, other)[part(2, other).startIndex + k])
                    }
                    context[token * 384 + head * 32 + k] = Float(value / sum)
                }
            }
        }
        return context
    }

    /// 2^x without Foundation's and the platform's name for it.
    private static func exp2(_ x: Double) -> Double {
        let whole = max(x.rounded(.down), -1000)
        var term = 1.0, sum = 1.0
        for i in 1...20 {
            term *= max(x - whole, 0) * 0.6931471805599453 / Double(i)
            sum += term
        }
        return sum * Double(sign: .plus, exponent: Int(whole), significand: 1)
    }

    @Test(arguments: paths, [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 28, 29, 33, 65])
    func `attention is that of plain loops`(path: String, tokens: Int) throws {
        var random = Numbers.Generator()
        let isa = try InstructionSet.path(named: path)
        for scale: Float in [0, 0.3, 1, 3] {  // from all keys alike to one that takes all
            let qkv = Numbers.ordinary.make(tokens * 1152, &random, limit: 1).enumerated().map { index, number in
                index % 1152 < 768 ? number * scale : number
            }
            let expected = Self.attention(qkv, tokens: tokens)
            // Half a unit of every query and key is in a score, and scores grow with the square of the scale.
            let rounding = 1e-3 + 2e-3 * scale * scale
            for (precision, allowed) in [
                (CK_ENCODER_FP32, Float(1e-4)), (CK_ENCODER_INT16, rounding), (CK_ENCODER_INT8, rounding),
            ] {
                var context = [Float](repeating: .nan, count: tokens * 384)
                #expect(ck_encoder_attend(precision, isa, qkv, tokens, &context) == CK_ENCODER_OK)
                #expect(zip(context, expected).allSatisfy { ($0 - $1).magnitude <= allowed }, "scale \(scale)")
            }
        }
    }

    @Test(arguments: paths, [1, 14, 255, 256])
    func `attention of the largest numbers does not overflow`(path: String, tokens: Int) throws {
        let isa = try InstructionSet.path(named: path)
        for precision in [CK_ENCODER_FP32, CK_ENCODER_INT16, CK_ENCODER_INT8] {
            // Equal scores, so that the weights add to the most; and equal values, whose mean is known.
            for (query, key, value) in [(1e6, 1e6, 1e9), (-1e6, 1e6, -1e9), (0, 0, 1e9)] as [(Float, Float, Float)] {
                let qkv = (0..<tokens * 1152).map { [query, key, value][$0 % 1152 / 384] }
                var context = [Float](repeating: .nan, count: tokens * 384)
                #expect(ck_encoder_attend(precision, isa, qkv, tokens, &context) == CK_ENCODER_OK)
                #expect(context.allSatisfy { ($0 / value - 1).magnitude < 1e-3 }, "\(precision)")
            }
        }
    }
}
