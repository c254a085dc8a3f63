// SPDX-License-Identifier: Apache-2.0

/// Each text has a number that the other lacks, or only numbers differ. Language-neutral.
enum NumberGuard {
    /// How much else must agree before numbers on both sides refuse: "a table for 2 at 8" against "for 3 at 7".
    private static let agreement: Float = 0.6
    private static let closeness: Float = 0.75

    static func refuses(_ comparison: Comparison) -> Bool {
        let left = comparison.open(.number)
        guard left.asked + left.stored > 0 else { return comparison.turnsNumbers }
        if left.asked > 0, left.stored > 0 { return comparison.restAgrees(agreement, closeness) }
        // A number on one side only: where there is no other difference at all.
        return comparison.differsOnlyInNumbers
    }
}

extension Comparison {
    /// "2/3" and "3/2", "10-2" and "10/2": the same numbers, in another order or with another sign between them.
    fileprivate var turnsNumbers: Bool {
        guard askedOpen.isEmpty, storedOpen.isEmpty else { return false }
        let one = asked.words.filter { $0.role == .number }
        let two = stored.words.filter { $0.role == .number }
        guard one.count == two.count, one.count > 1, one.contains(where: { $0.joint != 0 }) else { return false }
        let isTurned = zip(one, two).contains { $0.key != $1.key && ($0.joint != 0 || $1.joint != 0) }
        // Of a date or of "24/7" the sign says nothing.
        let isReckoned = one.count == 2 && asked.words.count <= 4 && asked.questionOpens
        return isTurned || (isReckoned && one[1].joint != two[1].joint && min(one[1].joint, two[1].joint) != 0)
    }

    var differsOnlyInNumbers: Bool {
        let (functions, negations) = (open(.function), open(.negation))
        let others = functions.asked + functions.stored + negations.asked + negations.stored
        return others <= 1 && opensOnlySigns && opposites == 0
            && (commonContent > 1 || (commonContent == 1 && min(asked.words.count, stored.words.count) >= 3))
    }

    /// Of content, that is: "n^2" for "n".
    private var opensOnlySigns: Bool {
        func isWord(_ word: Wording.Word) -> Bool { word.role == .content && word.kind != .sign }
        return askedOpen.first { isWord(asked.words[$0]) } == nil
            && storedOpen.first { isWord(stored.words[$0]) } == nil
    }
}

extension Wording {
    private static let what = WordHash.of("what")

    fileprivate var questionOpens: Bool { words.first?.exact == Self.what }
}
