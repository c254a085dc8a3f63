// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// What the decisions of a cache come to, as text.
enum DecisionsText {
    /// - Returns: Nothing for a cache that has a static threshold and has refused nothing.
    static func lines(_ cache: ServerStatistics.Cache) -> [String] {
        let decisions = cache.decisions
        guard !self.isIdle(decisions) else { return [] }
        var lines = ["decisions   \(Output.printable(cache.name)): \(self.phase(decisions))"]
        if decisions.phase != .threshold || decisions.labels > 0 {
            lines.append("  labels    \(self.labels(decisions))")
            lines.append(
                "  wrong     about \(self.share(decisions.wrongPerLookup)) of lookups (allowed "
                    + "\(self.share(decisions.errorBudget))), about \(self.share(decisions.wrongPerHit)) of semantic hits "
                    + "(allowed \(self.share(decisions.wrongHitLimit)))")
        }
        if decisions.audits > 0 {
            lines.append(
                "  audits    \(NumberText.grouped(decisions.audits)), \(NumberText.grouped(decisions.wrongAudits)) wrong"
            )
        }
        if decisions.feedbackRight > 0 || decisions.feedbackWrong > 0 {
            lines.append(
                "  feedback  \(NumberText.grouped(decisions.feedbackRight)) right, "
                    + "\(NumberText.grouped(decisions.feedbackWrong)) wrong")
        }
        if decisions.shadowHits > 0 {
            lines.append("  shadow    \(NumberText.grouped(decisions.shadowHits)) would have been served")
        }
        let refusals = decisions.refusals.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        if !refusals.isEmpty {
            let counts = refusals.map { "\(NumberText.grouped($0.value)) by \(Output.printable($0.key))" }
            lines += self.wrapped(counts, first: "  refused   ")
        }
        if decisions.judgeCalls > 0 {
            lines.append(
                "  judge     \(NumberText.grouped(decisions.judgeCalls)) asked, "
                    + "\(NumberText.grouped(decisions.judgeFailures)) failed, "
                    + "\(NumberText.grouped(decisions.judgeTokens)) tokens")
        }
        return lines
    }

    private static func isIdle(_ decisions: ServerStatistics.Decisions) -> Bool {
        let counts = [
            decisions.labels, decisions.audits, decisions.feedbackRight, decisions.feedbackWrong, decisions.shadowHits,
            decisions.judgeCalls,
        ]
        return decisions.phase == .threshold && counts.allSatisfy { $0 == 0 }
            && decisions.refusals.values.allSatisfy { $0 == 0 }
    }

    private static func phase(_ decisions: ServerStatistics.Decisions) -> String {
        switch decisions.phase {
        case .threshold: "a static threshold decides"
        case .learning: "learning, a threshold decides"
        case .calibrated: "calibrated, serves up to a risk of \(self.share(decisions.riskLimit))"
        case .steppedBack: "stepped back, the estimates do not hold any more: a threshold decides"
        case .exactOnly: "exact matches only, what is found by meaning is wrong too often"
        case .unavailable: "the labels cannot be read, a threshold decides"
        }
    }

    private static func labels(_ decisions: ServerStatistics.Decisions) -> String {
        let needed = decisions.labelsNeeded > 0 ? " of \(NumberText.grouped(decisions.labelsNeeded)) needed" : ""
        return "\(NumberText.grouped(decisions.labels))\(needed), \(NumberText.grouped(decisions.rightLabels)) right"
    }

    /// Budgets are often less than a percent.
    private static func share(_ share: Double) -> String { "\(NumberText.fixed(share * 100, digits: 2)) %" }

    /// Items with commas between them, in as many lines of 120 columns as they need.
    private static func wrapped(_ items: [String], first head: String) -> [String] {
        var lines = [head]
        for (position, item) in items.enumerated() {
            let text = item + (position + 1 < items.count ? ", " : "")
            if lines[lines.count - 1].count + text.count > 120, lines[lines.count - 1].count > head.count {
                lines.append(String(repeating: " ", count: head.count))
            }
            lines[lines.count - 1] += text
        }
        return lines.map { line in String(line.reversed().drop { $0 == " " }.reversed()) }
    }
}
