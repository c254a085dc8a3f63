// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// What the decisions of a cache come to, as JSON.
struct DecisionsObject: Encodable {
    let phase: String
    let errorBudget: Double
    let wrongHitLimit: Double
    let labels: UInt64
    let labelsNeeded: UInt64
    let rightLabels: UInt64
    let riskLimit: Double
    let wrongPerLookup: Double
    let wrongPerHit: Double
    let audits: UInt64
    let wrongAudits: UInt64
    let feedbackRight: UInt64
    let feedbackWrong: UInt64
    let shadowHits: UInt64
    let refusals: [String: UInt64]
    let judgeCalls: UInt64
    let judgeFailures: UInt64
    let judgeTokens: UInt64

    enum CodingKeys: String, CodingKey {
        case phase
        case errorBudget = "error_budget"
        case wrongHitLimit = "wrong_hit_limit"
        case labels
        case labelsNeeded = "labels_needed"
        case rightLabels = "right_labels"
        case riskLimit = "risk_limit"
        case wrongPerLookup = "wrong_per_lookup"
        case wrongPerHit = "wrong_per_hit"
        case audits
        case wrongAudits = "wrong_audits"
        case feedbackRight = "feedback_right"
        case feedbackWrong = "feedback_wrong"
        case shadowHits = "shadow_hits"
        case refusals
        case judgeCalls = "judge_calls"
        case judgeFailures = "judge_failures"
        case judgeTokens = "judge_tokens"
    }

    init(_ decisions: ServerStatistics.Decisions) {
        self.phase = decisions.phase.rawValue
        self.errorBudget = decisions.errorBudget
        self.wrongHitLimit = decisions.wrongHitLimit
        self.labels = decisions.labels
        self.labelsNeeded = decisions.labelsNeeded
        self.rightLabels = decisions.rightLabels
        self.riskLimit = decisions.riskLimit
        self.wrongPerLookup = decisions.wrongPerLookup
        self.wrongPerHit = decisions.wrongPerHit
        self.audits = decisions.audits
        self.wrongAudits = decisions.wrongAudits
        self.feedbackRight = decisions.feedbackRight
        self.feedbackWrong = decisions.feedbackWrong
        self.shadowHits = decisions.shadowHits
        self.refusals = decisions.refusals
        self.judgeCalls = decisions.judgeCalls
        self.judgeFailures = decisions.judgeFailures
        self.judgeTokens = decisions.judgeTokens
    }
}
