// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions

/// A question with all that candidates are compared by.
struct AskedQuestion {
    /// As it is embedded.
    let normalised: CanonicalPrompt
    private let isNormalising: Bool
    let wording: Wording
    let guards: GuardSet

    init(_ prompt: CanonicalPrompt, _ policy: DecisionPolicy) {
        self.isNormalising = policy.normalises
        self.normalised = policy.questionText(of: prompt)
        self.wording = Wording(prompt)
        self.guards = GuardSet(policy.guards)
    }

    /// Whether another is the same question, but for spelling and politeness.
    func isSame(as other: CanonicalPrompt?) -> Bool {
        guard self.isNormalising, let other else { return false }
        return QuestionText.normalised(other) == self.normalised
    }

    /// By which what is wrong for a question is remembered: the same for all its spellings.
    func id(in partition: Partition) -> EntryID { partition.entryID(of: self.normalised) }
}

extension DecisionPolicy {
    /// What is embedded for a prompt.
    func questionText(of prompt: CanonicalPrompt) -> CanonicalPrompt {
        self.normalises ? QuestionText.normalised(prompt) : prompt
    }
}

/// A candidate with what speaks for and against it.
struct Appraisal {
    let match: LookupMatch
    /// The same question, but for spelling and politeness: nothing is to be estimated.
    let isSame: Bool
    let refusal: Guard?
    let features: [Float]
    /// Estimated probability that its answer is wrong, 0…1.
    let risk: Double
    /// Whether there is something to be learnt from it.
    var isEstimated: Bool { !self.features.isEmpty }

    init(_ match: LookupMatch, to asked: AskedQuestion, in neighbourhood: Neighbourhood, _ ledger: DecisionLedger) {
        self.match = match
        let stored = match.entry.prompt
        self.isSame = asked.isSame(as: stored)
        let cluster = match.entry.cluster
        guard let stored, !self.isSame else {
            self.refusal = nil
            self.features = []
            // Of a question that was not kept nothing can be said.
            self.risk = self.isSame ? 0 : 1
            return
        }
        guard ledger.policy.kind == .calibrated else {
            self.refusal = Decisions.refusal(between: asked.wording, and: Wording(stored), by: asked.guards)
            self.features = []
            self.risk = 0
            return
        }
        let (likeness, refusal) = examination(of: asked.wording, and: Wording(stored), by: asked.guards)
        self.refusal = refusal
        self.features =
            neighbourhood.features(of: cluster, history: ledger.history(of: cluster)) + likeness.values
        self.risk = ledger.risk(of: self.features)
    }

    /// Whether it answers by what the cache has learnt, if no guard refuses it.
    ///
    /// - Parameter threshold: The one in force, if it is not the cache's.
    func isSure(by ledger: DecisionLedger, from threshold: Float? = nil) -> Bool {
        self.isSame || ledger.serves(similarity: self.match.similarity, risk: self.risk, requested: threshold)
    }

    /// What a label of it is made of.
    func record(isRight: Bool, source: DecisionRecord.Source) -> DecisionRecord {
        DecisionRecord(
            isRight: isRight, source: source, similarity: self.match.similarity, risk: Float(self.risk),
            isGuarded: self.refusal != nil, cluster: self.match.entry.cluster, features: self.features)
    }
}

extension NearestQuery {
    /// What a Store or a Feedback asks, to see what a Lookup would decide on.
    init(toLearnBy embedding: Embedding, _ policy: CachePolicy) {
        self.init(
            // One of the two may be the entry of the prompt itself.
            embedding: embedding, count: 2, threshold: policy.threshold(requested: nil),
            candidates: Limits.candidates, candidateThreshold: policy.similarityFloor,
            neighbours: Limits.maximumNeighbours)
    }
}

/// Candidates of a search, appraised as they are needed.
struct Candidates {
    let asked: AskedQuestion
    let neighbourhood: Neighbourhood
    let matches: [LookupMatch]
    let ledger: DecisionLedger

    init(_ asked: AskedQuestion, _ result: NearestResult, _ ledger: DecisionLedger, without own: EntryID? = nil) {
        self.asked = asked
        self.ledger = ledger
        self.matches = result.matches.filter { $0.entry.id != own }
        self.neighbourhood = Neighbourhood(
            result.neighbours.filter { $0.id != own }.map {
                Neighbourhood.Member(similarity: $0.similarity, cluster: $0.cluster)
            })
    }

    func appraise(_ match: LookupMatch) -> Appraisal {
        Appraisal(match, to: self.asked, in: self.neighbourhood, self.ledger)
    }

    /// The entry whose question is the same, but for spelling and politeness.
    var same: Appraisal? {
        self.matches.first { self.asked.isSame(as: $0.entry.prompt) }.map(self.appraise)
    }

    /// The nearest that no guard refuses; or, if each is refused, the nearest. Of those that reach a similarity.
    func nearest(reaching threshold: Float, in cluster: AnswerCluster? = nil) -> Appraisal? {
        var first: Appraisal?
        for match in self.matches.prefix(Limits.comparedCandidates)
        where match.similarity >= threshold && (cluster == nil || match.entry.cluster == cluster) {
            let appraisal = self.appraise(match)
            if appraisal.refusal == nil { return appraisal }
            first = first ?? appraisal
        }
        return first
    }

    /// That of the answer which most of the neighbourhood has.
    func leader(reaching threshold: Float) -> Appraisal? {
        guard let cluster = self.neighbourhood.leader else { return nil }
        return self.nearest(reaching: threshold, in: cluster)
    }
}
