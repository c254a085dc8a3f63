// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Telemetry

extension JSONWriter {
    /// The names are those of `semcache stats --json`.
    mutating func write(_ decisions: DecisionStatistics) {
        self.object { writer in
            writer.key("phase")
            writer.string(decisions.phase.rawValue)
            writer.member("error_budget", decisions.errorBudget)
            writer.member("wrong_hit_limit", decisions.wrongHitLimit)
            writer.member("labels", decisions.labels)
            writer.member("labels_needed", decisions.labelsNeeded)
            writer.member("right_labels", decisions.rightLabels)
            writer.member("risk_limit", decisions.riskLimit)
            writer.member("wrong_per_lookup", decisions.wrongPerLookup)
            writer.member("wrong_per_hit", decisions.wrongPerHit)
            writer.member("audits", decisions.audits)
            writer.member("wrong_audits", decisions.wrongAudits)
            writer.member("feedback_right", decisions.feedbackRight)
            writer.member("feedback_wrong", decisions.feedbackWrong)
            writer.member("shadow_hits", decisions.shadowHits)
            writer.key("refusals")
            writer.object { writer in
                for (reason, count) in decisions.refusals.sorted(by: { $0.key < $1.key }) {
                    writer.member(reason, count)
                }
            }
            writer.member("judge_calls", decisions.judgeCalls)
            writer.member("judge_failures", decisions.judgeFailures)
            writer.member("judge_tokens", decisions.judgeTokens)
        }
    }
}
