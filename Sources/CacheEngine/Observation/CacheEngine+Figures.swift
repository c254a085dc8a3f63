// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Reads the figures of all tenants: those of some one by one, with what they have stored, the others together.
    ///
    /// Never fails: what the store cannot tell now, or not within ``Limits/figuresDeadline``, is left out.
    ///
    /// - Parameter scopes: Of distinct tenants.
    package func figures(of scopes: [TenantScope]) async -> EngineFigures {
        var figures = EngineFigures()
        var accounts = self.accounts
        let deadline = ContinuousClock.now + Limits.figuresDeadline
        for scope in scopes {
            var tenant = self.figures(of: scope.tenant, accounts.removeValue(forKey: scope.tenant))
            // One that does not answer is not asked again and again.
            if figures.isStoreAnswering != false, ContinuousClock.now < deadline {
                let size = await self.size(of: scope)
                figures.isStoreAnswering = size != nil
                if let size { tenant.add(size, of: scope) }
            }
            figures.tenants.append(tenant)
        }
        figures.tenants.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        figures.othersCount = accounts.count
        for account in accounts.values { figures.others.add(account) }
        figures.process.uptime = ContinuousClock.now - self.startedAt
        figures.process.embedder = self.pool.identity.description
        self.addProcess(to: &figures.process)
        figures.forgottenByMemory = self.memory.forgotten
        figures.embeddingQueueLength = self.pool.queueLength
        return figures
    }

    private func figures(of tenant: TenantID, _ account: TenantAccount?) -> EngineFigures.Tenant {
        let policy = self.policy(of: tenant)
        var figures = EngineFigures.Tenant(
            name: tenant.name, isDeclared: self.declares(tenant))
        if let account {
            figures.add(account)
            figures.caches = account.cacheStatistics().values.sorted()
        }
        figures.statistics.maximumEntries = UInt64(policy?.quota.entries ?? 0)
        figures.statistics.maximumBytes = UInt64(policy?.quota.bytes ?? 0)
        return figures
    }

    private func size(of scope: TenantScope) async -> TenantSize? {
        do throws(VectorStoreError) {
            return try await self.store.sizes(of: scope, identity: self.pool.identity.key, at: self.now)
        } catch {
            self.troubles.note("store", error.code.rawValue, error.message)
            return nil
        }
    }
}

extension EngineFigures.Tenant {
    fileprivate mutating func add(_ account: TenantAccount) {
        account.add(to: &self.statistics)
        account.addAll(to: &self.sum)
        self.callsInFlight += account.callsInFlightNow
        var savings = Savings()
        account.savings.add(to: &savings)
        self.tokensSaved &+= savings.tokens
        self.costSaved += savings.cost
    }

    fileprivate mutating func add(_ size: TenantSize, of scope: TenantScope) {
        self.hasSizes = true
        self.statistics.entries = UInt64(size.entries)
        self.statistics.bytes = UInt64(size.bytes)
        self.statistics.orphanedEntries = UInt64(size.orphanedEntries)
        // By digest: names that are canonically equal are two caches.
        var caches: [Digest: CacheStatistics] = [:]
        for cache in self.caches { caches[CacheScope(cache.cache, of: scope).key] = cache }
        for size in size.caches {
            let key = CacheScope(size.cache, of: scope).key
            caches[key, default: CacheStatistics(cache: size.cache)].entries = UInt64(size.entries)
            caches[key]?.responseBytes = UInt64(size.responseBytes)
        }
        self.caches = caches.values.sorted()
    }
}

extension Sequence<CacheStatistics> {
    /// By the bytes of the names.
    fileprivate func sorted() -> [CacheStatistics] {
        self.sorted { $0.cache.utf8.lexicographicallyPrecedes($1.cache.utf8) }
    }
}
