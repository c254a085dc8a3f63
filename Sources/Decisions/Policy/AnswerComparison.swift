// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Tells whether two answers say the same, where that can be told by looking at them.
package enum AnswerComparison {
    /// Longer answers are compared by their bytes alone.
    package static let maximumBytes = 16_384
    /// Content words up to which an answer is a name or a number: another one is another answer.
    private static let shortAnswer = 4
    /// Share of content words in common from which answers that agree in all numbers say the same.
    private static let same: Float = 0.8
    /// Share of content words in common up to which they do not.
    private static let different: Float = 0.3

    /// - Returns: Whether both say the same; `nil` if that is uncertain, as it is of anything but text.
    package static func areSame(_ one: [UInt8], _ other: [UInt8]) -> Bool? {
        if one == other { return true }
        guard max(one.count, other.count) <= Self.maximumBytes, let first = Self.text(one),
            let second = Self.text(other)
        else { return nil }
        if QuestionText.normalised(first) == QuestionText.normalised(second) { return true }
        let wordings = (Wording(first), Wording(second))
        let likeness = Likeness(wordings.0, wordings.1)
        if max(wordings.0.contentWords, wordings.1.contentWords) <= Self.shortAnswer { return false }
        if wordings.0.isTruncated || wordings.1.isTruncated { return nil }
        if likeness.contentJaccard <= Self.different { return false }
        let agree = refusal(between: wordings.0, and: wordings.1, by: .all) == nil && !likeness.numbersDiffer
        return likeness.contentJaccard >= Self.same && agree ? true : nil
    }

    private static func text(_ bytes: [UInt8]) -> CanonicalPrompt? {
        bytes.withUnsafeBytes { try? CanonicalPrompt($0) }
    }
}

extension Likeness {
    var contentJaccard: Float { self.lanes[8] }
    var numbersDiffer: Bool { self.lanes[1] > 0 }
}

extension Wording {
    /// Words that carry the meaning.
    fileprivate var contentWords: Int { self.words.count { $0.role != .function } }
}
