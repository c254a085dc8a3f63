// SPDX-License-Identifier: Apache-2.0

/// What `tune` prints, in 120 columns.
enum TuneText {
    static func lines(_ sweep: PairSweep, pairs: Int, budget: Double) -> [String] {
        var table = TextTable([
            "THRESHOLD", "RIGHT SERVED", "WRONG SERVED", "WRONG OF SERVED", "95 %", "GUARDS: RIGHT", "WRONG",
            "OF SERVED", "95 %",
        ])
        for row in sweep.rows {
            table.append([NumberText.fixed(row.threshold, digits: 2)] + self.cells(row.plain) + self.cells(row.guarded))
        }
        let lines = ["\(NumberText.count(pairs, "pair", "pairs"))", ""] + table.lines + [""]
        return lines + [
            self.recommendation("With the guards", sweep, budget) { $0.guarded },
            self.recommendation("By similarity alone", sweep, budget) { $0.plain },
            "(Of all pairs, not of those served; the upper end of Wilson's 95 % interval counts.)",
        ]
    }

    private static func cells(_ served: ServedPairs) -> [String] {
        [served.right.shareText, served.wrong.shareText, served.wrongOfServed.shareText, served.wrongOfServed.text]
    }

    private static func recommendation(
        _ how: String, _ sweep: PairSweep, _ budget: Double, _ part: (PairSweep.Row) -> ServedPairs
    ) -> String {
        let most = ShareText.text(budget)
        if let row = sweep.recommended(for: budget, part) {
            return "\(how): at most \(most) of the pairs are served wrongly from threshold "
                + "\(NumberText.fixed(row.threshold, digits: 2)) on, which serves \(part(row).right.shareText) of the right ones."
        }
        let least = sweep.rows.map { part($0).wrongOfAll.high }.min() ?? 1
        return "\(how): no threshold is shown to keep \(most): the pairs are too hard, or too few. "
            + "The best upper end is \(ShareText.text(least))."
    }

    static func lines(_ sweep: LabelSweep, decisions: Int, budget: Double) -> [String] {
        var lines = ["\(NumberText.count(decisions, "labelled decision", "labelled decisions"))"]
        if sweep.guarded > 0 { lines.append("\(NumberText.grouped(sweep.guarded)) refused by a guard: never served") }
        if sweep.unestimated > 0, !sweep.riskLimits.isEmpty {
            lines.append("\(NumberText.grouped(sweep.unestimated)) without an estimate: served under no risk limit")
        }
        lines.append("")
        lines += self.table("THRESHOLD", sweep.thresholds) { NumberText.fixed($0, digits: 2) }.lines + [""]
        if !sweep.riskLimits.isEmpty {
            lines += self.table("RISK LIMIT", sweep.riskLimits) { ShareText.text($0) }.lines + [""]
        }
        lines.append(
            "As it decided: \(sweep.asDecided.served.shareText) served, \(sweep.asDecided.wrongOfAll.shareText) wrong.")
        lines.append(self.best("threshold", sweep.thresholds, budget) { NumberText.fixed($0, digits: 2) })
        if !sweep.riskLimits.isEmpty {
            lines.append(self.best("risk limit", sweep.riskLimits, budget) { ShareText.text($0) })
        }
        return lines + [
            "Labels come from answers that were stored after a miss, from audits and from feedback, not from every lookup:",
            "shares are of these decisions. What was served without feedback is not among them.",
        ]
    }

    private static func table(
        _ title: String, _ rows: [LabelSweep.Row], _ bound: (Double) -> String
    ) -> TextTable {
        var table = TextTable([title, "SERVED", "WRONG", "95 %", "WRONG OF SERVED", "95 %"])
        for row in rows {
            table.append([
                bound(row.bound), row.served.shareText, row.wrongOfAll.shareText, row.wrongOfAll.text,
                row.wrongOfServed.shareText, row.wrongOfServed.text,
            ])
        }
        return table
    }

    private static func best(
        _ what: String, _ rows: [LabelSweep.Row], _ budget: Double, _ bound: (Double) -> String
    ) -> String {
        let kept = rows.filter { $0.wrongOfAll.high <= budget }
        guard let row = kept.max(by: { $0.served.share < $1.served.share }) else {
            return "No \(what) is shown to keep \(ShareText.text(budget)) wrong."
        }
        return
            "Most hits at \(ShareText.text(budget)) wrong: \(what) \(bound(row.bound)), \(row.served.shareText) served."
    }
}
