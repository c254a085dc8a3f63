// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// A label: whether the candidate for a question would have been right, with all that was known when it was decided on.
/// Holds no text.
package struct DecisionRecord: Sendable, Equatable {
    package enum Source: UInt8, Sendable, Hashable, CaseIterable {
        /// The caller stored a fresh answer after a refusal.
        case store = 1
        /// The caller stored a fresh answer where the candidate would have been served.
        case audit = 2
        case feedback = 3
    }

    package let isRight: Bool
    package let source: Source
    /// Cosine of question and candidate.
    package let similarity: Float
    /// As estimated then.
    package let risk: Float
    /// Whether a guard refused the candidate.
    package let isGuarded: Bool
    /// Of the candidate.
    package let cluster: AnswerCluster
    /// In the order of ``RiskModel/featureNames``.
    package let features: [Float]

    package init(
        isRight: Bool, source: Source, similarity: Float, risk: Float, isGuarded: Bool, cluster: AnswerCluster,
        features: [Float]
    ) {
        self.isRight = isRight
        self.source = source
        self.similarity = similarity
        self.risk = risk
        self.isGuarded = isGuarded
        self.cluster = cluster
        self.features = features
    }

    /// Whether the candidate would have been served.
    package var wouldServe: Bool { self.source != .store }

    /// - Parameter origin: Of the process that writes it, so that it knows its own.
    package func bytes(origin: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [
            RiskModel.version, self.source.rawValue | (self.isRight ? 0x10 : 0) | (self.isGuarded ? 0x20 : 0),
        ]
        bytes.reserveCapacity(30 + 4 * self.features.count)
        bytes.append(integer: origin)
        bytes.append(integer: self.similarity.bitPattern)
        bytes.append(integer: self.risk.bitPattern)
        bytes += self.cluster.bytes
        for feature in self.features { bytes.append(integer: feature.bitPattern) }
        return bytes
    }

    /// Reads a record; `nil` if it is of another version or is none.
    package init?(bytes: [UInt8]) {
        let head = 30
        let count = RiskModel.count - 1
        guard bytes.count == head + 4 * count, bytes[0] == RiskModel.version,
            let source = Source(rawValue: bytes[1] & 0x0f),
            let cluster = AnswerCluster(bytes: bytes[14..<30])
        else { return nil }
        let numbers = ([6, 10] + (0..<count).map { head + 4 * $0 }).map { Float(bitPattern: bytes.integer(at: $0)) }
        // Who judges an answer by a lookup id sends one back, in which anything can be.
        guard numbers.allSatisfy(\.isFinite), (-1.001...1.001).contains(numbers[0]), (0...1).contains(numbers[1]) else {
            return nil
        }
        self.init(
            isRight: bytes[1] & 0x10 != 0, source: source, similarity: numbers[0], risk: numbers[1],
            isGuarded: bytes[1] & 0x20 != 0, cluster: cluster, features: Array(numbers[2...]))
    }

    /// The process that wrote a record.
    package static func origin(of bytes: [UInt8]) -> UInt32? { bytes.count >= 6 ? bytes.integer(at: 2) : nil }
}

extension [UInt8] {
    /// Big-endian.
    mutating func append(integer: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: integer.bigEndian) { self += $0 }
    }

    /// Big-endian. There must be as many bytes.
    func integer<Integer: FixedWidthInteger>(at position: Int) -> Integer {
        self[position..<position + Integer.bitWidth / 8].reduce(0) { $0 << 8 | Integer($1) }
    }
}
