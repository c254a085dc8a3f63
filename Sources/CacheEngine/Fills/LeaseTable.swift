// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// The leases of a store that one process has for itself. They end with it: what was promised before cannot be kept
/// after, since nobody knows what was removed in between.
///
/// Times are of a monotonic clock, so that setting the clock neither prolongs a lease nor ends it.
package struct LeaseTable: Sendable {
    package typealias Instant = ContinuousClock.Instant

    private struct Lease {
        let token: LeaseToken
        let cache: Digest
        var end: Instant
    }

    private static let pruneInterval = Duration.seconds(1)

    /// By tenant.
    private var leases: [Digest: [EntryID: Lease]] = [:]
    private var count = 0
    private var nextPrune: Instant?
    private let limit: Int
    private let tenantLimit: Int

    package init(limit: Int = Limits.leases, tenantLimit: Int = Limits.leasesPerTenant) {
        self.limit = limit
        self.tenantLimit = tenantLimit
    }

    /// - Returns: Never that it has changed.
    /// - Throws: ``VectorStoreError`` with `.overloaded`.
    package mutating func acquire(
        _ id: EntryID, in partition: Partition, for time: Duration, at now: Instant
    ) throws(VectorStoreError) -> LeaseGrant {
        let tenant = partition.cache.tenant.tenant.key
        if let lease = self.leases[tenant]?[id], lease.end > now { return .held(for: lease.end - now) }
        self.drop(id, of: tenant)
        if self.isFull(tenant) { self.prune(at: now) }
        guard !self.isFull(tenant) else { throw VectorStoreError(.overloaded, "too many answers are being made") }
        let lease = Lease(token: LeaseToken(for: id), cache: partition.cache.key, end: now + time)
        self.leases[tenant, default: [:]][id] = lease
        self.count += 1
        return .granted(lease.token, for: time)
    }

    /// Whether a token is of the lease on an entry.
    package func holds(_ token: LeaseToken, on id: EntryID, in cache: CacheScope, at now: Instant) -> Bool {
        guard let lease = self.leases[cache.tenant.tenant.key]?[id] else { return false }
        return lease.token == token && lease.cache == cache.key && lease.end > now
    }

    package mutating func extend(
        _ token: LeaseToken, in cache: CacheScope, for time: Duration, at now: Instant
    ) throws(VectorStoreError) -> Duration {
        guard let id = token.id, self.holds(token, on: id, in: cache, at: now) else { throw .leaseIsOver }
        self.leases[cache.tenant.tenant.key]?[id]?.end = now + time
        return time
    }

    package mutating func release(_ token: LeaseToken, in cache: CacheScope, at now: Instant) -> Bool {
        guard let id = token.id, self.holds(token, on: id, in: cache, at: now) else { return false }
        self.drop(id, of: cache.tenant.tenant.key)
        return true
    }

    /// To be called when an entry was put: whosever lease there is on it, its answer is there.
    package mutating func end(_ id: EntryID, in partition: Partition) {
        self.drop(id, of: partition.cache.tenant.tenant.key)
    }

    /// To be called by a removal.
    package mutating func void(_ selector: RemovalSelector) {
        switch selector {
        case .ids(let ids, let cache): for id in ids { self.drop(id, of: cache) }
        case .entry(let id, let partition): self.drop(id, of: partition.cache)
        case .radius(_, _, let partition): self.dropAll(of: partition.cache)
        case .filter(_, let cache), .cache(let cache): self.dropAll(of: cache)
        case .tenant(let tenant): self.count -= self.leases.removeValue(forKey: tenant.tenant.key)?.count ?? 0
        }
    }

    private mutating func drop(_ id: EntryID, of cache: CacheScope) {
        let tenant = cache.tenant.tenant.key
        if self.leases[tenant]?[id]?.cache == cache.key { self.drop(id, of: tenant) }
    }

    private mutating func drop(_ id: EntryID, of tenant: Digest) {
        guard self.leases[tenant]?.removeValue(forKey: id) != nil else { return }
        self.count -= 1
        if self.leases[tenant]?.isEmpty == true { self.leases[tenant] = nil }
    }

    private mutating func dropAll(of cache: CacheScope) {
        self.keep(of: cache.tenant.tenant.key) { $0.cache != cache.key }
    }

    private mutating func keep(of tenant: Digest, _ isKept: (Lease) -> Bool) {
        guard let all = self.leases[tenant] else { return }
        let kept = all.filter { isKept($0.value) }
        self.count -= all.count - kept.count
        self.leases[tenant] = kept.isEmpty ? nil : kept
    }

    private func isFull(_ tenant: Digest) -> Bool {
        self.count >= self.limit || self.leases[tenant]?.count ?? 0 >= self.tenantLimit
    }

    /// Takes out those that nobody released, but not for each caller who finds the table full.
    private mutating func prune(at now: Instant) {
        if let nextPrune, now < nextPrune { return }
        self.nextPrune = now + Self.pruneInterval
        for tenant in Array(self.leases.keys) { self.keep(of: tenant) { $0.end > now } }
    }
}

extension VectorStoreError {
    package static let leaseIsOver = Self(.aborted, "the lease has ended, or a removal has made it void")
}
