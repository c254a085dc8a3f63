// SPDX-License-Identifier: Apache-2.0

/// Notices when other things are asked than before, by how near the nearest entry of each lookup is.
///
/// Similarities and not estimates: those change with each fit.
struct FamiliarityWindow: Sendable {
    /// Lookups that are remembered.
    private static let count = 1000
    /// Those of them that are compared with the others.
    private static let latest = 100
    /// A lookup is unfamiliar if this share of those before had a nearer entry.
    private static let familiar = 0.75
    /// Deviations by which there are more unfamiliar ones then. Many: it is looked at often, and what is asked comes in
    /// bunches.
    private static let surprise = 7.0
    /// Lookups between two comparisons: sorting takes a while.
    private static let interval = 20

    private var similarities = RecentNumbers(limit: Self.count)
    private var sinceComparison = 0

    /// Takes note of a lookup, with the similarity of its nearest entry.
    ///
    /// - Returns: Whether far more of the latest ones are unfamiliar than chance explains. They are what later ones are
    ///   compared with then.
    mutating func note(_ similarity: Float) -> Bool {
        self.sinceComparison += 1
        self.similarities.append(similarity)
        guard self.similarities.isFull, self.sinceComparison >= Self.interval else { return false }
        self.sinceComparison = 0
        let inOrder = self.similarities.inOrder
        let before = inOrder.dropLast(Self.latest).sorted()
        guard Self.differs(inOrder.suffix(Self.latest), from: before) else { return false }
        self.similarities.keep(latest: Self.latest)
        return true
    }

    private static func differs(_ latest: ArraySlice<Float>, from before: [Float]) -> Bool {
        let share = 1 - Self.familiar
        let least = before[Int(share * Double(before.count))]
        let unfamiliar = Double(latest.count { $0 < least })
        let expected = share * Double(latest.count)
        return unfamiliar - expected > Self.surprise * (expected * (1 - share)).squareRoot()
    }
}
