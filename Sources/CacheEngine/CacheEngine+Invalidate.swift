// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Removes entries. When it returns, none of them is found any more, in the store or in memory.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` for an embedding that cannot be used, and as ``store(_:scope:by:)``.
    package func invalidate(
        _ request: InvalidateRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> InvalidateOutcome {
        let selector: RemovalSelector
        let route: Route
        switch request.selector {
        case .ids(let ids):
            route = self.route(cache: request.cache, vary: [], scope: scope)
            selector = .ids(ids, in: route.partition.cache)
        case .wholeCache:
            route = self.route(cache: request.cache, vary: [], scope: scope)
            selector = .cache(route.partition.cache)
        case .exactPrompt(let prompt, let vary):
            route = self.route(cache: request.cache, vary: vary, scope: scope)
            selector = .entry(route.partition.entryID(of: prompt), in: route.partition)
        case .semanticRadius(let prompt, let vary, let similarity, let given):
            route = self.route(cache: request.cache, vary: vary, scope: scope)
            let embedding = try await self.embedding(of: prompt, given: given, by: deadline)
            selector = .radius(embedding, similarity: similarity, in: route.partition)
        }
        let result: Result<RemovalResult, VectorStoreError>
        do throws(VectorStoreError) {
            result = .success(try await self.store.remove(selector, dryRun: request.isDryRun, at: self.now))
        } catch {
            result = .failure(error)
        }
        if !request.isDryRun {
            // Also after a failure, whose outcome is not known for certain.
            self.forget(selector)
        }
        do throws(VectorStoreError) {
            let removed = try result.get()
            if !request.isDryRun { route.counters.countInvalidated(removed.count) }
            return InvalidateOutcome(count: removed.count, sample: removed.sample, isDryRun: request.isDryRun)
        } catch {
            throw CacheError(error)
        }
    }

    /// What was answered by an entry that goes is found through it, and goes with it.
    private func forget(_ selector: RemovalSelector) {
        switch selector {
        case .ids(let ids, _): for id in ids { self.memory.remove(id) }
        case .entry(let id, _): self.memory.remove(id)
        // The store does not name all that it removed; memory can be read again.
        case .radius(_, _, let partition): self.memory.removeAll(of: partition.cache)
        case .cache(let cache): self.memory.removeAll(of: cache)
        }
    }
}
