// SPDX-License-Identifier: Apache-2.0

/// A word has its opposite in its place: credit and debit, legal and illegal. English.
enum AntonymGuard {
    private static let agreement: Float = 0.6
    private static let closeness: Float = 0.6

    static func refuses(_ comparison: Comparison) -> Bool {
        comparison.opposites > comparison.oppositeFunctions && !comparison.negationsDiffer
            && comparison.restAgrees(agreement, closeness)
    }
}
