// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import Logging
import Synchronization

/// The verbs: look up, store, invalidate.
///
/// Every verb takes a ``TenantScope``; the files `CacheEngine+….swift` hold one verb each.
package final class CacheEngine: Sendable {
    /// Where the requests of one tenant, cache and list of vary parts go. Worth keeping by whoever sends many.
    package final class Route: Sendable {
        package let partition: Partition
        package let policy: CachePolicy
        package let counters: CacheCounters

        init(partition: Partition, policy: CachePolicy, counters: CacheCounters) {
            self.partition = partition
            self.policy = policy
            self.counters = counters
        }
    }

    private struct KnownCache {
        let scope: CacheScope
        let counters: CacheCounters
    }

    package let memory: MemoryTier
    let store: any VectorStore
    let pool: EmbeddingPool
    let troubles: TroubleLog
    let clock: @Sendable () -> Timestamp
    let random: @Sendable () -> Double
    private let policy: CachePolicy
    private let startedAt = ContinuousClock.now
    private let caches = Mutex<[Digest: KnownCache]>([:])
    /// Counts what the caches over the limit do.
    private let uncounted = CacheCounters()

    /// - Parameters:
    ///   - policy: Of every cache.
    ///   - clock: The wall clock: times to live are absolute.
    ///   - random: Uniform in 0..<1.
    package init(
        store: any VectorStore, pool: EmbeddingPool, memory: MemoryTier, policy: CachePolicy, logger: Logger,
        clock: @escaping @Sendable () -> Timestamp,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.store = store
        self.pool = pool
        self.memory = memory
        self.policy = policy
        self.troubles = TroubleLog(logger)
        self.clock = clock
        self.random = random
    }

    package var now: Timestamp { self.clock() }
    package var dimensions: Int { self.pool.identity.dimensions }

    package func route(cache name: String, vary: [VaryPart], scope: TenantScope) -> Route {
        let cache = CacheScope(name, of: scope)
        return Route(
            partition: Partition(of: cache, embedding: self.pool.identity, vary: vary), policy: self.policy,
            counters: self.counters(of: cache))
    }

    /// Looks only into memory: what an event loop may do.
    ///
    /// - Returns: `nil` if the slow lane must decide.
    package func remembered(
        _ id: EntryID, on route: Route, mode: LookupRequest.Mode, threshold: Float?, maximumAge: Duration?,
        at now: Timestamp
    ) -> MemoryTier.Found? {
        guard mode != .semantic,
            let found = self.memory.find(id, in: route.partition, semantic: mode == .both, at: now),
            found.similarity >= route.policy.threshold(requested: threshold)
        else { return nil }
        if let maximumAge, now - found.item.entry.createdAt > maximumAge { return nil }
        return found
    }

    /// Counters and sizes of the tenant's caches, or of one of them.
    package func statistics(cache: String?, scope: TenantScope) async throws(CacheError) -> ServiceStatistics {
        // By digest: names that are canonically equal are two caches.
        var caches: [Digest: CacheStatistics] = [:]
        let known = self.caches.withLock { $0.values.filter { $0.scope.tenant == scope } }
        for cache in known {
            var statistics = CacheStatistics(cache: cache.scope.name)
            cache.counters.add(to: &statistics)
            caches[cache.scope.key] = statistics
        }
        do throws(VectorStoreError) {
            for size in try await self.store.sizes(of: scope, at: self.now) {
                let key = CacheScope(size.cache, of: scope).key
                caches[key, default: CacheStatistics(cache: size.cache)].entries = UInt64(size.entries)
                caches[key]!.responseBytes = UInt64(size.responseBytes)
            }
        } catch {
            throw CacheError(.unavailable, error.message)
        }
        var statistics = ServiceStatistics()
        statistics.caches = caches.values.filter { cache == nil || $0.cache == cache }.sorted { $0.cache < $1.cache }
        statistics.uptime = ContinuousClock.now - self.startedAt
        let (entries, bytes) = self.memory.size
        statistics.l1Entries = UInt64(entries)
        statistics.l1Bytes = UInt64(bytes)
        statistics.indexBytes = UInt64(self.store.indexBytes)
        (statistics.embeddingsComputed, statistics.embeddingsCached) = self.pool.counters
        statistics.embedder = self.pool.identity.description
        return statistics
    }

    private func counters(of cache: CacheScope) -> CacheCounters {
        self.caches.withLock { caches in
            if let known = caches[cache.key] { return known.counters }
            guard caches.count < Limits.maximumCountedCaches else { return self.uncounted }
            let counters = CacheCounters()
            caches[cache.key] = KnownCache(scope: cache, counters: counters)
            return counters
        }
    }
}
