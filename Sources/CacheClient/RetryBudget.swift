// SPDX-License-Identifier: Apache-2.0

/// How many calls may be sent a second time, as repetitions and as hedges together.
///
/// Each call earns a part of one. So a client that repeats all that it can adds that part to the load of servers that are
/// in trouble, and no more.
struct RetryBudget: Sendable, Hashable {
    /// What a call earns: 0...1.
    let share: Double
    /// Savings end here, so that a long quiet time is not followed by a storm.
    let maximum: Double
    private(set) var saved: Double

    /// - Parameter initial: What there is before the first call, enough for the calls in flight when a server dies.
    init(share: Double = 0.1, initial: Int = 64, maximum: Int = 1024) {
        self.share = share
        self.maximum = Double(maximum)
        self.saved = Double(min(initial, maximum))
    }

    mutating func callMade() { self.saved = min(self.maximum, self.saved + self.share) }

    /// Takes one out. False if there is none.
    mutating func take() -> Bool {
        guard self.saved >= 1 else { return false }
        self.saved -= 1
        return true
    }
}
