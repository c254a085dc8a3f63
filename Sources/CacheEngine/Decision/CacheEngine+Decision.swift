// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions

extension CacheEngine {
    /// What a search has come to once it was decided on.
    enum Verdict {
        case serve([LookupMatch], DecisionExplanation?, LookupID?)
        case refuse(LookupMiss.Reason, NearestMiss?, DecisionExplanation?)
    }

    /// Decides whether one of the candidates answers.
    func verdict(on result: NearestResult, _ inquiry: Inquiry) async throws(Trouble) -> Verdict {
        let decider = inquiry.decider
        let ledger = decider.ledger()
        let asked = AskedQuestion(inquiry.text, inquiry.policy.decision)
        let candidates = Candidates(asked, result, ledger)
        let isLearner = inquiry.policy.decision.kind == .calibrated
        let leader = isLearner ? candidates.leader(reaching: inquiry.policy.similarityFloor) : nil
        let same = candidates.same
        if isLearner {
            let risk = same != nil ? 0 : leader.map { $0.refusal == nil ? $0.risk : 1 } ?? 1
            decider.note(risk, nearest: result.greatestSimilarity)
        }
        let threshold = inquiry.threshold(in: ledger.phase)
        let chosen: Appraisal?
        if let same {
            chosen = same
        } else if ledger.phase == .calibrated {
            chosen = leader.flatMap { $0.match.similarity >= threshold ? $0 : nil }
        } else {
            chosen = candidates.nearest(reaching: threshold)
        }
        guard let chosen else { return .refuse(.belowThreshold, result.nearestSeen, nil) }
        // A static threshold is in the request or the settings: there is nothing to explain.
        let explanation =
            !isLearner
            ? nil
            : DecisionExplanation(
                kind: ledger.phase == .calibrated ? .calibrated : .threshold, risk: Float(chosen.risk),
                riskLimit: ledger.phase == .calibrated ? Float(ledger.window.limit) : nil)
        if let reason = try await self.refusal(of: chosen, to: asked, ledger, inquiry) {
            if let name = reason.refusalName { decider.noteRefusal(name) }
            return .refuse(reason, NearestMiss(chosen.match), explanation)
        }
        if chosen.isEstimated { decider.noteServed() }
        let others = try await self.others(besides: chosen.match.entry.id, candidates, inquiry)
        let id = chosen.isEstimated ? LookupID(of: chosen, to: asked, in: inquiry.partition) : nil
        return .serve([chosen.match] + others, explanation, id)
    }

    /// What else is returned to who asked for several: whatever would be served if it was alone.
    private func others(
        besides first: EntryID, _ candidates: Candidates, _ inquiry: Inquiry
    ) async throws(Trouble) -> [LookupMatch] {
        guard inquiry.request.topK > 1, !inquiry.policy.decision.isShadow else { return [] }
        let blocks = try await self.blocks(of: candidates.asked, inquiry)
        let ledger = candidates.ledger
        let threshold = inquiry.threshold(in: ledger.phase)
        let others = candidates.matches.lazy.filter { match in
            guard match.entry.id != first, match.similarity >= threshold,
                !blocks.forbid(match.entry, candidates.asked)
            else { return false }
            let appraisal = candidates.appraise(match)
            return appraisal.refusal == nil && appraisal.isSure(by: ledger, from: threshold)
        }
        return Array(others.prefix(inquiry.request.topK - 1))
    }

    /// What is returned with the answer to the very prompt.
    func others(
        besides exact: CacheEntry, of result: NearestResult, _ inquiry: Inquiry
    ) async throws(Trouble) -> [LookupMatch] {
        let asked = AskedQuestion(inquiry.text, inquiry.policy.decision)
        return try await self.others(
            besides: exact.id, Candidates(asked, result, inquiry.decider.ledger()), inquiry)
    }

    /// - Returns: `nil` for a candidate that is served.
    private func refusal(
        of chosen: Appraisal, to asked: AskedQuestion, _ ledger: DecisionLedger, _ inquiry: Inquiry
    ) async throws(Trouble) -> LookupMiss.Reason? {
        if let name = chosen.refusal { return .guarded(name) }
        let isSure = chosen.isSure(by: ledger, from: inquiry.threshold(in: ledger.phase))
        if !isSure, inquiry.policy.decision.judge == nil { return .tooRisky }
        if try await self.blocks(of: asked, inquiry).forbid(chosen.match.entry, asked) { return .blocked }
        if let reason = await self.judged(chosen, isSure: isSure, ledger, inquiry) { return reason }
        // Again: a judge takes its time.
        if inquiry.policy.decision.judge != nil,
            try await self.blocks(of: asked, inquiry).forbid(chosen.match.entry, asked)
        {
            return .blocked
        }
        if inquiry.policy.decision.isShadow {
            inquiry.decider.noteShadowHit()
            return .shadow
        }
        return !chosen.isSame && self.random() < ledger.auditRate ? .audited : nil
    }

    /// What was judged wrong for a question: read from the store after the search, so that what is judged before a Lookup
    /// begins is always known to it.
    private func blocks(of asked: AskedQuestion, _ inquiry: Inquiry) async throws(Trouble) -> [BlockedPair] {
        do throws(VectorStoreError) {
            return try await self.store.blocks(of: asked.id(in: inquiry.partition), in: inquiry.partition)
        } catch {
            // Not to know is no reason to serve it.
            throw self.trouble(error)
        }
    }
}

extension [BlockedPair] {
    /// Whether the entry, or the same answer of another, was judged wrong. Another answer to the very question that took
    /// its place was not; but where so many were wrong, none is served.
    fileprivate func forbid(_ entry: CacheEntry, _ asked: AskedQuestion) -> Bool {
        if self.isEmpty { return false }
        if self.count >= Limits.maximumBlocksPerQuestion { return true }
        let own = AnswerCluster(of: entry.response)
        if self.contains(where: { $0.cluster == entry.cluster || $0.cluster == own }) { return true }
        return self.contains { $0.entry == entry.id } && !asked.isSame(as: entry.prompt)
    }
}

extension CacheEngine.Inquiry {
    /// The similarity that a candidate must have.
    func threshold(in phase: DecisionStatistics.Phase) -> Float {
        guard phase == .calibrated, self.request.similarityThreshold == nil else { return self.threshold }
        // What is near enough is what the policy estimates.
        return self.policy.similarityFloor
    }
}

extension NearestMiss {
    init(_ match: LookupMatch) {
        self.init(id: match.entry.id, similarity: match.similarity, isApproximate: false)
    }
}

extension NearestResult {
    /// Of all that was seen; 0 without any.
    var greatestSimilarity: Float {
        [self.neighbours.first?.similarity, self.matches.first?.similarity, self.nearestMiss?.similarity]
            .compactMap(\.self).max() ?? 0
    }

    /// The nearest entry that is no match, or the nearest at all.
    var nearestSeen: NearestMiss? {
        self.nearestMiss ?? self.matches.first.map(NearestMiss.init)
            ?? self.neighbours.first.map { NearestMiss(id: $0.id, similarity: $0.similarity, isApproximate: false) }
    }
}

extension LookupMiss.Reason {
    /// Under which statistics count a refusal.
    fileprivate var refusalName: String? {
        switch self {
        case .guarded(let name): name.rawValue
        case .tooRisky: "risk"
        case .blocked: "blocked"
        case .judged: "judge"
        // These are counted by themselves.
        case .shadow, .audited: nil
        case .noEntry, .notStored, .belowThreshold, .tooOld, .filtered, .degraded: nil
        }
    }
}
