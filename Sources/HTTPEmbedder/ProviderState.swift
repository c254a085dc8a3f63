// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel

/// What is known of a provider, and the decisions that come of it. No side effects, no clock.
struct ProviderState: ~Copyable {
    /// Conditions that are told of, each once in an interval.
    enum Condition: Hashable {
        case rateLimited, badRequest, badAnswer, credential
        /// A judge's answer that is neither yes nor no.
        case undecided
    }

    private static let interval = Duration.seconds(60)

    var breaker: CircuitBreaker
    var rateLimit = RateLimit()
    var budget: RetryBudget
    private var told: [Condition: ContinuousClock.Instant] = [:]

    /// - Parameter retryRatio: See ``RetryBudget``.
    init(_ access: some ProviderAccess, retryRatio: Double) {
        self.breaker = CircuitBreaker(
            failures: access.breakerFailures, openDuration: access.breakerOpen, timeout: access.requestTimeout)
        self.budget = RetryBudget(ratio: retryRatio)
    }

    /// Why nothing is asked now.
    func refusal(at now: ContinuousClock.Instant) -> EmbedderError? {
        self.breaker.refusal(at: now).map { $0 == .refused ? .refusing : .leftAlone }
    }

    /// Gives the pass back with what came of it.
    ///
    /// - Parameter waited: Since the request was sent.
    mutating func finish(
        _ pass: CircuitBreaker.Pass, _ outcome: AttemptFailure.Outcome, waited: Duration,
        at now: ContinuousClock.Instant
    ) -> CircuitBreaker.Change? {
        switch outcome {
        case .answered, .rateLimited, .badRequest, .otherModel: self.breaker.succeed(pass)
        case .connection, .timeout, .serverError, .badAnswer: self.breaker.fail(pass, at: now)
        case .refused: self.breaker.refuse(pass, at: now)
        case .abandoned: self.breaker.abandon(pass, after: waited, at: now)
        }
    }

    mutating func isNews(_ condition: Condition, at now: ContinuousClock.Instant) -> Bool {
        if let before = self.told[condition], now - before < Self.interval { return false }
        self.told[condition] = now
        return true
    }
}
