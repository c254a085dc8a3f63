// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// What a stream comes to in all its orders.
struct EvalReport: Sendable {
    let questions: Int
    let labels: Int
    /// As they were named.
    let files: [String]
    let results: [EvalResult]

    /// All orders together. They have as many questions each, so its shares are the means.
    var whole: EvalSummary { self.results.reduce(EvalSummary()) { $0 + $1.whole } }

    var secondHalf: EvalSummary { self.results.reduce(EvalSummary()) { $0 + $1.secondHalf } }

    /// Mean of those orders that have one.
    var calibrationError: Double? {
        let errors = self.results.compactMap { $0.calibration.error }
        return errors.isEmpty ? nil : errors.reduce(0, +) / Double(errors.count)
    }
}

/// The report as text, in 120 columns.
struct EvalText {
    let report: EvalReport

    var lines: [String] {
        let questions = NumberText.count(self.report.questions, "question", "questions")
        var lines = ["\(questions), \(NumberText.count(self.report.labels, "label", "labels"))", ""]
        lines += self.rates("WHOLE STREAM", { $0.whole }, self.report.whole).lines + [""]
        lines += self.rates("SECOND HALF", { $0.secondHalf }, self.report.secondHalf).lines + [""]
        if self.report.files.count > 1 { lines += self.parts.lines + [""] }
        lines += self.curve.lines + [""]
        lines += self.misses.lines + [""]
        if self.report.calibrationError != nil { lines += self.calibration.lines + [""] }
        lines += self.times.lines
        if self.report.results.contains(where: { $0.decisions != nil }) { lines += [""] + self.decisions.lines }
        lines += [
            "", "Intervals are Wilson's, 95 %. Wrong: an answer of another label was served. All orders together are",
        ]
        return lines + ["the same questions again, so their interval is narrower than it should be."]
    }

    private static let rateColumns = [
        "LOOKUPS", "HITS", "EXACT", "SEMANTIC", "WRONG/LOOKUP", "95 %", "WRONG/HIT", "95 %",
    ]

    private static func cells(_ summary: EvalSummary) -> [String] {
        [
            NumberText.grouped(summary.lookups), summary.hitRate.shareText, summary.exactRate.shareText,
            summary.semanticRate.shareText, summary.wrongPerLookup.shareText, summary.wrongPerLookup.text,
            summary.wrongPerHit.shareText, summary.wrongPerHit.text,
        ]
    }

    private func rates(_ title: String, _ part: (EvalResult) -> EvalSummary, _ all: EvalSummary) -> TextTable {
        var table = TextTable([title] + Self.rateColumns)
        for result in self.report.results { table.append(["order \(result.order)"] + Self.cells(part(result))) }
        if self.report.results.count > 1 { table.append(["all orders"] + Self.cells(all)) }
        return table
    }

    private var parts: TextTable {
        var table = TextTable(["FILES"] + Self.rateColumns)
        for (part, file) in self.report.files.enumerated() {
            let sum = self.report.results.reduce(EvalSummary()) { $0 + $1.parts[part] }
            table.append([file.split(separator: "/").last.map { String($0) } ?? file] + Self.cells(sum))
        }
        return table
    }

    private var curve: TextTable {
        var table = TextTable(["CURVE"] + Self.rateColumns)
        for piece in 0..<EvalResult.pieces {
            let sum = self.report.results.reduce(EvalSummary()) { $0 + $1.curve[piece] }
            table.append(["to \((piece + 1) * 100 / EvalResult.pieces) %"] + Self.cells(sum))
        }
        return table
    }

    private var misses: TextTable {
        let reasons = Set(self.report.results.flatMap { $0.misses.keys })
        let counts = reasons.map { reason in
            (reason, self.report.results.map { $0.misses[reason, default: 0] })
        }.sorted { ($0.1.reduce(0, +), $1.0) > ($1.1.reduce(0, +), $0.0) }
        var table = TextTable(["MISSES"] + self.report.results.map { "ORDER \($0.order)" })
        for (reason, counts) in counts { table.append([reason] + counts.map { NumberText.grouped($0) }) }
        return table
    }

    private var calibration: TextTable {
        var table = TextTable(["RISK, FORETOLD AND OBSERVED"] + self.report.results.map { "ORDER \($0.order)" })
        let bins = self.report.results.map { $0.calibration.bins.count }.max() ?? 0
        for bin in 0..<bins {
            table.append(
                ["bin \(bin + 1)"]
                    + self.report.results.map { result in
                        guard bin < result.calibration.bins.count else { return "-" }
                        let one = result.calibration.bins[bin]
                        return "\(ShareText.text(one.predicted)) / \(ShareText.text(one.observed))"
                    })
        }
        let text = { (error: Double?) in error.map { ShareText.text($0) } ?? "-" }
        table.append(["mean difference"] + self.report.results.map { text($0.calibration.error) })
        table.append(["of what was served"] + self.report.results.map { text($0.servedCalibration.error) })
        return table
    }

    private var times: TextTable {
        var table = TextTable(["RUN", "CACHE", "SECONDS", "STORED", "FEEDBACK", "LOOKUP P50", "P99"])
        for result in self.report.results {
            table.append([
                "order \(result.order)", result.cache, NumberText.fixed(result.elapsed / .seconds(1), digits: 1),
                NumberText.grouped(result.stored), NumberText.grouped(result.judged),
                "\(NumberText.grouped(result.median)) us", "\(NumberText.grouped(result.percentile99)) us",
            ])
        }
        return table
    }

    private var decisions: TextTable {
        var table = TextTable([
            "THE SERVICE SAYS", "PHASE", "LABELS", "NEEDED", "RISK LIMIT", "WRONG/LOOKUP", "WRONG/HIT", "AUDITS",
            "WRONG",
        ])
        for result in self.report.results {
            guard let decisions = result.decisions else { continue }
            table.append([
                "order \(result.order)", decisions.phase.rawValue, NumberText.grouped(decisions.labels),
                NumberText.grouped(decisions.labelsNeeded), ShareText.text(decisions.riskLimit),
                ShareText.text(decisions.wrongPerLookup), ShareText.text(decisions.wrongPerHit),
                NumberText.grouped(decisions.audits), NumberText.grouped(decisions.wrongAudits),
            ])
        }
        return table
    }
}
