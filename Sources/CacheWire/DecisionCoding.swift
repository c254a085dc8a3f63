// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

// What answers and statistics say of decisions. A newer server may know policies, guards and phases that this client does
// not: what it says of them is left out, or told as the nearest that is known, and the answer stands.

extension MessageBuilder {
    func decision(_ decision: DecisionExplanation?) -> UnsafeMutablePointer<Semcached__V1__Decision>? {
        guard let decision else { return nil }
        let packed = self.make(semcached__v1__decision__init)
        packed.pointee.policy = self.bytes(decision.kind.rawValue)
        if let risk = decision.risk {
            packed.pointee.risk_present_case = SEMCACHED__V1__DECISION__RISK_PRESENT_RISK
            packed.pointee.risk = risk
        }
        if let limit = decision.riskLimit {
            packed.pointee.risk_limit_present_case = SEMCACHED__V1__DECISION__RISK_LIMIT_PRESENT_RISK_LIMIT
            packed.pointee.risk_limit = limit
        }
        return packed
    }

    /// - Returns: `nil` if all is as it is without a message.
    func decisions(_ statistics: DecisionStatistics) -> UnsafeMutablePointer<Semcached__V1__DecisionStats>? {
        guard statistics != DecisionStatistics() else { return nil }
        let packed = self.make(semcached__v1__decision_stats__init)
        packed.pointee.phase = statistics.phase.wire
        copy(decisionCounters, from: statistics, to: packed)
        for share in decisionShares { packed.pointee[keyPath: share.packed] = statistics[keyPath: share.noun] }
        // In order, so that the same figures are the same bytes.
        let refusals = statistics.refusals.sorted { $0.key < $1.key }.prefix(Limits.maximumRefusalReasons)
        (packed.pointee.n_refusals, packed.pointee.refusals) = self.list(Array(refusals)) { reason, count in
            let packed: UnsafeMutablePointer<Semcached__V1__Refusals>? = self.make(semcached__v1__refusals__init)
            packed?.pointee.reason = self.bytes(reason)
            packed?.pointee.count = count
            return packed
        }
        return packed
    }
}

extension DecisionExplanation? {
    init(_ packed: UnsafeMutablePointer<Semcached__V1__Decision>?) {
        guard let packed = packed?.pointee,
            let kind = DecisionPolicy.Kind(rawValue: String(decoding: packed.policy.bytes, as: UTF8.self))
        else {
            self = nil
            return
        }
        let hasRisk = packed.risk_present_case == SEMCACHED__V1__DECISION__RISK_PRESENT_RISK
        let hasLimit = packed.risk_limit_present_case == SEMCACHED__V1__DECISION__RISK_LIMIT_PRESENT_RISK_LIMIT
        self = DecisionExplanation(
            kind: kind, risk: hasRisk ? share(packed.risk) : nil, riskLimit: hasLimit ? share(packed.risk_limit) : nil)
    }
}

extension DecisionStatistics {
    init(_ packed: UnsafeMutablePointer<Semcached__V1__DecisionStats>?) {
        self.init()
        guard let packed = packed?.pointee else { return }
        // A phase that is not known is one in which this client cannot say what decides.
        self.phase = Phase.allCases.first { $0.wire == packed.phase } ?? .unavailable
        copy(decisionCounters, from: packed, to: &self)
        for part in decisionShares { self[keyPath: part.noun] = share(packed[keyPath: part.packed]) ?? 0 }
        for refusals in RepeatedMessages(packed.refusals, min(packed.n_refusals, Limits.maximumRefusalReasons)) {
            guard refusals.reason.len <= Limits.maximumRefusalReasonBytes,
                let reason = String(validating: refusals.reason.bytes, as: UTF8.self)
            else { continue }
            self.refusals[reason] = refusals.count
        }
    }
}

/// `nil` for what is none: the sender is another machine, and what is not a number has no form in JSON.
func share<Value: BinaryFloatingPoint>(_ value: Value) -> Value? { value >= 0 && value <= 1 ? value : nil }

private let decisionCounters: [Counter<DecisionStatistics, Semcached__V1__DecisionStats>] = [
    (\.labels, \.labels), (\.labelsNeeded, \.labels_needed), (\.rightLabels, \.right_labels), (\.audits, \.audits),
    (\.wrongAudits, \.wrong_audits), (\.feedbackRight, \.feedback_right), (\.feedbackWrong, \.feedback_wrong),
    (\.shadowHits, \.shadow_hits), (\.judgeCalls, \.judge_calls), (\.judgeFailures, \.judge_failures),
    (\.judgeTokens, \.judge_tokens),
]

private typealias Share = (
    noun: any WritableKeyPath<DecisionStatistics, Double> & Sendable,
    packed: any WritableKeyPath<Semcached__V1__DecisionStats, Double> & Sendable
)

private let decisionShares: [Share] = [
    (\.errorBudget, \.error_budget), (\.wrongHitLimit, \.wrong_hit_limit), (\.riskLimit, \.risk_limit),
    (\.wrongPerLookup, \.wrong_per_lookup), (\.wrongPerHit, \.wrong_per_hit),
]

extension DecisionStatistics.Phase {
    fileprivate var wire: Semcached__V1__DecisionPhase {
        switch self {
        case .threshold: SEMCACHED__V1__DECISION_PHASE__DECISION_PHASE_THRESHOLD
        case .learning: SEMCACHED__V1__DECISION_PHASE__DECISION_PHASE_LEARNING
        case .calibrated: SEMCACHED__V1__DECISION_PHASE__DECISION_PHASE_CALIBRATED
        case .steppedBack: SEMCACHED__V1__DECISION_PHASE__DECISION_PHASE_STEPPED_BACK
        case .exactOnly: SEMCACHED__V1__DECISION_PHASE__DECISION_PHASE_EXACT_ONLY
        case .unavailable: SEMCACHED__V1__DECISION_PHASE__DECISION_PHASE_UNAVAILABLE
        }
    }
}
