// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Tells whether two answers say the same, where that can be told by looking at them.
package enum AnswerComparison {
    /// Longer answers are compared by their bytes alone.
    package static let maximumBytes = 16_384
    /// Content words up to which an answer is a name or a number: another one is another answer.
    private static let shortAnswer = 4
    /// Content words up to which an answer with hardly a word in common is another: longer ones say one thing in many
    /// ways.
    private static let sentence = 12
    /// Share of content words in common from which answers that agree in all numbers say the same.
    private static let same: Float = 0.8
    /// Share of content words in common up to which sentences do not.
    private static let different: Float = 0.1

    /// - Returns: Whether both say the same; `nil` if that is uncertain, as it is of anything but text.
    package static func areSame(_ one: [UInt8], _ other: [UInt8]) -> Bool? {
        if one == other { return true }
        guard max(one.count, other.count) <= Self.maximumBytes, let first = Self.text(one),
            let second = Self.text(other)
        else { return nil }
        if QuestionText.normalised(first) == QuestionText.normalised(second) { return true }
        // "card_arrival" is no sentence, and says nothing of "card".
        if Self.isName(one), Self.isName(other), (one + other).contains(UInt8(ascii: "_")) { return false }
        let wordings = (Wording(first), Wording(second))
        if wordings.0.isTruncated || wordings.1.isTruncated { return nil }
        let comparison = Comparison(wordings.0, wordings.1)
        let agree = refusal(comparison, by: .all) == nil
        let contents = (wordings.0.contents, wordings.1.contents)
        let longest = max(contents.0.count, contents.1.count)
        if longest <= Self.shortAnswer {
            guard agree else { return false }
            if contents.0 == contents.1 { return contents.0.isEmpty ? nil : true }
        }
        if contents.0.isEmpty || contents.1.isEmpty || Self.contains(contents.0, contents.1)
            || Self.contains(contents.1, contents.0)
        {
            return longest > Self.shortAnswer ? Self.areSame(Likeness(comparison), agree) : nil
        }
        if longest <= Self.shortAnswer {
            // Each has what the other has not, unless in other words.
            let isReworded =
                comparison.open(.content) == (0, 0) && comparison.open(.number) == (0, 0) && comparison.opposites == 0
            return isReworded && !(Self.isName(one) && Self.isName(other)) ? nil : false
        }
        let likeness = Likeness(comparison)
        if longest <= Self.sentence, likeness.contentJaccard <= Self.different { return false }
        return Self.areSame(likeness, agree)
    }

    private static func areSame(_ likeness: Likeness, _ agree: Bool) -> Bool? {
        likeness.contentJaccard >= Self.same && agree && !likeness.numbersDiffer ? true : nil
    }

    /// One word, or words that are joined by signs.
    private static func isName(_ answer: [UInt8]) -> Bool { !answer.contains { $0 <= 0x20 } }

    /// Whether one ascending list has all of another.
    private static func contains(_ all: [UInt64], _ some: [UInt64]) -> Bool {
        var rest = all[...]
        for key in some {
            guard let place = rest.firstIndex(of: key) else { return false }
            rest = rest[(place + 1)...]
        }
        return true
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
    /// What an answer may begin with.
    private static let fillers: Set<UInt64> = [Stem.hash(Array("answer".utf8))]

    /// The words that carry the meaning, ascending.
    fileprivate var contents: [UInt64] {
        self.words.filter { $0.role != .function && !Self.fillers.contains($0.key) }.map(\.key).sorted()
    }
}
