// SPDX-License-Identifier: Apache-2.0

/// A pair, and what a cache goes by.
struct ScoredPair: Sendable, Equatable {
    /// Cosine, −1…1.
    let similarity: Float
    let isSame: Bool
    /// A guard says no, whatever the similarity.
    let isRefused: Bool
}

/// What is served of some pairs.
struct ServedPairs: Sendable, Equatable {
    /// Of the pairs with the same answer.
    let right: WilsonInterval
    /// Of the others.
    let wrong: WilsonInterval
    /// Share of wrong ones among those that are served.
    let wrongOfServed: WilsonInterval
    /// Share of wrong ones that are served, among all pairs.
    let wrongOfAll: WilsonInterval

    init(_ pairs: [ScoredPair], _ isServed: (ScoredPair) -> Bool) {
        var (right, rightServed, wrongServed) = (0, 0, 0)
        for pair in pairs {
            if pair.isSame { right += 1 }
            guard isServed(pair) else { continue }
            if pair.isSame { rightServed += 1 } else { wrongServed += 1 }
        }
        self.right = WilsonInterval(rightServed, of: right)
        self.wrong = WilsonInterval(wrongServed, of: pairs.count - right)
        self.wrongOfServed = WilsonInterval(wrongServed, of: rightServed + wrongServed)
        self.wrongOfAll = WilsonInterval(wrongServed, of: pairs.count)
    }
}

/// What is served at each threshold, by similarity alone and with the guards.
struct PairSweep: Sendable, Equatable {
    struct Row: Sendable, Equatable {
        let threshold: Double
        let plain: ServedPairs
        let guarded: ServedPairs
    }

    static let thresholds = (70...99).map { Double($0) / 100 }

    let rows: [Row]

    init(_ pairs: [ScoredPair]) {
        self.rows = Self.thresholds.map { threshold in
            Row(
                threshold: threshold,
                plain: ServedPairs(pairs) { $0.similarity >= Float(threshold) },
                guarded: ServedPairs(pairs) { $0.similarity >= Float(threshold) && !$0.isRefused })
        }
    }

    /// The lowest threshold from which on no more than a share of all pairs is served wrongly, with 97.5 % confidence: the
    /// upper end of the interval counts, so that few pairs prove little.
    ///
    /// - Returns: `nil` if there is none.
    func recommended(for budget: Double, _ part: (Row) -> ServedPairs) -> Row? {
        var best: Row?
        for row in self.rows.reversed() {
            guard part(row).wrongOfAll.high <= budget else { break }
            best = row
        }
        return best
    }
}
