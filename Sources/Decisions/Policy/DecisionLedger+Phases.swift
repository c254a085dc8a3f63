// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// When estimates are trusted, and when no longer.
extension DecisionLedger {
    /// Labels without which no estimate is trusted.
    package static let labelsNeeded: UInt64 = 150
    /// Would-be hits among them.
    static let trialsNeeded = 20
    private static let trialsKept = 100
    private static let recentKept = 150
    /// Deviations by which labels may be worse than estimated. Many: it is looked at with every label, and estimates are
    /// never quite right.
    private static let surprise = 6.0
    /// Labels without which a threshold is not found bad: a few may be all of one odd question.
    private static let leastJudgedByThreshold = 10.0
    /// Labels of before a surprise that may still be true: a surprise may be chance.
    static let keptAfterSurprise = 1_500

    mutating func judge(_ record: DecisionRecord) {
        let outcome = (risk: Double(record.risk), isRight: record.isRight)
        if !record.isGuarded {
            self.recent.append(outcome)
            if self.recent.count > Self.recentKept { self.recent.removeFirst() }
            if outcome.risk <= self.window.limit {
                self.trial.append(outcome)
                if self.trial.count > Self.trialsKept { self.trial.removeFirst() }
            }
            if record.similarity >= self.threshold {
                self.judgedThreshold.labels += 1
                if !record.isRight { self.judgedThreshold.wrong += 1 }
            }
        }
        switch self.phase {
        case .learning, .steppedBack:
            if self.isProven { self.enter(.calibrated) } else if self.isThresholdBad { self.enter(.exactOnly) }
        case .exactOnly:
            if self.isProven { self.enter(.calibrated) }
        case .calibrated:
            if self.isSurprised || self.isTrialLost { self.stepBack(keeping: Self.keptAfterSurprise) }
        case .threshold, .unavailable: break
        }
    }

    /// Wrong ones among the would-be hits, as estimated and as they were.
    private var trialSums: (expected: Double, wrong: Double) {
        (self.trial.reduce(0) { $0 + $1.risk }, Double(self.trial.count { !$0.isRight }))
    }

    /// Enough would-be hits, no more of them wrong than was estimated and chance explains.
    private var isProven: Bool {
        // After a step back only what came since counts.
        let labels = self.phase == .steppedBack ? UInt64(self.recent.count) : self.total
        guard labels >= Self.labelsNeeded, self.trial.count >= Self.trialsNeeded else { return false }
        let (expected, wrong) = self.trialSums
        return wrong <= max(1, expected + 1.64 * expected.squareRoot())
    }

    /// Far more of the would-be hits are wrong than was estimated.
    private var isTrialLost: Bool {
        let (expected, wrong) = self.trialSums
        return wrong > 2 + expected + Self.surprise * expected.squareRoot()
    }

    /// Far more of the latest labels are wrong than was estimated, would-be hits or not.
    private var isSurprised: Bool {
        guard self.recent.count >= Self.recentKept / 2 else { return false }
        let (expected, variance, wrong) = self.recent.reduce((0.0, 0.0, 0.0)) { sum, label in
            (sum.0 + label.risk, sum.1 + label.risk * (1 - label.risk), sum.2 + (label.isRight ? 0 : 1))
        }
        return wrong - expected > Self.surprise * max(1, variance).squareRoot()
    }

    /// Of what a threshold would have served, clearly more is wrong than may be.
    private var isThresholdBad: Bool {
        let (labels, wrong) = (Double(self.judgedThreshold.labels), Double(self.judgedThreshold.wrong))
        let expected = labels * max(self.policy.wrongHitLimit, 0.03)
        return labels >= Self.leastJudgedByThreshold && wrong >= 3 && wrong > expected + 3 * expected.squareRoot()
    }

    private mutating func enter(_ phase: Phase) {
        self.phase = phase
        self.trial = []
        self.recent = []
        self.served = 0
    }

    /// What was learnt before says little of what is asked now.
    ///
    /// - Parameter count: Labels that may still be true.
    mutating func stepBack(keeping count: Int) {
        self.enter(.steppedBack)
        self.doubtedAt = self.total
        self.forgetFirst(max(0, self.labels.count - count))
        self.judgedThreshold = (0, 0)
        self.sinceFit = .max / 2
    }

    package var statistics: DecisionStatistics {
        var statistics = DecisionStatistics()
        statistics.phase = self.phase
        guard self.policy.kind == .calibrated else { return statistics }
        statistics.errorBudget = self.policy.errorBudget
        statistics.wrongHitLimit = self.policy.wrongHitLimit
        statistics.labels = self.total
        statistics.labelsNeeded = Self.labelsNeeded
        statistics.rightLabels = self.right
        statistics.riskLimit = self.window.limit
        statistics.wrongPerLookup = self.window.expected.perLookup
        statistics.wrongPerHit = self.window.expected.perHit
        statistics.audits = self.audits
        statistics.wrongAudits = self.wrongAudits
        statistics.feedbackRight = self.feedback.right
        statistics.feedbackWrong = self.feedback.wrong
        return statistics
    }
}

/// What replicas and later lives take over.
extension DecisionLedger {
    /// Phase, totals and weights.
    package var snapshot: [UInt8] {
        var bytes = [RiskModel.version, UInt8(Phase.allCases.firstIndex(of: self.phase) ?? 0)]
        for number in [
            self.total, self.right, self.audits, self.wrongAudits, self.feedback.right, self.feedback.wrong,
            self.doubtedAt,
        ] { bytes.append(integer: number) }
        bytes.append(integer: self.window.limit.bitPattern)
        for weight in self.model.weights { bytes.append(integer: weight.bitPattern) }
        return bytes
    }

    /// Above, a total is none, and could overflow.
    private static let greatestTotal: UInt64 = 1 << 48

    /// - Returns: Whether it could be read.
    package mutating func adopt(snapshot bytes: [UInt8]) -> Bool {
        let head = 66
        guard bytes.count == head + 8 * RiskModel.count, bytes[0] == RiskModel.version,
            Int(bytes[1]) < Phase.allCases.count
        else { return false }
        let weights = (0..<RiskModel.count).map { Double(bitPattern: bytes.integer(at: head + 8 * $0)) }
        let numbers: [UInt64] = (0..<7).map { bytes.integer(at: 2 + 8 * $0) }
        let limit = Double(bitPattern: bytes.integer(at: 58))
        guard weights.allSatisfy(\.isFinite), numbers.allSatisfy({ $0 <= Self.greatestTotal }), (0...1).contains(limit)
        else { return false }
        self.window.begin(with: limit)
        self.adopt(RiskModel(weights: weights))
        (self.total, self.right) = (max(self.total, numbers[0]), max(self.right, numbers[1]))
        (self.audits, self.wrongAudits) = (max(self.audits, numbers[2]), max(self.wrongAudits, numbers[3]))
        self.feedback = (max(self.feedback.right, numbers[4]), max(self.feedback.wrong, numbers[5]))
        self.doubtedAt = max(self.doubtedAt, numbers[6])
        let phase = Phase.allCases[Int(bytes[1])]
        // Who has stepped back trusts estimates again when they are proven to it, not because another still does.
        let hasDoubts = phase == .calibrated && (self.phase == .steppedBack || self.phase == .exactOnly)
        if self.policy.kind == .calibrated, phase != .threshold, phase != .unavailable, phase != self.phase, !hasDoubts
        {
            self.enter(phase)
        }
        return true
    }
}
