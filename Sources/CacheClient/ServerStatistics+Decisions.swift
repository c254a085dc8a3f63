// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension ServerStatistics {
    /// What the decisions of one cache come to. Shares are 0…1.
    public struct Decisions: Sendable, Hashable {
        /// What decides on answers that are found by meaning.
        public enum Phase: String, Sendable, Hashable, CaseIterable {
            /// The cache is set to a static threshold.
            case threshold
            /// Too few labels, or the estimates do not hold yet: a threshold decides.
            case learning
            /// The calibrated policy decides.
            case calibrated
            /// The estimates held once and do not any more: a threshold decides.
            case steppedBack = "stepped_back"
            /// What a threshold would serve is wrong too often: exact matches only.
            case exactOnly = "exact_only"
            /// The labels cannot be read: a threshold decides.
            case unavailable
        }

        /// What decides now.
        public let phase: Phase
        /// Wrong answers per lookup that are allowed.
        public let errorBudget: Double
        /// Wrong answers per hit by meaning that are allowed.
        public let wrongHitLimit: Double
        /// What the policy has to learn from.
        public let labels: UInt64
        /// With which the calibrated policy may take over.
        public let labelsNeeded: UInt64
        /// Of the labels, those that say that the answer was right.
        public let rightLabels: UInt64
        /// Up to which risk is served.
        public let riskLimit: Double
        /// Estimated share of wrong answers among lookups, of late.
        public let wrongPerLookup: Double
        /// Estimated share of wrong answers among hits by meaning, of late.
        public let wrongPerHit: Double
        /// Would-be hits that were kept back, so that their answers could be compared.
        public let audits: UInt64
        /// Of the audits, those whose answer was wrong.
        public let wrongAudits: UInt64
        /// Feedback that an answer was right.
        public let feedbackRight: UInt64
        /// Feedback that an answer was wrong.
        public let feedbackWrong: UInt64
        /// Would-be hits of a cache in shadow mode.
        public let shadowHits: UInt64
        /// Candidates that were refused, by why: the name of a guard (see ``CacheGuard``), `risk`, `blocked` or `judge`.
        public let refusals: [String: UInt64]
        /// Questions to the judge.
        public let judgeCalls: UInt64
        /// Of them, those without an answer.
        public let judgeFailures: UInt64
        /// Tokens that the judge says it took.
        public let judgeTokens: UInt64
    }
}

extension ServerStatistics.Decisions {
    init(_ statistics: DecisionStatistics) {
        self.phase = Phase(statistics.phase)
        self.errorBudget = statistics.errorBudget
        self.wrongHitLimit = statistics.wrongHitLimit
        self.labels = statistics.labels
        self.labelsNeeded = statistics.labelsNeeded
        self.rightLabels = statistics.rightLabels
        self.riskLimit = statistics.riskLimit
        self.wrongPerLookup = statistics.wrongPerLookup
        self.wrongPerHit = statistics.wrongPerHit
        self.audits = statistics.audits
        self.wrongAudits = statistics.wrongAudits
        self.feedbackRight = statistics.feedbackRight
        self.feedbackWrong = statistics.feedbackWrong
        self.shadowHits = statistics.shadowHits
        self.refusals = statistics.refusals
        self.judgeCalls = statistics.judgeCalls
        self.judgeFailures = statistics.judgeFailures
        self.judgeTokens = statistics.judgeTokens
    }
}

extension ServerStatistics.Decisions.Phase {
    init(_ phase: DecisionStatistics.Phase) {
        switch phase {
        case .threshold: self = .threshold
        case .learning: self = .learning
        case .calibrated: self = .calibrated
        case .steppedBack: self = .steppedBack
        case .exactOnly: self = .exactOnly
        case .unavailable: self = .unavailable
        }
    }
}
