// SPDX-License-Identifier: Apache-2.0

/// What `tune` draws.
extension Plot {
    private static let (blue, red, green) = ("#1f77b4", "#d62728", "#2ca02c")
    private static let thresholds = 0.70...0.99

    init(_ sweep: PairSweep) {
        let curve = { (name: String, color: String, isDashed: Bool, value: (PairSweep.Row) -> Double) in
            Curve(
                name: name, points: sweep.rows.map { ($0.threshold, value($0) * 100) }, color: color,
                isDashed: isDashed)
        }
        let against = { (name: String, color: String, part: (PairSweep.Row) -> ServedPairs) in
            Curve(
                name: name,
                points: sweep.rows.map { (part($0).wrongOfServed.share * 100, part($0).right.share * 100) },
                color: color)
        }
        let over = Panel(
            title: "Over the threshold", xTitle: "least similarity", yTitle: "%", x: Self.thresholds, y: 0...100,
            curves: [
                curve("right pairs served, guards", Self.blue, false) { $0.guarded.right.share },
                curve("wrong of served, guards", Self.red, false) { $0.guarded.wrongOfServed.share },
                curve("right pairs served", Self.blue, true) { $0.plain.right.share },
                curve("wrong of served", Self.red, true) { $0.plain.wrongOfServed.share },
            ], xDigits: 2)
        let curves = [
            against("similarity alone", Self.red) { $0.plain }, against("with guards", Self.blue) { $0.guarded },
        ]
        self.init(
            title: "Labelled pairs", panels: [over, Self.trade("right pairs served, %", "wrong of served, %", curves)])
    }

    init(_ sweep: LabelSweep) {
        let curve = { (name: String, color: String, rows: [LabelSweep.Row], value: (LabelSweep.Row) -> Double) in
            Curve(name: name, points: rows.map { ($0.bound, value($0) * 100) }, color: color)
        }
        let against = { (name: String, color: String, rows: [LabelSweep.Row]) in
            Curve(name: name, points: rows.map { ($0.wrongOfAll.share * 100, $0.served.share * 100) }, color: color)
        }
        let over = Panel(
            title: "Over the threshold", xTitle: "least similarity", yTitle: "% of labelled decisions",
            x: Self.thresholds, y: 0...100,
            curves: [
                curve("hits", Self.blue, sweep.thresholds) { $0.served.share },
                curve("wrong", Self.red, sweep.thresholds) { $0.wrongOfAll.share },
            ], xDigits: 2)
        var curves = [against("threshold", Self.red, sweep.thresholds)]
        if !sweep.riskLimits.isEmpty { curves.append(against("calibrated", Self.green, sweep.riskLimits)) }
        self.init(
            title: "Labelled decisions",
            panels: [over, Self.trade("hits, % of labelled decisions", "wrong, % of labelled decisions", curves)])
    }

    /// What is gained over what it costs, as far as any curve goes.
    private static func trade(_ gain: String, _ cost: String, _ curves: [Curve]) -> Panel {
        let most = curves.flatMap { $0.points }.map { $0.x }.max() ?? 0
        return Panel(
            title: "Hits and errors", xTitle: cost, yTitle: gain, x: 0...max(1, most), y: 0...100, curves: curves,
            xDigits: most < 4 ? 1 : 0)
    }
}
