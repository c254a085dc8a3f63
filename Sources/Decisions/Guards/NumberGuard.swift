// SPDX-License-Identifier: Apache-2.0

/// Each text has a number that the other lacks, or only numbers differ. Language-neutral.
enum NumberGuard {
    /// How much else must agree before numbers on both sides refuse: "a table for 2 at 8" against "for 3 at 7".
    private static let agreement: Float = 0.6
    private static let closeness: Float = 0.75

    static func refuses(_ comparison: Comparison) -> Bool {
        let left = comparison.open(.number)
        guard left.asked + left.stored > 0 else { return false }
        if left.asked > 0, left.stored > 0 { return comparison.restAgrees(agreement, closeness) }
        // A number on one side only: where there is no other difference at all.
        return comparison.differsOnlyInNumbers
    }
}

extension Comparison {
    var differsOnlyInNumbers: Bool {
        let numbers = open(.number)
        let others = askedOpen.count + storedOpen.count - numbers.asked - numbers.stored
        return others <= 1 && open(.content) == (0, 0) && opposites == 0 && commonContent > 1
    }
}
