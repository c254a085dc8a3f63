// SPDX-License-Identifier: Apache-2.0

/// One word of content or name has another in its place. English; rare names in any language.
enum WordSwapGuard {
    /// How rare both words must be if nothing is known of their kind, natural logarithm.
    private static let rare: Float = 5
    /// How many words such a question must have: of fewer too little is left to agree.
    private static let fewest = 5
    private static let agreement: Float = 0.6
    private static let closeness: Float = 0.9

    static func refuses(_ comparison: Comparison) -> Bool {
        let content = comparison.open(.content)
        // "New york" for "boston": a name may have two words.
        guard content.asked > 0, content.stored > 0, content.asked + content.stored <= 3 else { return false }
        let swapped = max(content.asked, content.stored)
        guard comparison.restAgrees(agreement, closeness, words: swapped, content: swapped) else { return false }
        if comparison.swapsKind { return true }
        guard content == (1, 1), comparison.asked.words.count >= fewest, let place = comparison.onlyDifferentPlace
        else { return false }
        return min(comparison.asked.words[place].idf, comparison.stored.words[place].idf) >= rare
    }
}

extension Comparison {
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
