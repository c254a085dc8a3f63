// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Synchronization

extension CacheEngine {
    /// Reads the figures of all tenants: those of some one by one, with what they have stored, the others together.
    ///
    /// Never fails: what the store cannot tell now, or not in time, is left out.
    ///
    /// - Parameters:
    ///   - scopes: Of distinct tenants.
    ///   - probe: What the store is asked for to see whether it answers; of no tenant.
    ///   - time: For the tenants' sizes. If it is too short for all, the next reading begins where this one ended.
    package func figures(
        of scopes: [TenantScope], probing probe: CacheScope, within time: Duration = Limits.figuresDeadline
    ) async -> EngineFigures {
        var figures = EngineFigures()
        let isStoreAnswering = await self.isAnswered(probe)
        figures.isStoreAnswering = isStoreAnswering
        // One that does not answer is not asked again and again.
        let sizes = isStoreAnswering ? await self.sizes(of: scopes, within: time) : [:]
        var (accounts, moved) = self.counted
        figures.moved = moved
        for scope in scopes {
            var tenant = self.figures(of: scope.tenant, accounts.removeValue(forKey: scope.tenant))
            if let size = sizes[scope.tenant] { tenant.add(size, of: scope) }
            figures.tenants.append(tenant)
        }
        figures.tenants.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        figures.othersCount = accounts.count
        for account in accounts.values { figures.others.add(account) }
        figures.process.uptime = ContinuousClock.now - self.startedAt
        figures.process.embedder = self.pools.default.identity.description
        self.addProcess(to: &figures.process)
        figures.forgottenByMemory = self.memory.forgotten
        figures.embedders = zip(self.pools.names, self.pools.all).map { name, pool in
            EngineFigures.Embedder(name: name, pool)
        }
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

    private func isAnswered(_ probe: CacheScope) async -> Bool {
        do throws(VectorStoreError) {
            _ = try await self.store.version(of: probe)
            return true
        } catch {
            self.troubles.note("store", error.code.rawValue, error.message)
            return false
        }
    }

    /// Asks for one at least.
    private func sizes(of scopes: [TenantScope], within time: Duration) async -> [TenantID: TenantSize] {
        let deadline = ContinuousClock.now + time
        let first = self.nextSizes.load(ordering: .relaxed)
        var (sizes, asked) = ([TenantID: TenantSize](), 0)
        while asked < scopes.count, asked == 0 || ContinuousClock.now < deadline {
            let scope = scopes[(first + asked) % scopes.count]
            sizes[scope.tenant] = await self.size(of: scope)
            asked += 1
        }
        if asked > 0 { self.nextSizes.store((first + asked) % scopes.count, ordering: .relaxed) }
        return sizes
    }

    private func size(of scope: TenantScope) async -> TenantSize? {
        do throws(VectorStoreError) {
            return try await self.store.sizes(of: scope, identities: self.pools.identities, at: self.now)
        } catch {
            self.troubles.note("store", error.code.rawValue, error.message)
            return nil
        }
    }
}

extension EngineFigures.Tenant {
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
