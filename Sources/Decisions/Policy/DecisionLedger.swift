// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// What a cache has learnt of its own decisions, and how far that is to be trusted. Decides nothing about one candidate
/// alone: it says the risk, and up to which risk is served.
///
/// Labels come in one by one; each carries the risk that was estimated before it was known. So what the estimates are
/// worth is seen on labels that they were not made from, and until they are worth something a threshold decides.
package struct DecisionLedger: Sendable {
    package typealias Phase = DecisionStatistics.Phase

    package let policy: DecisionPolicy
    /// From which similarity the static policy serves.
    package let threshold: Float
    package internal(set) var phase: Phase
    package internal(set) var model = RiskModel.prior
    package internal(set) var window = RiskWindow()
    private var familiarity = FamiliarityWindow()
    /// Labels since the cache was made; those that are kept are fewer.
    package internal(set) var total: UInt64 = 0
    /// How many there were at the last step back.
    var doubtedAt: UInt64 = 0
    package internal(set) var right: UInt64 = 0
    package internal(set) var audits: UInt64 = 0
    package internal(set) var wrongAudits: UInt64 = 0
    package internal(set) var feedback: (right: UInt64, wrong: UInt64) = (0, 0)
    var labels: [DecisionRecord] = []
    var histories: [AnswerCluster: Neighbourhood.History] = [:]
    /// Labels since the model was fitted.
    var sinceFit = 0
    /// Of the labels since the phase began: those that the model would have served.
    var trial: [(risk: Double, isRight: Bool)] = []
    /// Of the labels since the phase began, the latest.
    var recent: [(risk: Double, isRight: Bool)] = []
    /// Labels that the threshold would have served, and the wrong ones among them.
    var judgedThreshold = (labels: 0, wrong: 0)
    /// Labels that the model was fitted to, or their number when that was read.
    package internal(set) var adopted: UInt64 = 0
    /// Candidates served since the estimates were last found good.
    package internal(set) var served = 0

    package init(_ policy: DecisionPolicy, threshold: Float) {
        self.policy = policy
        self.threshold = threshold
        self.phase = policy.kind == .threshold ? .threshold : .learning
    }

    package func history(of cluster: AnswerCluster) -> Neighbourhood.History {
        self.histories[cluster] ?? Neighbourhood.History()
    }

    // MARK: Deciding

    /// Estimated probability that an answer is wrong, with the features from which it is.
    package func risk(of features: [Float]) -> Double { self.model.risk(of: features) }

    /// Takes note of a Lookup; see ``RiskWindow/note(_:budget:cap:)``.
    ///
    /// - Parameter similarity: Of the nearest entry; 0 without any.
    package mutating func note(_ risk: Double, nearest similarity: Float) {
        self.window.note(
            risk, budget: self.trust * self.steering * self.policy.errorBudget,
            cap: self.steering * self.policy.wrongHitLimit)
        if self.familiarity.note(similarity), self.phase == .calibrated { self.stepBack(keeping: .max) }
    }

    /// The part of what is allowed that is steered to: a share that is right on average is too high half of the time. And
    /// the less the more is allowed, because far from certainty estimates are rather too low. Found on labelled streams.
    private var steering: Double { min(0.94, max(0.65, 1.06 - 8 * self.policy.errorBudget)) }

    /// The part of the budget that is used: half of it at first and after a step back, as estimates of few labels are worth
    /// less.
    private var trust: Double {
        0.5 + 0.5 * min(1, Double(self.total - min(self.total, self.doubtedAt)) / Self.trusted)
    }

    /// From this many labels on, estimates are worth what they ever will be.
    private static let trusted = 1_500.0

    /// Whether a candidate that no guard refuses is served.
    ///
    /// - Parameter requested: The threshold in force, if it is not the cache's.
    package func serves(similarity: Float, risk: Double, requested: Float? = nil) -> Bool {
        let threshold = requested ?? self.threshold
        switch self.phase {
        case .calibrated:
            // As it is remembered: where all are equal, none would be up to a limit that is one of them, rounded.
            return Double(Float(risk)) <= self.window.limit
        case .threshold: return similarity >= threshold
        case .learning, .steppedBack, .unavailable:
            return similarity >= threshold && (self.total < Self.informed || risk <= Self.greatestRiskByThreshold)
        case .exactOnly: return false
        }
    }

    /// From this many labels on, the estimate has a say while a threshold decides.
    static let informed: UInt64 = 100
    /// Far from what the budget allows: it is to keep back what would nearly always be wrong.
    static let greatestRiskByThreshold = 0.2

    /// The share of would-be hits that are left to the caller, so that a fresh answer tells whether they were right.
    package var auditRate: Double {
        switch self.phase {
        case .calibrated: self.served < 100 ? 0.1 : 0.015
        // The first questions of a cache, as of one who tries it out, are answered as they would be by the threshold.
        case .learning, .steppedBack: self.total < 50 ? 0 : 0.25
        case .threshold, .exactOnly, .unavailable: 0
        }
    }

    /// The labels could not be read.
    package mutating func suspend() { self.phase = .unavailable }

    package mutating func noteServed() { self.served += 1 }

    // MARK: Learning

    /// Takes a label.
    package mutating func learn(_ record: DecisionRecord) {
        self.recall(record)
        if self.policy.kind == .calibrated { self.judge(record) }
    }

    /// Takes a label that another replica, or an earlier life, has judged already.
    package mutating func recall(_ record: DecisionRecord) {
        self.insert(record)
        self.sinceFit += 1
    }

    private mutating func insert(_ record: DecisionRecord) {
        if self.labels.count >= Limits.maximumDecisionRecords {
            self.forgetFirst(Limits.maximumDecisionRecords / 8)
        }
        self.labels.append(record)
        var history = self.histories[record.cluster] ?? Neighbourhood.History()
        if record.isRight { history.right += 1 } else { history.wrong += 1 }
        self.histories[record.cluster] = history
        self.total += 1
        if record.isRight { self.right += 1 }
        switch record.source {
        case .store: break
        case .audit:
            self.audits += 1
            if !record.isRight { self.wrongAudits += 1 }
        case .feedback:
            if record.isRight { self.feedback.right += 1 } else { self.feedback.wrong += 1 }
        }
    }

    /// Forgets the oldest labels that are kept.
    mutating func forgetFirst(_ count: Int) {
        for label in self.labels.prefix(count) { self.forget(label) }
        self.labels.removeFirst(count)
    }

    private mutating func forget(_ record: DecisionRecord) {
        guard var history = self.histories[record.cluster] else { return }
        if record.isRight { history.right -= 1 } else { history.wrong -= 1 }
        self.histories[record.cluster] = history.right + history.wrong > 0 ? history : nil
    }

    /// Whether it is time to fit the model.
    package var isFitDue: Bool {
        self.total >= 50 && self.sinceFit >= max(25, min(100, Int(clamping: self.total / 8)))
    }

    /// Fits a model to the labels that are kept; takes milliseconds.
    package func fittedModel() -> RiskModel {
        RiskModel.fitted(
            to: self.labels.map {
                LabelledFeatures(
                    features: $0.features, isRight: $0.isRight, weight: $0.wouldServe ? 5 : 1)
            }, prior: .prior)
    }

    package mutating func adopt(_ model: RiskModel) {
        self.model = model
        self.adopted = self.total
        self.sinceFit = 0
    }
}
