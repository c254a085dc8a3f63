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
        if isLearner { decider.note(same != nil ? 0 : leader.map { $0.refusal == nil ? $0.risk : 1 } ?? 1) }
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
        decider.noteServed()
        let isAlone = inquiry.request.topK == 1
        let others = isAlone ? [] : candidates.others(besides: chosen, threshold, ledger.phase)
        let matches = [chosen.match] + others
        let id = chosen.isSame || chosen.features.isEmpty ? nil : LookupID(of: chosen, to: asked, in: inquiry.partition)
        return .serve(Array(matches.prefix(inquiry.request.topK)), explanation, id)
    }

    /// - Returns: `nil` for a candidate that is served.
    private func refusal(
        of chosen: Appraisal, to asked: AskedQuestion, _ ledger: DecisionLedger, _ inquiry: Inquiry
    ) async throws(Trouble) -> LookupMiss.Reason? {
        if let name = chosen.refusal { return .guarded(name) }
        let isSure =
            chosen.isSame
            || ledger.serves(
                similarity: chosen.match.similarity, risk: chosen.risk, requested: inquiry.threshold(in: ledger.phase))
        if !isSure, inquiry.policy.decision.judge == nil { return .tooRisky }
        if try await self.isBlocked(chosen.match, asked, inquiry) { return .blocked }
        if let reason = await self.judged(chosen, isSure: isSure, ledger, inquiry) { return reason }
        if inquiry.policy.decision.isShadow {
            inquiry.decider.noteShadowHit()
            return .shadow
        }
        return !chosen.isSame && self.random() < ledger.auditRate ? .audited : nil
    }

    /// Whether the answer was judged wrong for this question: read from the store after the search, so that what is
    /// judged before a Lookup begins is always known to it.
    private func isBlocked(
        _ match: LookupMatch, _ asked: AskedQuestion, _ inquiry: Inquiry
    ) async throws(Trouble) -> Bool {
        do throws(VectorStoreError) {
            let blocks = try await self.store.blocks(of: asked.id(in: inquiry.partition), in: inquiry.partition)
            return blocks.contains { $0.entry == match.entry.id || $0.cluster == match.entry.cluster }
        } catch {
            // Not to know is no reason to serve it.
            throw self.trouble(error)
        }
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

extension Candidates {
    /// What else is returned to who asked for several: entries with the same answer, or what the threshold lets through.
    fileprivate func others(
        besides chosen: Appraisal, _ threshold: Float, _ phase: DecisionStatistics.Phase
    ) -> [LookupMatch] {
        self.matches.filter { match in
            guard match.entry.id != chosen.match.entry.id, match.similarity >= threshold else { return false }
            if phase == .calibrated { return match.entry.cluster == chosen.match.entry.cluster }
            guard let prompt = match.entry.prompt else { return true }
            return refusal(between: self.asked.wording, and: Wording(prompt), by: self.asked.guards) == nil
        }
    }
}

extension NearestMiss {
    init(_ match: LookupMatch) {
        self.init(id: match.entry.id, similarity: match.similarity, isApproximate: false)
    }
}

extension NearestResult {
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
