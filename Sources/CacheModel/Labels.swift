// SPDX-License-Identifier: Apache-2.0

/// What a Labels asks: a page of a cache's decisions whose outcome is known.
package struct LabelsRequest: Sendable, Equatable {
    package var cache: String
    /// Only those with higher numbers; 0 for all that are kept.
    package var after: UInt64
    /// 1…``Limits/maximumLabelsPage``.
    package var pageSize: Int

    package init(cache: String, after: UInt64 = 0, pageSize: Int = Limits.maximumLabelsPage) {
        self.cache = cache
        self.after = after
        self.pageSize = pageSize
    }
}

/// A decision on a candidate, and what turned out. Holds nothing of either question.
package struct LabelledDecision: Sendable, Equatable {
    /// Whence it is known.
    package enum Source: String, Sendable, Hashable, CaseIterable {
        /// The answer that was stored after a miss, beside the candidate's.
        case store
        /// The same, where the candidate would have been served but for the audit.
        case audit
        case feedback
    }

    /// Goes up by time; never used again in its cache.
    package let number: UInt64
    /// Cosine, −1…1.
    package let similarity: Float
    /// Estimated probability that the candidate's answer was wrong, 0…1; `nil` without an estimate.
    package let risk: Float?
    package let isRight: Bool
    /// Whether it was served, or would have been.
    package let wouldServe: Bool
    /// Whether a guard refused the candidate: no threshold would have served it.
    package let isGuarded: Bool
    package let source: Source

    package init(
        number: UInt64, similarity: Float, risk: Float?, isRight: Bool, wouldServe: Bool, source: Source,
        isGuarded: Bool = false
    ) {
        self.number = number
        self.similarity = similarity
        self.risk = risk
        self.isRight = isRight
        self.wouldServe = wouldServe
        self.isGuarded = isGuarded
        self.source = source
    }
}

/// What a Labels answers.
package struct LabelsPage: Sendable, Equatable {
    /// Ascending by number. May be empty though there are more.
    package let decisions: [LabelledDecision]
    /// ``LabelsRequest/after`` of the next page; `nil` on the last.
    package let next: UInt64?
    /// Number of the newest; 0 if there is none.
    package let last: UInt64

    package init(decisions: [LabelledDecision], next: UInt64?, last: UInt64) {
        self.decisions = decisions
        self.next = next
        self.last = last
    }
}
