// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Counters and sizes of the tenant and its caches, or of one of them. Tells nothing of other tenants.
    ///
    /// - Throws: ``CacheError`` with `.unavailable` if the store cannot tell, and as ``tenant(_:)``.
    package func statistics(cache: String?, scope: TenantScope) async throws(CacheError) -> ServiceStatistics {
        try await self.metrics.measure(.stats) { () async throws(CacheError) -> ServiceStatistics in
            try await self.counted(cache: cache, scope: scope)
        }
    }

    private func counted(cache: String?, scope: TenantScope) async throws(CacheError) -> ServiceStatistics {
        let tenant = try self.tenant(scope)
        let size: TenantSize
        do throws(VectorStoreError) {
            size = try await self.store.sizes(of: scope, identities: self.identities, at: self.now)
        } catch {
            throw self.refusal(error)
        }
        // By digest: names that are canonically equal are two caches.
        var caches = tenant.account.cacheStatistics()
        for size in size.caches {
            let key = CacheScope(size.cache, of: scope).key
            var statistics = caches[key] ?? CacheStatistics(cache: size.cache)
            statistics.entries = UInt64(size.entries)
            statistics.responseBytes = UInt64(size.responseBytes)
            caches[key] = statistics
        }
        let wanted = cache.map { CacheScope($0, of: scope).key }
        var statistics = ServiceStatistics()
        statistics.tenant = Self.statistics(of: tenant, size, caches)
        statistics.caches = caches.filter { wanted == nil || $0.key == wanted }.map(\.value)
            .sorted { $0.cache.utf8.lexicographicallyPrecedes($1.cache.utf8) }
        statistics.uptime = ContinuousClock.now - self.startedAt
        statistics.embedder = self.pools.identities(of: tenant.policy).map(\.description).joined(separator: ", ")
        return statistics
    }

    /// Adds what is of the whole process: only for who may know of all tenants.
    package func addProcess(to statistics: inout ServiceStatistics) {
        let (entries, bytes) = self.memory.size
        statistics.l1Entries = UInt64(entries)
        statistics.l1Bytes = UInt64(bytes)
        statistics.indexBytes = UInt64(self.store.indexBytes)
        for counters in self.pools.all.map(\.counters) {
            statistics.embeddingsComputed += counters.computed
            statistics.embeddingsCached += counters.remembered
        }
    }

    /// Of vectors that requests may find.
    private var identities: Set<Digest> {
        self.pools.all.reduce(into: self.pools.identities) { $0.insert($1.identity.ofNormalisedText.key) }
    }

    private static func statistics(
        of tenant: Tenant, _ size: TenantSize, _ caches: [Digest: CacheStatistics]
    ) -> TenantStatistics {
        var statistics = TenantStatistics()
        statistics.entries = UInt64(size.entries)
        statistics.bytes = UInt64(size.bytes)
        statistics.orphanedEntries = UInt64(size.orphanedEntries)
        statistics.maximumEntries = UInt64(tenant.policy.quota.entries ?? 0)
        statistics.maximumBytes = UInt64(tenant.policy.quota.bytes ?? 0)
        tenant.account.add(to: &statistics)
        return statistics
    }
}
