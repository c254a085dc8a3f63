// SPDX-License-Identifier: Apache-2.0

/// Who, when, where, why, how many: different ones. English.
enum QuestionTypeGuard {
    private static let agreement: Float = 0.7
    private static let closeness: Float = 0.9

    static func refuses(_ comparison: Comparison) -> Bool {
        comparison.questionTypesDiffer && comparison.restAgrees(agreement, closeness, words: 2)
    }
}

extension Comparison {
    var questionTypesDiffer: Bool {
        guard let one = asked.questionType, let two = stored.questionType else { return false }
        return one.differs(from: two)
    }
}
