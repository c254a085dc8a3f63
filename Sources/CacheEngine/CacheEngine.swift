// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import CoreMetrics
package import Logging
import Synchronization
package import Tracing

/// The verbs: look up, store, invalidate.
///
/// Every verb takes a ``TenantScope``; the files `CacheEngine+….swift` hold one verb each.
package final class CacheEngine: Sendable {
    /// What is replaced when the configuration is read again.
    private struct Tenants {
        var directory: TenantDirectory
        var known: [TenantID: Tenant] = [:]
        /// Stay, so that a reload neither forgives nor forgets.
        var accounts: [TenantID: TenantAccount] = [:]
        /// See ``EngineFigures``.
        var moved = EngineFigures().moved

        /// Whether metrics have a series for a tenant.
        func hasLabel(_ tenant: TenantID) -> Bool {
            self.directory.declares(tenant) && EngineFigures.hasLabel(tenant)
        }
    }

    package let memory: MemoryTier
    let metrics: EngineMetrics
    let store: ObservedStore
    /// To be told what other processes do with the store.
    package let fills: Fills
    package let pools: EmbeddingPools
    let troubles: TroubleLog
    let deciders: Deciders
    let judges: [String: any AnswerJudge]
    private let coherence: (any Coherence)?
    let clock: @Sendable () -> Timestamp
    let random: @Sendable () -> Double
    private let tenants: Mutex<Tenants>
    /// Counts the configurations.
    private let generation = Atomic<UInt64>(0)
    /// The tenant with which the next reading of sizes begins.
    let nextSizes = Atomic<Int>(0)
    let startedAt = ContinuousClock.now

    /// - Parameters:
    ///   - coherence: `nil` for a store that nobody else changes.
    ///   - judges: By the names by which caches choose one.
    ///   - clock: The wall clock: times to live are absolute.
    ///   - random: Uniform in 0..<1.
    ///   - metrics: As bootstrapped, if nothing else is said.
    ///   - tracer: Likewise.
    package init(
        store: any VectorStore, pools: EmbeddingPools, memory: MemoryTier, coherence: (any Coherence)? = nil,
        judges: [String: any AnswerJudge] = [:], directory: TenantDirectory, logger: Logger,
        clock: @escaping @Sendable () -> Timestamp,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
        metrics: any MetricsFactory = MetricsSystem.factory, tracer: any Tracer = InstrumentationSystem.tracer
    ) {
        self.store = ObservedStore(store, metrics: metrics, spans: Spans(tracer))
        self.metrics = EngineMetrics(metrics)
        let troubles = TroubleLog(logger)
        self.fills = Fills(self.store, troubles)
        self.deciders = Deciders(self.store, memory, troubles)
        self.judges = judges
        self.pools = pools
        self.memory = memory
        self.coherence = coherence
        self.tenants = Mutex(Tenants(directory: directory))
        self.troubles = troubles
        self.clock = clock
        self.random = random
    }

    /// Makes an engine with one embedder for all caches.
    package convenience init(
        store: any VectorStore, pool: EmbeddingPool, memory: MemoryTier, directory: TenantDirectory, logger: Logger,
        clock: @escaping @Sendable () -> Timestamp,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
        metrics: any MetricsFactory = MetricsSystem.factory, tracer: any Tracer = InstrumentationSystem.tracer
    ) {
        self.init(
            store: store, pools: EmbeddingPools([pool.name: pool], default: pool.name), memory: memory,
            directory: directory, logger: logger, clock: clock, random: random, metrics: metrics, tracer: tracer)
    }

    package var now: Timestamp { self.clock() }

    // MARK: Tenants

    /// Puts another configuration in force, from the next call on.
    package func replace(_ directory: TenantDirectory) {
        // What was found by other rules is not to be remembered.
        let changed = self.tenants.withLock { tenants in
            let changed = tenants.known.filter { directory.policy(of: $0.key) != tenants.directory.policy(of: $0.key) }
                .map { $0.value.scope }
            let hadLabel = Set(tenants.accounts.keys.filter { tenants.hasLabel($0) })
            tenants.directory = directory
            for (tenant, account) in tenants.accounts {
                switch (hadLabel.contains(tenant), tenants.hasLabel(tenant)) {
                case (false, true): tenants.moved.add(EngineFigures.Tenant(account))
                case (true, false): tenants.moved.subtract(EngineFigures.Tenant(account))
                default: break
                }
            }
            tenants.known = [:]
            self.generation.add(1, ordering: .releasing)
            return changed
        }
        for scope in changed { self.memory.removeAll(of: scope) }
    }

    /// Whether what was derived from a tenant, such as a route, is still right.
    package func isCurrent(_ tenant: Tenant) -> Bool {
        tenant.generation == self.generation.load(ordering: .acquiring)
    }

    /// The tenant of a scope, under the present configuration.
    ///
    /// - Throws: ``CacheError`` with `.permissionDenied` for one that the configuration does not have, and
    ///   `.resourceExhausted` for one too many.
    package func tenant(_ scope: TenantScope) throws(CacheError) -> Tenant {
        try self.tenants.withLock { tenants throws(CacheError) in
            if let known = tenants.known[scope.tenant] { return known }
            guard let policy = tenants.directory.policy(of: scope.tenant) else {
                throw CacheError(.permissionDenied, "the tenant is not configured here")
            }
            let isOneMore = tenants.accounts[scope.tenant] == nil && !tenants.directory.declares(scope.tenant)
            guard !isOneMore || tenants.accounts.count < Limits.maximumTenants else {
                throw CacheError(.resourceExhausted, "the server has \(Limits.maximumTenants) tenants, its limit")
            }
            let account = tenants.accounts[scope.tenant] ?? TenantAccount()
            let tenant = Tenant(
                scope: scope, policy: policy, account: account, lease: self.coherence?.lease(of: scope) ?? .permanent,
                generation: self.generation.load(ordering: .relaxed))
            tenants.accounts[scope.tenant] = account
            tenants.known[scope.tenant] = tenant
            return tenant
        }
    }

    /// The tenants of the configuration, by name.
    package var declaredTenants: [TenantID] { self.tenants.withLock { Array($0.directory.tenants.keys) }.sorted() }

    /// Tenants that only credentials named, since the start, by name.
    package var undeclaredTenants: [TenantID] {
        self.tenants.withLock { tenants in tenants.accounts.keys.filter { !tenants.directory.declares($0) } }.sorted()
    }

    /// What the tenants did since the start, without those that did nothing; and what changed its label meanwhile.
    var counted: (accounts: [TenantID: TenantAccount], moved: EngineFigures.Tenant) {
        self.tenants.withLock { ($0.accounts, $0.moved) }
    }

    func declares(_ tenant: TenantID) -> Bool { self.tenants.withLock { $0.directory.declares(tenant) } }

    /// `nil` for a tenant that the configuration does not have.
    func policy(of tenant: TenantID) -> TenantPolicy? { self.tenants.withLock { $0.directory.policy(of: tenant) } }

    // MARK: Routes

    /// - Throws: ``CacheError`` with `.notFound` for a cache that the tenant does not have, and as ``tenant(_:)``.
    package func route(cache: String, vary: [VaryPart], scope: TenantScope) throws(CacheError) -> CacheRoute {
        try self.route(cache: cache, vary: vary, tenant: try self.tenant(scope))
    }

    /// - Throws: ``CacheError`` with `.notFound` for a cache that the tenant does not have, `.failedPrecondition` for one
    ///   whose embedder there is not: settings that name one are refused before it comes to this.
    package func route(cache name: String, vary: [VaryPart], tenant: Tenant) throws(CacheError) -> CacheRoute {
        guard let policy = tenant.policy.policy(of: name) else {
            throw CacheError(.notFound, "the tenant has no such cache", field: "cache")
        }
        guard let pool = self.pools[policy.embedder] else {
            throw CacheError(.failedPrecondition, "the cache's embedder is not configured here", field: "cache")
        }
        return CacheRoute(
            tenant: tenant, cache: CacheScope(name, of: tenant.scope), policy: policy, pool: pool, vary: vary)
    }

    // MARK: Memory

    /// Looks only into memory: what an event loop may do.
    ///
    /// - Parameters:
    ///   - partition: The route's, or that of a context.
    ///   - lease: Of the tenant.
    ///   - leaseTime: A reading of ``MemoryLease/now`` after the request had come.
    /// - Returns: `nil` if the slow lane must decide.
    package func remembered(
        _ id: EntryID, in partition: Partition, by lease: MemoryLease, policy: CachePolicy, mode: LookupRequest.Mode,
        threshold: Float?, maximumAge: Duration?, at now: Timestamp, leaseTime: Int64 = MemoryLease.now
    ) -> MemoryTier.Found? {
        lease.use()
        guard mode != .semantic, lease.permits(at: leaseTime),
            let found = self.memory.find(
                id, in: partition, semantic: mode == .both && !policy.decision.isShadow, at: now),
            found.kind == .exact || found.similarity >= policy.leastRemembered(requested: threshold)
        else { return nil }
        if let maximumAge, now - found.item.entry.createdAt > maximumAge { return nil }
        return found
    }

    /// Tells the store, now and then, that an entry is served from memory: what the store does not see being used would
    /// be the first to go when the tenant's quota is full.
    package func noteServed(_ found: MemoryTier.Found, in partition: Partition, at now: Timestamp) {
        if found.item.isNoteDue(at: now) { self.store.touch(found.item.entry.id, in: partition, at: now) }
    }
}

extension Sequence<TenantID> {
    /// By the bytes of the names.
    fileprivate func sorted() -> [TenantID] { self.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } }
}
