// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Synchronization

/// Limits a rate, without a lock and without a timer.
///
/// The generic cell rate algorithm (ITU-T I.371): all there is to remember is when the next request would be due if they
/// came at the exact rate. It is a token bucket that is never refilled.
package final class TokenBucket: Sendable {
    /// Nanoseconds since the Unix epoch.
    private let due = Atomic<Int64>(0)

    package init() {}

    /// Takes a token.
    ///
    /// - Parameters:
    ///   - rate: Per second; positive.
    ///   - burst: Tokens of a full bucket; at least 1.
    ///   - now: Of any clock; one that is set back costs at most a bucket's worth of waiting.
    /// - Returns: `nil` if there was one; otherwise when there will be.
    package func take(rate: Double, burst: Int, at now: Timestamp) -> Duration? {
        let interval = Int64(max(1, min(1e9 / rate, 1e15)))
        let now = now.milliseconds.multipliedReportingOverflow(by: 1_000_000).partialValue
        let depth = interval.multipliedReportingOverflow(by: Int64(burst))
        let tolerance = depth.overflow ? Int64.max / 4 : min(depth.partialValue, Int64.max / 4)
        var due = self.due.load(ordering: .relaxed)
        while true {
            // A bucket is at most empty: a clock that was set back does not make it owe more.
            let owed = min(max(due, now), now &+ tolerance)
            let next = owed &+ interval
            let wait = next &- now &- tolerance
            if wait > 0 {
                if owed < due { _ = self.due.compareExchange(expected: due, desired: owed, ordering: .relaxed) }
                return .nanoseconds(wait)
            }
            let (exchanged, original) = self.due.weakCompareExchange(
                expected: due, desired: next, ordering: .relaxed)
            if exchanged { return nil }
            due = original
        }
    }
}
