// SPDX-License-Identifier: Apache-2.0

/// A check of two prompts' words that refuses a candidate whatever its similarity. The raw value is its name in
/// settings and explanations.
package enum Guard: String, Sendable, Hashable, CaseIterable {
    /// Each has a number that the other lacks, or only numbers differ.
    case number
    /// One number, two units: 10 mg and 10 g.
    case unit
    /// One negates what the other asks; only where the other words agree.
    case negation
    /// A word has its opposite in its place.
    case antonym
    /// On and off, before and after, from here to there and from there to here.
    case direction
    /// One word of content or name has another in its place.
    case wordSwap = "word_swap"
    /// The same words, two of which changed places.
    case roles
    /// Who, when, where, why, how many: different ones.
    case questionType = "question_type"
}

/// How a cache tells whether a candidate's answer is right for what was asked.
package struct DecisionPolicy: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A similarity alone, with the guards.
        case threshold
        /// An estimate of the risk, learnt from the cache's own labels; a threshold until it has enough of them.
        case calibrated
    }

    /// A similarity and nothing else.
    package static let similarityAlone = DecisionPolicy(kind: .threshold, guards: [], normalises: false)

    package var kind: Kind
    /// Wrong answers per Lookup that the calibrated policy may give, within ``Limits/errorBudget``.
    package var errorBudget: Double
    /// Wrong answers per semantic hit that it may give, within ``Limits/wrongHitShare``.
    package var wrongHitLimit: Double
    /// Decides and records, serves nothing by meaning.
    package var isShadow: Bool
    package var guards: Set<Guard>
    /// Whether what is embedded is the normalised text of a prompt.
    package var normalises: Bool
    /// Name of the judge that is asked where the policy is uncertain; `nil` for none.
    package var judge: String?

    package init(
        kind: Kind = .calibrated, errorBudget: Double = 0.01, wrongHitLimit: Double = 0.03, isShadow: Bool = false,
        guards: Set<Guard> = Set(Guard.allCases), normalises: Bool = true, judge: String? = nil
    ) {
        self.kind = kind
        self.errorBudget = errorBudget
        self.wrongHitLimit = wrongHitLimit
        self.isShadow = isShadow
        self.guards = guards
        self.normalises = normalises
        self.judge = judge
    }
}

/// How a candidate was decided on.
package struct DecisionExplanation: Sendable, Hashable {
    /// Which kind of policy decided: a calibrated one that is learning decides by threshold.
    package let kind: DecisionPolicy.Kind
    /// Estimated probability that the answer is wrong, 0…1; `nil` without an estimate.
    package let risk: Float?
    /// Up to which risk was served; `nil` without one.
    package let riskLimit: Float?

    package init(kind: DecisionPolicy.Kind, risk: Float? = nil, riskLimit: Float? = nil) {
        self.kind = kind
        self.risk = risk
        self.riskLimit = riskLimit
    }
}

/// What the decisions of one cache come to.
package struct DecisionStatistics: Sendable, Equatable {
    package enum Phase: String, Sendable, Hashable, CaseIterable {
        /// The cache is set to the static policy.
        case threshold
        /// Too few labels, or the estimates do not hold yet: a threshold decides, the calibrated policy in its shadow.
        case learning
        case calibrated
        /// The estimates held once and do not any more: a threshold decides.
        case steppedBack = "stepped_back"
        /// What a threshold would serve is wrong too often: exact matches only.
        case exactOnly = "exact_only"
        /// The labels cannot be read: a threshold decides.
        case unavailable
    }

    package var phase = Phase.threshold
    package var errorBudget = 0.0
    package var wrongHitLimit = 0.0
    package var labels: UInt64 = 0
    /// With which the calibrated policy may take over.
    package var labelsNeeded: UInt64 = 0
    package var rightLabels: UInt64 = 0
    /// Up to which risk is served.
    package var riskLimit = 0.0
    /// Estimated share of wrong answers among lookups, of late.
    package var wrongPerLookup = 0.0
    /// Estimated share of wrong answers among semantic hits, of late.
    package var wrongPerHit = 0.0
    /// Would-be hits that were not served, so that their answers could be compared, and how many were wrong.
    package var audits: UInt64 = 0
    package var wrongAudits: UInt64 = 0
    package var feedbackRight: UInt64 = 0
    package var feedbackWrong: UInt64 = 0
    /// Would-be hits of a cache in shadow mode.
    package var shadowHits: UInt64 = 0
    /// Candidates refused, by why: names of guards, `risk`, `blocked`, `judge`.
    package var refusals: [String: UInt64] = [:]
    package var judgeCalls: UInt64 = 0
    package var judgeFailures: UInt64 = 0
    /// Tokens that the judge says it took.
    package var judgeTokens: UInt64 = 0

    package init() {}
}
