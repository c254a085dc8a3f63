// SPDX-License-Identifier: Apache-2.0

/// One word of content or name has another in its place. English; rare names in any language.
enum WordSwapGuard {
    /// How rare both words must be if nothing is known of their kind, natural logarithm.
    private static let rare: Float = 5
    /// How many words such a question must have, unless nobody knows either word: of fewer too little is left to
    /// agree.
    private static let fewest = 5
    private static let fewestOfAll = 3
    private static let agreement: Float = 0.6
    private static let closeness: Float = 0.9

    static func refuses(_ comparison: Comparison) -> Bool {
        if comparison.addsSigns || comparison.swapsLetters { return true }
        let content = comparison.open(.content)
        let swapsKind = comparison.swapsKind
        // "New york" for "boston": a name may have two words.
        guard content.asked > 0 && content.stored > 0 || swapsKind, content.asked + content.stored <= 3 else {
            return false
        }
        // Courtesies that are spoken of are no words of content.
        let swapped = max(content.asked, content.stored, swapsKind ? 1 : 0)
        guard comparison.restAgrees(agreement, closeness, words: swapped, content: swapped) else { return false }
        if swapsKind { return true }
        guard content == (1, 1), let place = comparison.onlyDifferentPlace else { return false }
        let rarity = min(comparison.asked.words[place].idf, comparison.stored.words[place].idf)
        return rarity >= (comparison.asked.words.count >= fewest ? rare : Rarity.ofUnknown)
            && comparison.asked.words.count >= fewestOfAll
    }
}

extension Comparison {
    /// "C" and "C++", "5!" and "5", brackets in a formula: nothing else differs.
    fileprivate var addsSigns: Bool {
        guard !askedOpen.isEmpty || !storedOpen.isEmpty, opposites == 0 else { return false }
        let isFormula = asked.hasOperator && stored.hasOperator
        func counts(_ word: Wording.Word, _ other: Wording) -> Bool {
            // "10/2" is "10 / 2".
            if word.length == 1, other.words.contains(where: { Stem.hash([$0.joint]) == word.exact }) { return false }
            if word.key == Wording.percent || word.key == Wording.permille { return true }
            guard word.kind == .sign, word.role == .content else { return false }
            if Wording.brackets.contains(word.exact) { return isFormula }
            // "See you at 5!" calls out.
            return word.exact != Wording.exclamation || max(asked.words.count, stored.words.count) <= 4
        }
        return askedOpen.first { !counts(asked.words[$0], stored) } == nil
            && storedOpen.first { !counts(stored.words[$0], asked) } == nil
    }

    /// "Type A" and "type B": an article is a name where another letter stands in its place.
    fileprivate var swapsLetters: Bool {
        guard let place = onlyDifferentPlace else { return false }
        let (one, two) = (asked.words[place], stored.words[place])
        return one.length == 1 && two.length == 1 && one.role != .number && two.role != .number
    }

    /// Whether each side is left with a name of one kind.
    var swapsKind: Bool {
        askedOpen.first { place in
            let kind = asked.words[place].kind
            return kind != .none && storedOpen.first { stored.words[$0].kind == kind } != nil
        } != nil
    }

    /// The place of the one word that differs, if all the others are the same in the same order.
    var onlyDifferentPlace: Int? {
        guard asked.words.count == stored.words.count, askedOpen.count == 1, askedOpen == storedOpen,
            let place = askedOpen.first(from: 0)
        else { return nil }
        let isSame = asked.words.indices.allSatisfy { $0 == place || asked.words[$0].key == stored.words[$0].key }
        return isSame ? place : nil
    }
}

extension Wording {
    fileprivate static let brackets: Set<UInt64> = Set(["(", ")", "[", "]"].map { WordHash.of($0.utf8) })
    fileprivate static let percent = Stem.hash(Array("percent".utf8))
    fileprivate static let permille = Stem.hash(Array("permille".utf8))
    fileprivate static let exclamation = WordHash.of("!")

    fileprivate var hasOperator: Bool {
        words.contains { $0.kind == .sign && !Self.brackets.contains($0.exact) }
    }
}
