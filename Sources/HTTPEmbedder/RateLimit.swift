// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Decides when the provider's limits allow the next request, so that it need not be told. No side effects, no clock.
struct RateLimit: ~Copyable {
    /// What an answer says of one limit: so many are left, and it is back to the whole after some time.
    struct Window: Equatable {
        var limit: Int?
        var remaining: Int
        var reset: Duration?
    }

    /// Of requests, or of tokens.
    private struct Allowance {
        let remaining: Int
        let limit: Int?
        let noted: ContinuousClock.Instant
        let reset: ContinuousClock.Instant
        /// Since then.
        var taken = 0

        /// When there are so many more. Where the limit is known it comes back bit by bit, as a bucket fills: to wait
        /// for all of it, a minute, would be to stand idle.
        func instant(of count: Int) -> ContinuousClock.Instant {
            let missing = self.taken + count - self.remaining
            guard missing > 0 else { return self.noted }
            guard let limit, limit > self.remaining, missing < limit - self.remaining else { return self.reset }
            return self.noted + (self.reset - self.noted) * (Double(missing) / Double(limit - self.remaining))
        }
    }

    private var requests: Allowance?
    private var tokens: Allowance?
    private var pausedUntil: ContinuousClock.Instant?

    /// Takes the request from what is left, or says when it may be sent.
    ///
    /// - Parameter tokens: As far as they can be guessed.
    /// - Returns: `nil` for now.
    mutating func admit(tokens count: Int, at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        if let reset = self.requests?.reset, reset <= now { self.requests = nil }
        if let reset = self.tokens?.reset, reset <= now { self.tokens = nil }
        let instants = [self.pausedUntil, self.requests?.instant(of: 1), self.tokens?.instant(of: count)]
        if let instant = instants.compactMap(\.self).max(), instant > now { return instant }
        self.requests?.taken += 1
        self.tokens?.taken += count
        return nil
    }

    /// Takes note of what an answer said. Without a time after which there is more, it says nothing that helps.
    mutating func note(requests: Window?, tokens: Window?, at now: ContinuousClock.Instant) {
        if let requests { self.requests = Self.allowance(requests, at: now) }
        if let tokens { self.tokens = Self.allowance(tokens, at: now) }
    }

    /// The provider asks to be left alone.
    mutating func pause(for duration: Duration, at now: ContinuousClock.Instant) {
        let until = now + min(max(.zero, duration), Limits.maximumProviderPause)
        self.pausedUntil = max(self.pausedUntil ?? until, until)
    }

    private static func allowance(_ window: Window, at now: ContinuousClock.Instant) -> Allowance? {
        guard let reset = window.reset, reset > .zero, window.remaining >= 0 else { return nil }
        return Allowance(
            remaining: window.remaining, limit: window.limit, noted: now,
            reset: now + min(reset, Limits.maximumProviderPause))
    }
}
