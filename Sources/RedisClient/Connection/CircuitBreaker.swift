// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Whether a server can be reached, and when to try again while it cannot.
///
/// No clock and no chance of its own: both come in.
struct CircuitBreaker: Sendable {
    /// Failures in a row; it is open while there are any.
    private var failures = 0
    private(set) var error: RedisError?
    /// When the server is to be tried again; `nil` while it is closed or being tried.
    private(set) var nextProbe: NIODeadline?

    var isOpen: Bool { self.failures > 0 }

    /// - Parameter jitter: By chance, 0...1.
    /// - Returns: Whether this has opened it.
    mutating func failed(_ error: RedisError, at now: NIODeadline, jitter: Double) -> Bool {
        self.failures += 1
        self.error = error
        self.nextProbe = now + Self.delay(afterFailures: self.failures, jitter: jitter)
        return self.failures == 1
    }

    /// - Returns: Whether this has closed it.
    mutating func succeeded() -> Bool {
        defer { self = CircuitBreaker() }
        return self.isOpen
    }

    /// Whether the server is to be tried now. Said once; then ``failed(_:at:jitter:)`` or ``succeeded()`` must follow.
    mutating func takeProbe(at now: NIODeadline) -> Bool {
        guard let nextProbe, now >= nextProbe else { return false }
        self.nextProbe = nil
        return true
    }

    /// Between the minimum and twice as much for each failure, all of it by chance, so that the clients of a server that
    /// restarts do not return together.
    private static func delay(afterFailures failures: Int, jitter: Double) -> TimeAmount {
        let minimum = RedisLimits.minimumBackoff.nanoseconds
        let bound = min(minimum << min(failures, 20), RedisLimits.maximumBackoff.nanoseconds)
        return .nanoseconds(minimum + Int64(Double(bound - minimum) * min(max(0, jitter), 1)))
    }
}
