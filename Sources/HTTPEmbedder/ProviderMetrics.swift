// SPDX-License-Identifier: Apache-2.0

import CoreMetrics

/// What is measured of a provider. The handles are made once.
struct ProviderMetrics: Sendable {
    private let requests: [AttemptFailure.Outcome: Counter]
    private let durations: Timer
    private let retries: Counter
    private let hedges: Counter
    private let tokens: Counter
    private let breaker: Gauge

    /// - Parameter provider: The embedder's name in the settings.
    init(provider: String, _ factory: any MetricsFactory) {
        let label = [("provider", provider)]
        func counter(_ name: String, _ dimensions: [(String, String)]) -> Counter {
            Counter(label: "semcache_provider_\(name)_total", dimensions: dimensions, factory: factory)
        }
        self.requests = .init(
            uniqueKeysWithValues: AttemptFailure.Outcome.allCases.map { outcome in
                (outcome, counter("requests", label + [("outcome", outcome.rawValue)]))
            })
        self.durations = Timer(
            label: "semcache_provider_request_duration_seconds", dimensions: label, factory: factory)
        self.retries = counter("retries", label)
        self.hedges = counter("hedges", label)
        self.tokens = counter("tokens", label)
        self.breaker = Gauge(label: "semcache_provider_breaker_state", dimensions: label, factory: factory)
        self.breaker.record(CircuitBreaker.Phase.closed.rawValue)
    }

    func countRequest(_ outcome: AttemptFailure.Outcome, _ duration: Duration) {
        self.requests[outcome]?.increment()
        let (seconds, attoseconds) = duration.components
        self.durations.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    func countRetry() { self.retries.increment() }
    func countHedge() { self.hedges.increment() }

    /// - Parameter count: As the provider says.
    func countTokens(_ count: Int) { self.tokens.increment(by: max(0, count)) }

    func show(_ phase: CircuitBreaker.Phase) { self.breaker.record(phase.rawValue) }
}
