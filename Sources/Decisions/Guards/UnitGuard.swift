// SPDX-License-Identifier: Apache-2.0

/// One number, two units: 10 mg and 10 g. Language-neutral but for the names of units.
enum UnitGuard {
    private static let agreement: Float = 0.6
    private static let closeness: Float = 0.7

    static func refuses(_ comparison: Comparison) -> Bool {
        guard comparison.restAgrees(agreement, closeness, words: 1, content: 1) else { return false }
        for one in comparison.asked.words where one.role == .number && one.unit != 0 {
            let same = comparison.stored.words.filter { $0.role == .number && $0.key == one.key && $0.unit != 0 }
            if !same.isEmpty, !same.contains(where: { $0.unit == one.unit }) { return true }
        }
        return false
    }
}
