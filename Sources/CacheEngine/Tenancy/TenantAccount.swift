// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Synchronization

/// What a tenant uses now, and what was refused to it. Outlives a change of its policy.
package final class TenantAccount: Sendable {
    private struct KnownCache {
        let name: String
        let counters: CacheCounters
    }

    private let bucket = TokenBucket()
    private let callsInFlight = Atomic<Int>(0)
    private let refusedByRate = Atomic<UInt64>(0)
    private let refusedByCallsInFlight = Atomic<UInt64>(0)
    private let refusedByRequestBytes = Atomic<UInt64>(0)
    private let refusedByRole = Atomic<UInt64>(0)
    private let refusedByQuota = Atomic<UInt64>(0)
    private let evictedEntries = Atomic<UInt64>(0)
    private let caches = Mutex<[Digest: KnownCache]>([:])
    /// Counts what the caches over the limit do.
    let uncounted: CacheCounters
    /// Of all of its caches.
    let savings: SavingsCounter

    init() {
        self.savings = SavingsCounter()
        self.uncounted = CacheCounters(savings: self.savings)
    }

    // MARK: Requests

    /// Whether a request is within rate and size; if so, takes a token. Counts no refusal.
    func takes(_ quota: TenantQuota, bytes: Int, at now: Timestamp) -> Bool {
        if let limit = quota.requestBytes, bytes > limit { return false }
        guard let rate = quota.requestsPerSecond else { return true }
        return self.bucket.take(rate: rate, burst: quota.fullBucket, at: now) == nil
    }

    /// Checks a request against rate and size, and takes a token.
    ///
    /// - Parameter bytes: Of its body.
    /// - Throws: ``CacheError`` with `.resourceExhausted`.
    func admit(_ quota: TenantQuota, bytes: Int, at now: Timestamp) throws(CacheError) {
        // The token first: a request that is refused for another reason was made all the same.
        if let rate = quota.requestsPerSecond,
            let wait = self.bucket.take(rate: rate, burst: quota.fullBucket, at: now)
        {
            self.refusedByRate.add(1, ordering: .relaxed)
            throw CacheError(
                .resourceExhausted, "the tenant makes more than \(rate) requests per second",
                retryAfter: wait.roundedUp)
        }
        if let limit = quota.requestBytes, bytes > limit {
            self.refusedByRequestBytes.add(1, ordering: .relaxed)
            throw CacheError(.resourceExhausted, "the request has \(bytes) bytes, the tenant's limit is \(limit)")
        }
    }

    /// Begins a call; ``endCall()`` must follow.
    ///
    /// - Throws: ``CacheError`` with `.resourceExhausted`.
    func beginCall(_ quota: TenantQuota) throws(CacheError) {
        let count = self.callsInFlight.add(1, ordering: .relaxed).newValue
        guard let limit = quota.callsInFlight, count > limit else { return }
        self.callsInFlight.subtract(1, ordering: .relaxed)
        self.refusedByCallsInFlight.add(1, ordering: .relaxed)
        // When one of them ends is not known; soon is a good guess.
        throw CacheError(
            .resourceExhausted, "the tenant has \(limit) calls in flight, its limit", retryAfter: .milliseconds(10))
    }

    package func endCall() { self.callsInFlight.subtract(1, ordering: .relaxed) }

    package func countRefusalByRole() { self.refusedByRole.add(1, ordering: .relaxed) }
    func countRefusalByQuota() { self.refusedByQuota.add(1, ordering: .relaxed) }

    // MARK: Caches

    /// The counters of a cache.
    ///
    /// - Parameter isDeclared: Whether it exists by configuration; others share counters from
    ///   ``Limits/maximumCountedCaches`` on.
    func counters(of cache: CacheScope, isDeclared: Bool) -> CacheCounters {
        self.caches.withLock { caches in
            if let known = caches[cache.key] { return known.counters }
            guard isDeclared || caches.count < Limits.maximumCountedCaches else { return self.uncounted }
            let counters = CacheCounters(savings: self.savings)
            caches[cache.key] = KnownCache(name: cache.name, counters: counters)
            return counters
        }
    }

    /// - Parameter cache: May be one that nobody has asked for since the start.
    func countEvicted(from cache: Digest) {
        self.evictedEntries.add(1, ordering: .relaxed)
        self.caches.withLock { $0[cache]?.counters }?.countEvicted()
    }

    /// What the caches counted, by their digest.
    func cacheStatistics() -> [Digest: CacheStatistics] {
        self.caches.withLock { $0 }.mapValues { cache in
            var statistics = CacheStatistics(cache: cache.name)
            cache.counters.add(to: &statistics)
            return statistics
        }
    }

    /// Adds what all of its caches counted.
    func addAll(to statistics: inout CacheStatistics) {
        for cache in self.caches.withLock({ Array($0.values) }) { cache.counters.add(to: &statistics) }
        self.uncounted.add(to: &statistics)
    }

    var callsInFlightNow: Int { self.callsInFlight.load(ordering: .relaxed) }

    func add(to statistics: inout TenantStatistics) {
        statistics.evictedEntries += self.evictedEntries.load(ordering: .relaxed)
        statistics.refusedByRate += self.refusedByRate.load(ordering: .relaxed)
        statistics.refusedByCallsInFlight += self.refusedByCallsInFlight.load(ordering: .relaxed)
        statistics.refusedByRequestBytes += self.refusedByRequestBytes.load(ordering: .relaxed)
        statistics.refusedByRole += self.refusedByRole.load(ordering: .relaxed)
        statistics.refusedByQuota += self.refusedByQuota.load(ordering: .relaxed)
    }
}

extension Duration {
    /// To whole milliseconds, at least one.
    fileprivate var roundedUp: Duration {
        .milliseconds(max(1, (self + .microseconds(999)).wholeMilliseconds))
    }
}
