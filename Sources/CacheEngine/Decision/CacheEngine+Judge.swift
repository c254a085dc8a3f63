// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions

extension CacheEngine {
    /// Asks the cache's judge, if it has one and the candidate is in its band.
    ///
    /// - Parameter isSure: Whether the policy would serve the candidate.
    /// - Returns: Why it is not served; `nil` if it is. No opinion is a no.
    func judged(
        _ chosen: Appraisal, isSure: Bool, _ ledger: DecisionLedger, _ inquiry: Inquiry
    ) async -> LookupMiss.Reason? {
        guard let name = inquiry.policy.decision.judge, let judge = self.judges[name] else {
            return isSure ? nil : .tooRisky
        }
        switch judge.band.place(of: chosen, isSure: isSure, in: ledger.phase) {
        case .within: break
        case .sure: return nil
        case .beyond: return .tooRisky
        }
        guard let stored = chosen.match.entry.prompt else { return .judged }
        let opinion = await judge.opinion(
            on: inquiry.text, and: stored, of: inquiry.partition.key,
            by: inquiry.deadline.leavingTimeToAnswer(from: .now))
        inquiry.decider.noteJudge(failed: opinion.isSame == nil, tokens: opinion.tokens)
        return opinion.isSame == true ? nil : .judged
    }
}

extension JudgeBand {
    fileprivate enum Place {
        case sure
        case within
        case beyond
    }

    /// Where a threshold decides, it is what a threshold would serve that is judged; where estimates do, what they refuse.
    fileprivate func place(
        of chosen: Appraisal, isSure: Bool, in phase: DecisionStatistics.Phase
    ) -> Place {
        if chosen.isSame { return .sure }
        switch phase {
        case .calibrated:
            if isSure { return .sure }
            return chosen.risk <= self.riskUpTo ? .within : .beyond
        case .threshold, .learning, .steppedBack, .exactOnly, .unavailable:
            guard isSure else { return .beyond }
            return chosen.match.similarity >= self.sureFrom ? .sure : .within
        }
    }
}
