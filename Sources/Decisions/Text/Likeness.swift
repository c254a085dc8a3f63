// SPDX-License-Identifier: Apache-2.0

/// The lexical features of two prompts, for a learned decision: each 0...1, in the order of ``names``.
package struct Likeness: Sendable {
    package static let names: [String] = [
        "number_conflict", "number_differs", "tight_negation", "question_type_differs", "antonym", "word_swap",
        "roles_swapped", "trigram_jaccard", "content_jaccard", "idf_jaccard", "length_ratio", "rarest_asked",
        "rarest_stored",
    ]

    /// The features; lanes beyond them are 0.
    package let lanes: SIMD16<Float>

    package var values: [Float] { (0..<Self.names.count).map { lanes[$0] } }

    package init(_ asked: Wording, _ stored: Wording) {
        self.init(Comparison(asked, stored))
    }

    init(_ comparison: Comparison) {
        let (asked, stored) = (comparison.asked, comparison.stored)
        let (askedLane, storedLane) = comparison.isTurned ? (12, 11) : (11, 12)
        var lanes = SIMD16<Float>()
        let numbers = comparison.open(.number)
        lanes[0] = numbers.asked > 0 && numbers.stored > 0 ? 1 : 0
        lanes[1] = numbers.asked + numbers.stored > 0 ? 1 : 0
        lanes[2] = NegationGuard.refuses(comparison) ? 1 : 0
        lanes[3] = comparison.questionTypesDiffer ? 1 : 0
        lanes[4] = comparison.opposites > 0 ? 1 : 0
        lanes[5] = WordSwapGuard.refuses(comparison) ? 1 : 0
        lanes[6] = RolesGuard.refuses(comparison) ? 1 : 0
        lanes[7] = Self.jaccard(asked.trigrams, stored.trigrams)
        var common: (count: Float, idf: Float) = (0, 0)
        var left: (count: Float, idf: Float) = (0, 0)
        lanes[askedLane] = Self.weigh(asked, comparison.askedOpen, &common, &left)
        var uncounted: (count: Float, idf: Float) = (0, 0)
        lanes[storedLane] = Self.weigh(stored, comparison.storedOpen, &uncounted, &left)
        lanes[8] = common.count + left.count > 0 ? common.count / (common.count + left.count) : 1
        lanes[9] = common.idf + left.idf > 0 ? common.idf / (common.idf + left.idf) : 1
        let lengths = (Float(asked.words.count), Float(stored.words.count))
        lanes[10] = min(lengths.0, lengths.1) / max(1, max(lengths.0, lengths.1))
        self.lanes = lanes
    }

    /// Adds up what a side's words of content weigh.
    ///
    /// - Returns: The rarest without a partner, idf / 10, at most 1.
    private static func weigh(
        _ wording: Wording, _ open: WordSet, _ common: inout (count: Float, idf: Float),
        _ left: inout (count: Float, idf: Float)
    ) -> Float {
        var rarest: Float = 0
        for (index, word) in wording.words.enumerated() where word.role == .content || word.role == .number {
            if open.contains(index) {
                left.count += 1
                left.idf += word.idf
                rarest = max(rarest, word.idf)
            } else {
                common.count += 1
                common.idf += word.idf
            }
        }
        return min(1, rarest / 10)
    }

    /// Of two ascending lists.
    private static func jaccard(_ one: [UInt32], _ two: [UInt32]) -> Float {
        guard !one.isEmpty || !two.isEmpty else { return 1 }
        var first = 0
        var second = 0
        var common = 0
        while first < one.count, second < two.count {
            let (a, b) = (one[first], two[second])
            common += a == b ? 1 : 0
            first += a <= b ? 1 : 0
            second += b <= a ? 1 : 0
        }
        return Float(common) / Float(one.count + two.count - common)
    }
}
