// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Synchronization

/// What hits saved: the usage of the answers that did not have to be made again, as their callers stated it.
struct Savings: Sendable {
    /// Of a unit of cost.
    fileprivate static let fraction = 1e9

    /// Of prompts and completions.
    var tokens: UInt64 = 0
    /// Whole numbers, since a sum of others depends on the order: a counter must not go down by a rounding.
    var costInFractions: UInt64 = 0

    /// In the callers' unit.
    var cost: Double { Double(self.costInFractions) / Self.fraction }
}

/// Adds up savings. What a caller states may be anything: sums wrap as Prometheus expects of a counter, and never trap.
final class SavingsCounter: Sendable {
    /// Of one answer, in fractions.
    private static let largestCost = 1e15
    /// Of one answer.
    private static let mostTokens: UInt64 = 1 << 40

    private let tokens = Atomic<UInt64>(0)
    private let cost = Atomic<UInt64>(0)

    func add(_ usage: Usage) {
        let tokens = min(usage.promptTokens, Self.mostTokens) + min(usage.completionTokens, Self.mostTokens)
        self.tokens.wrappingAdd(tokens, ordering: .relaxed)
        // Written so that what is no number is nothing.
        guard usage.cost > 0 else { return }
        self.cost.wrappingAdd(UInt64(min(usage.cost * Savings.fraction, Self.largestCost)), ordering: .relaxed)
    }

    func add(to savings: inout Savings) {
        savings.tokens &+= self.tokens.load(ordering: .relaxed)
        savings.costInFractions &+= self.cost.load(ordering: .relaxed)
    }
}
