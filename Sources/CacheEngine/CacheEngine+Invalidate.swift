// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Removes entries. When it returns, none of them is found any more, in the store or in memory.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` for an embedding that cannot be used, a chat without a question
    ///   or a confirmation that is not the tenant's name, and as ``store(_:scope:by:)``.
    package func invalidate(
        _ request: InvalidateRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> InvalidateOutcome {
        try await self.metrics.measure(.invalidate) { () async throws(CacheError) -> InvalidateOutcome in
            try await self.removeSelected(request, scope: scope, by: deadline)
        }
    }

    private func removeSelected(
        _ request: InvalidateRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> InvalidateOutcome {
        let tenant = try self.tenant(scope)
        let selector: RemovalSelector?
        var counters = tenant.account.uncounted
        if case .wholeTenant(let confirmation) = request.selector {
            guard confirmation.utf8.elementsEqual(scope.tenant.name.utf8) else {
                throw .invalidArgument("whole_tenant.confirm_tenant", "is not the name of the tenant")
            }
            selector = .tenant(scope)
        } else {
            (selector, counters) = try await self.selector(of: request, tenant, by: deadline)
        }
        guard let selector else { return InvalidateOutcome(count: 0, sample: [], isDryRun: request.isDryRun) }
        let removed = try await self.remove(selector, isDryRun: request.isDryRun)
        if !request.isDryRun { counters.countInvalidated(removed.count) }
        return InvalidateOutcome(count: removed.count, sample: removed.sample, isDryRun: request.isDryRun)
    }

    /// - Returns: `nil` for what the cache never keeps.
    private func selector(
        of request: InvalidateRequest, _ tenant: Tenant, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> (RemovalSelector?, CacheCounters) {
        let vary: [VaryPart]
        switch request.selector {
        case .exactPrompt(_, let given), .semanticRadius(_, let given, _, _): vary = given
        case .ids, .filter, .tags, .wholeCache, .wholeTenant: vary = []
        }
        let route = try self.route(cache: request.cache, vary: vary, tenant: tenant)
        let cache = route.partition.cache
        let selector: RemovalSelector
        switch request.selector {
        case .ids(let ids): selector = .ids(ids, in: cache)
        case .filter(let filter): selector = .filter(filter, in: cache)
        case .tags(let tags): selector = .filter(.anyOf(tags: tags), in: cache)
        case .wholeCache: selector = .cache(cache)
        case .wholeTenant: selector = .tenant(tenant.scope)
        case .exactPrompt(let prompt, _):
            guard case .ask(_, let partition, let id) = try route.question(of: prompt) else {
                return (nil, route.counters)
            }
            selector = .entry(id, in: partition)
        case .semanticRadius(let prompt, _, let similarity, let given):
            guard case .ask(let text, let partition, _) = try route.question(of: prompt) else {
                return (nil, route.counters)
            }
            let embedding = try await self.embedding(
                of: text, on: route, given: given, by: deadline, priority: .lookup)
            selector = .radius(embedding, similarity: similarity, in: partition)
        }
        return (selector, route.counters)
    }

    func remove(_ selector: RemovalSelector, isDryRun: Bool) async throws(CacheError) -> RemovalResult {
        let result: Result<RemovalResult, VectorStoreError>
        do throws(VectorStoreError) {
            result = .success(try await self.store.remove(selector, dryRun: isDryRun, at: self.now))
        } catch {
            result = .failure(error)
        }
        // Also after a failure, whose outcome is not known for certain.
        if !isDryRun { self.forget(selector) }
        do throws(VectorStoreError) {
            return try result.get()
        } catch {
            throw self.refusal(error)
        }
    }

    /// What was answered by an entry that goes is found through it, and goes with it.
    private func forget(_ selector: RemovalSelector) {
        switch selector {
        case .ids(let ids, let cache):
            for id in ids { self.memory.remove(id, of: cache.key) }
            self.fills.heard(.removed(ids, cache: cache.key), of: cache.tenant)
        case .entry(let id, let partition):
            self.memory.remove(id, in: partition)
            self.fills.heard(.removed([id], cache: partition.cache.key), of: partition.cache.tenant)
        // The store does not name all that it removed; memory can be read again.
        case .radius(_, _, let partition): self.forget(partition.cache)
        case .filter(_, let cache), .cache(let cache): self.forget(cache)
        case .tenant(let scope):
            self.memory.removeAll(of: scope)
            self.fills.heard(.emptiedTenant, of: scope)
            self.deciders.forget(scope)
            for pool in self.pools.all { pool.forget(scope.tenant) }
        }
    }

    private func forget(_ cache: CacheScope) {
        self.memory.removeAll(of: cache)
        self.fills.heard(.emptied(cache: cache.key), of: cache.tenant)
    }
}
