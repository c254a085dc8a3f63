// SPDX-License-Identifier: Apache-2.0

/// What `tune` finds in pairs, as JSON.
struct PairSweepObject: Encodable {
    struct Served: Encodable {
        let right: WilsonObject
        let wrong: WilsonObject
        let wrongOfServed: WilsonObject
        let wrongOfAll: WilsonObject

        enum CodingKeys: String, CodingKey {
            case right
            case wrong
            case wrongOfServed = "wrong_of_served"
            case wrongOfAll = "wrong_of_all"
        }

        init(_ served: ServedPairs) {
            self.right = WilsonObject(served.right)
            self.wrong = WilsonObject(served.wrong)
            self.wrongOfServed = WilsonObject(served.wrongOfServed)
            self.wrongOfAll = WilsonObject(served.wrongOfAll)
        }
    }

    struct Row: Encodable {
        let threshold: Double
        let similarityAlone: Served
        let guarded: Served

        enum CodingKeys: String, CodingKey {
            case threshold
            case similarityAlone = "similarity_alone"
            case guarded
        }
    }

    let pairs: Int
    let thresholds: [Row]
    let errorBudget: Double
    /// `nil` if none is shown to keep the budget.
    let recommendedThreshold: Double?
    let recommendedThresholdWithoutGuards: Double?

    enum CodingKeys: String, CodingKey {
        case pairs
        case thresholds
        case errorBudget = "error_budget"
        case recommendedThreshold = "recommended_threshold"
        case recommendedThresholdWithoutGuards = "recommended_threshold_without_guards"
    }

    init(_ sweep: PairSweep, pairs: Int, budget: Double) {
        self.pairs = pairs
        self.thresholds = sweep.rows.map {
            Row(threshold: $0.threshold, similarityAlone: Served($0.plain), guarded: Served($0.guarded))
        }
        self.errorBudget = budget
        self.recommendedThreshold = sweep.recommended(for: budget) { $0.guarded }?.threshold
        self.recommendedThresholdWithoutGuards = sweep.recommended(for: budget) { $0.plain }?.threshold
    }
}

/// What `tune` finds in labelled decisions, as JSON.
struct LabelSweepObject: Encodable {
    struct Row: Encodable {
        let bound: Double
        let served: WilsonObject
        let wrongOfServed: WilsonObject
        let wrongOfAll: WilsonObject

        enum CodingKeys: String, CodingKey {
            case bound
            case served
            case wrongOfServed = "wrong_of_served"
            case wrongOfAll = "wrong_of_all"
        }

        init(_ row: LabelSweep.Row) {
            self.bound = row.bound
            self.served = WilsonObject(row.served)
            self.wrongOfServed = WilsonObject(row.wrongOfServed)
            self.wrongOfAll = WilsonObject(row.wrongOfAll)
        }
    }

    let decisions: Int
    let guarded: Int
    let unestimated: Int
    let thresholds: [Row]
    let riskLimits: [Row]
    let asDecided: Row

    enum CodingKeys: String, CodingKey {
        case decisions
        case guarded
        case unestimated
        case thresholds
        case riskLimits = "risk_limits"
        case asDecided = "as_decided"
    }

    init(_ sweep: LabelSweep, decisions: Int) {
        self.decisions = decisions
        self.guarded = sweep.guarded
        self.unestimated = sweep.unestimated
        self.thresholds = sweep.thresholds.map { Row($0) }
        self.riskLimits = sweep.riskLimits.map { Row($0) }
        self.asDecided = Row(sweep.asDecided)
    }
}
