// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore

/// How long to wait between attempts to connect.
struct Backoff: Sendable, Hashable {
    let minimum: TimeAmount
    let maximum: TimeAmount

    init(minimum: Duration, maximum: Duration) {
        self.minimum = max(.milliseconds(1), TimeAmount(bounded: minimum))
        self.maximum = max(self.minimum, TimeAmount(bounded: maximum))
    }

    /// Returns the time to wait: half of it fixed, half of it by chance, so that the clients of a server that restarts
    /// do not return together.
    ///
    /// - Parameters:
    ///   - failures: Attempts that failed in a row, at least 1.
    ///   - jitter: By chance, 0...1.
    func delay(afterFailures failures: Int, jitter: Double) -> TimeAmount {
        let doublings = min(max(0, failures - 1), 30)
        let (full, overflow) = self.minimum.nanoseconds.multipliedReportingOverflow(by: 1 << doublings)
        let bounded = overflow ? self.maximum.nanoseconds : min(full, self.maximum.nanoseconds)
        return .nanoseconds(bounded / 2 + Int64(Double(bounded / 2) * min(max(0, jitter), 1)))
    }
}

extension TimeAmount {
    /// Bounded to a day, so that no sum with a deadline overflows.
    init(bounded duration: Duration) {
        let bounded = min(max(.zero, duration), .seconds(86_400))
        let (seconds, attoseconds) = bounded.components
        self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
