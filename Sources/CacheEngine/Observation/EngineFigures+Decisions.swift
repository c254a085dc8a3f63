// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension EngineFigures {
    /// What decisions come to. Counters are of ``Tenant/sum``; which policy decides is told of the caches of declared
    /// tenants, one by one counted, so that no cache needs a label.
    var decisionFamilies: [FigureFamily] {
        let counters: [(String, String, [(labels: [(String, String)], path: KeyPath<DecisionStatistics, UInt64>)])] = [
            (
                "semcache_audits_total", "Would-be hits kept back to compare their answers, by what came of it",
                [([("verdict", "wrong")], \.wrongAudits), ([("verdict", "not_wrong")], \.otherAudits)]
            ),
            (
                "semcache_feedback_total", "Feedback by verdict",
                [([("verdict", "right")], \.feedbackRight), ([("verdict", "wrong")], \.feedbackWrong)]
            ),
            ("semcache_shadow_hits_total", "Would-be hits of caches in shadow mode", [([], \.shadowHits)]),
            (
                "semcache_judge_calls_total", "Questions to the judge by outcome",
                [([("outcome", "answered")], \.judgeAnswers), ([("outcome", "failed")], \.judgeFailures)]
            ),
            ("semcache_judge_tokens_total", "Tokens that the judge says it took", [([], \.judgeTokens)]),
        ]
        return [self.refusalFamily]
            + counters.map { name, help, series in
                FigureFamily(
                    name, help, .counter,
                    self.everyTenant { tenant in
                        series.map { ($0.labels, Double(tenant.sum.decision[keyPath: $0.path])) }
                    })
            } + [self.phaseFamily]
    }

    private var refusalFamily: FigureFamily {
        FigureFamily(
            "semcache_candidates_refused_total", "Candidates that were similar enough and refused, by why", .counter,
            self.everyTenant { tenant in
                DecisionStatistics.refusalReasons.map {
                    ([("reason", $0)], Double(tenant.sum.decision.refusals[$0] ?? 0))
                }
            })
    }

    private var phaseFamily: FigureFamily {
        FigureFamily(
            "semcache_caches_by_policy", "Caches by what decides on their answers", .gauge,
            self.everyTenant { tenant in
                DecisionStatistics.Phase.allCases.map { phase in
                    (
                        [("policy", phase.rawValue)],
                        Double(tenant.caches.count { $0.decision.phase == phase })
                    )
                }
            })
    }
}

extension DecisionStatistics {
    fileprivate subscript(refusalsBy reason: String) -> UInt64 {
        get { self.refusals[reason] ?? 0 }
        set { self.refusals[reason] = newValue }
    }

    fileprivate var otherAudits: UInt64 { self.audits - min(self.audits, self.wrongAudits) }
    fileprivate var judgeAnswers: UInt64 { self.judgeCalls - min(self.judgeCalls, self.judgeFailures) }
}

extension EngineFigures.Tenant {
    /// Those of decisions that only grow.
    static var decisionCounters: [WritableKeyPath<Self, UInt64>] {
        [
            \.sum.decision.audits, \.sum.decision.wrongAudits, \.sum.decision.feedbackRight,
            \.sum.decision.feedbackWrong, \.sum.decision.shadowHits, \.sum.decision.judgeCalls,
            \.sum.decision.judgeFailures, \.sum.decision.judgeTokens,
        ] + DecisionStatistics.refusalReasons.map { \.sum.decision[refusalsBy: $0] }
    }
}
