// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// What a cache would have served of the decisions that it has labels for, by threshold and by risk limit. All shares are
/// of all decisions; what a guard refuses is served by neither.
struct LabelSweep: Sendable, Equatable {
    struct Row: Sendable, Equatable {
        /// A threshold, or a risk limit.
        let bound: Double
        /// Share of the decisions that would have been served.
        let served: WilsonInterval
        let wrongOfServed: WilsonInterval
        /// Share of the decisions that would have been served wrongly.
        let wrongOfAll: WilsonInterval
    }

    static let riskLimits = [
        0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5,
    ]

    let thresholds: [Row]
    /// Empty if no decision has an estimate.
    let riskLimits: [Row]
    /// As the cache decided, or would have.
    let asDecided: Row
    /// Decisions in which a guard refused the candidate.
    let guarded: Int
    /// Decisions without an estimate: no risk limit serves them.
    let unestimated: Int

    init(_ decisions: [CacheLabelledDecision]) {
        self.thresholds = PairSweep.thresholds.map { threshold in
            Self.row(threshold, decisions) { !$0.isGuarded && $0.similarity >= Float(threshold) }
        }
        self.guarded = decisions.count { $0.isGuarded }
        self.unestimated = decisions.count { $0.risk == nil }
        self.riskLimits =
            self.unestimated == decisions.count
            ? []
            : Self.riskLimits.map { limit in
                Self.row(limit, decisions) { !$0.isGuarded && ($0.risk ?? 1) <= Float(limit) }
            }
        self.asDecided = Self.row(0, decisions) { $0.wouldServe }
    }

    private static func row(
        _ bound: Double, _ decisions: [CacheLabelledDecision], _ isServed: (CacheLabelledDecision) -> Bool
    ) -> Row {
        let served = decisions.filter(isServed)
        let wrong = served.count { !$0.isRight }
        return Row(
            bound: bound, served: WilsonInterval(served.count, of: decisions.count),
            wrongOfServed: WilsonInterval(wrong, of: served.count),
            wrongOfAll: WilsonInterval(wrong, of: decisions.count))
    }
}
