// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// How many requests beyond those that were asked for a provider may be sent: a share of them, so that retries do not
/// double the load of a provider that fails under it.
struct RetryBudget: ~Copyable {
    private var tokens = Limits.providerRetryReserve
    private let ratio: Double

    /// - Parameter ratio: 0...1; at 0 there is none.
    init(ratio: Double) { self.ratio = ratio }

    mutating func noteRequest() { self.tokens = min(self.tokens + self.ratio, Limits.providerRetryReserve) }

    mutating func withdraw() -> Bool {
        guard self.ratio > 0, self.tokens >= 1 else { return false }
        self.tokens -= 1
        return true
    }
}

/// How long to wait between attempts.
struct RetryBackoff: Sendable {
    let minimum: Duration
    let maximum: Duration

    /// All of it is by chance, so that those who failed together do not come back together.
    ///
    /// - Parameters:
    ///   - attempt: Those that failed, at least 1.
    ///   - jitter: By chance, 0...1.
    func delay(after attempt: Int, jitter: Double) -> Duration {
        let doublings = min(max(0, attempt - 1), 30)
        return min(self.minimum * (1 << doublings), self.maximum) * min(max(0, jitter), 1)
    }
}
