// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Tells whether the answer to one question is right for another, where the decision policy is uncertain.
package protocol AnswerJudge: Sendable {
    /// In which cases it is asked.
    var band: JudgeBand { get }

    /// - Parameter partition: Key of the partition that both questions are of. What is remembered of one is not used for
    ///   another.
    /// - Returns: By the deadline, or by one of its own that is earlier; without an opinion if it could not tell.
    func opinion(
        on asked: CanonicalPrompt, and stored: CanonicalPrompt, of partition: Digest,
        by deadline: ContinuousClock.Instant
    ) async -> JudgeOpinion
}

/// Between what is sure and what is out of the question.
package struct JudgeBand: Sendable, Hashable {
    /// Where a threshold decides: cosine from which a candidate is served without being judged.
    package let sureFrom: Float
    /// Where estimates decide: up to this risk a candidate that is over the limit may be served if it is judged right.
    package let riskUpTo: Double

    package init(sureFrom: Float = 0.95, riskUpTo: Double = 0.3) {
        self.sureFrom = sureFrom
        self.riskUpTo = riskUpTo
    }
}

package struct JudgeOpinion: Sendable, Hashable {
    /// Whether both have the same answer; `nil` if it could not be told.
    package let isSame: Bool?
    /// That it took, as far as is known.
    package let tokens: UInt64

    package init(isSame: Bool?, tokens: UInt64 = 0) {
        self.isSame = isSame
        self.tokens = tokens
    }
}
