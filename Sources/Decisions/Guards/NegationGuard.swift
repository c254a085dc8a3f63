// SPDX-License-Identifier: Apache-2.0

/// One negates what the other asks. Seven languages.
enum NegationGuard {
    private static let agreement: Float = 0.85
    private static let closeness: Float = 0.9

    static func refuses(_ comparison: Comparison) -> Bool {
        // "Not right" is "wrong".
        guard comparison.negationsDiffer, comparison.opposites == 0 else { return false }
        return comparison.restAgrees(agreement, closeness, words: 2)
    }
}
