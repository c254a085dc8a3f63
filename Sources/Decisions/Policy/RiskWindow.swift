// SPDX-License-Identifier: Apache-2.0

/// Finds up to which risk candidates can be served, so that the expected share of wrong answers among the lookups of late
/// stays within a budget, and that among those served within a cap.
package struct RiskWindow: Sendable {
    /// Lookups that are remembered.
    package static let count = 1000
    /// Without these, nothing is known of what is asked.
    private static let least = 50
    /// Lookups between two reckonings: sorting takes a while.
    private static let interval = 20
    /// Nothing is served that is as likely wrong as right.
    private static let greatest = 0.5

    private var risks = RecentNumbers(limit: Self.count)
    private var sinceReckoning = 0
    /// Up to which risk, inclusive, a candidate is served; 0 until enough is known.
    package private(set) var limit = 0.0
    /// Expected share of wrong answers among lookups, and among semantic hits, at that limit.
    package private(set) var expected = (perLookup: 0.0, perHit: 0.0)

    package init() {}

    /// Goes by a limit that another replica or an earlier life has found, until enough is known here.
    mutating func begin(with limit: Double) {
        if self.risks.all.count < Self.least { self.limit = min(limit, Self.greatest) }
    }

    /// Takes note of a Lookup.
    ///
    /// - Parameters:
    ///   - risk: Of what it could be answered with; 0 for one that needs no estimate, 1 for one that has no answer.
    ///   - budget: Wrong answers per Lookup.
    ///   - cap: Wrong answers per semantic hit.
    package mutating func note(_ risk: Double, budget: Double, cap: Double) {
        self.risks.append(Float(risk))
        self.sinceReckoning += 1
        guard self.risks.all.count >= Self.least, self.sinceReckoning >= Self.interval else { return }
        self.sinceReckoning = 0
        self.reckon(budget: budget, cap: cap)
    }

    private mutating func reckon(budget: Double, cap: Double) {
        self.limit = 0
        self.expected = (0, 0)
        var sum = 0.0
        var served = 0
        let risks = self.risks.all.sorted()
        for (place, risk) in risks.enumerated() where risk > 0 {
            sum += Double(risk)
            served += 1
            // All that are equally risky are served, or none of them.
            if place + 1 < risks.count, risks[place + 1] == risk { continue }
            let shares = (sum / Double(risks.count), sum / Double(served))
            guard Double(risk) <= Self.greatest, shares.0 <= budget, shares.1 <= cap else { return }
            self.limit = Double(risk)
            self.expected = shares
        }
    }
}
