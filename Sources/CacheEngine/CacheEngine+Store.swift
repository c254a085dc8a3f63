// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Stores an answer, in place of the one to the same prompt. Durable when it returns.
    ///
    /// Where the tenant's quota is full, its least valuable entries go.
    ///
    /// It ends the lease on the answer, whosever it is. One that is made under a lease is not done after that has ended.
    ///
    /// - Throws: ``CacheError`` with `.aborted` if its lease has ended, or is void, or is on another answer;
    ///   `.invalidArgument` for an embedding that cannot be used, a chat without a question or
    ///   a response over the cache's limit; `.failedPrecondition` for a chat that the cache bypasses; `.unavailable` or
    ///   `.resourceExhausted` if the embedder or the store cannot take it or the entry is larger than the tenant's quota;
    ///   `.deadlineExceeded`, `.cancelled`; and as ``route(cache:vary:scope:)``.
    package func store(
        _ request: StoreRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> StoreOutcome {
        try await self.metrics.measure(.store) { () async throws(CacheError) -> StoreOutcome in
            try await self.keep(request, scope: scope, by: deadline)
        }
    }

    private func keep(
        _ request: StoreRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> StoreOutcome {
        let route = try self.route(cache: request.cache, vary: request.vary, scope: scope)
        guard request.response.count <= route.policy.maximumResponseBytes else {
            throw .tooLong("response", request.response.count, limit: route.policy.maximumResponseBytes)
        }
        guard case .ask(let text, let partition, let id) = try route.question(of: request.prompt) else {
            throw CacheError(
                .failedPrecondition, "the chat has more messages than the cache keeps; a Lookup says so (BYPASS)",
                field: "messages")
        }
        if let lease = request.lease, lease.id != id {
            route.counters.countAborted()
            throw CacheError(.aborted, "the lease is on the answer to another prompt", field: "lease_token")
        }
        let embedding = try await self.embedding(
            of: text, on: route, given: request.embedding, by: deadline, priority: .store)
        let cluster = await self.learn(
            from: request.response, to: text, id: id, embedding, in: partition, route)
        // After the embedding: it may have taken a while, and an age counts from when an entry can be found.
        let now = self.now
        let timeToLive = route.policy.timeToLive(requested: request.timeToLive, random: self.random())
        let stale = route.policy.staleTimeToLive(requested: request.staleTimeToLive, after: timeToLive)
        let entry = CacheEntry(
            id: id, prompt: text, response: request.response, contentType: request.contentType,
            attributes: request.attributes, usage: request.usage, createdAt: now, freshUntil: now + timeToLive,
            expiresAt: now + timeToLive + stale, cluster: cluster)
        let result = try await self.put(
            entry, embedding, in: partition, route, lease: request.lease, by: deadline)
        route.counters.countStore()
        if route.policy.decision.kind == .calibrated { await self.deciders.decider(of: route).tell() }
        return StoreOutcome(
            id: entry.id, freshUntil: entry.freshUntil, expiresAt: entry.expiresAt,
            isReplacement: result.isReplacement)
    }

    private func put(
        _ entry: CacheEntry, _ embedding: Embedding, in partition: Partition, _ route: CacheRoute, lease: LeaseToken?,
        by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> PutResult {
        let result: PutResult
        do throws(VectorStoreError) {
            result = try await self.store.put(
                entry, embedding: embedding, in: partition, quota: route.tenant.storeQuota, lease: lease,
                by: deadline)
        } catch {
            // The outcome is not known for certain: memory must not keep what the store may have replaced.
            self.memory.storeChanged(entry.id, in: partition)
            switch error.code {
            case .overQuota: route.tenant.account.countRefusalByQuota()
            case .aborted:
                route.counters.countAborted()
                throw CacheError(error)
            // It may be there.
            case .unavailable, .overloaded, .corrupt: self.fills.heard(.released(entry.id), of: route.tenant.scope)
            }
            throw self.refusal(error)
        }
        self.memory.storeChanged(entry.id, in: partition)
        self.fills.heard(
            .stored(entry.id, partition: EntryID(partition.key), cache: partition.cache.key), of: route.tenant.scope)
        for evicted in result.evicted {
            self.memory.remove(evicted.id, of: evicted.cache)
            route.tenant.account.countEvicted(from: evicted.cache)
        }
        return result
    }

    /// What a caller is told of a fault of the store; the log has what names files of the server.
    func refusal(_ error: VectorStoreError) -> CacheError {
        self.troubles.note("store", error.code.rawValue, error.message)
        return CacheError(error)
    }

    /// The vector of a prompt that is to be stored or removed: without one there is nothing to do.
    func embedding(
        of prompt: CanonicalPrompt, on route: CacheRoute, given: [Float]?, by deadline: ContinuousClock.Instant,
        priority: EmbeddingPriority
    ) async throws(CacheError) -> Embedding {
        if let given { return try Embedding(normalising: given, dimensions: route.identity.dimensions) }
        do throws(EmbedderError) {
            return try await route.pool.embed(
                route.embedded(prompt), for: route.tenant.scope.tenant, by: deadline, priority: priority)
        } catch {
            throw CacheError(error)
        }
    }
}

extension CacheError {
    /// For whoever can do nothing without a vector.
    init(_ error: EmbedderError) {
        switch error.code {
        case .overloaded: self.init(.resourceExhausted, error.message)
        case .failed, .unavailable, .refused: self.init(.unavailable, "the embedder failed: \(error.message)")
        case .deadlineExceeded: self.init(.deadlineExceeded, error.message)
        case .cancelled: self.init(.cancelled, error.message)
        }
    }

    init(_ error: VectorStoreError) {
        switch error.code {
        // Its text names files of the server.
        case .unavailable: self.init(.unavailable, "the store is not available")
        case .overloaded: self.init(.resourceExhausted, "the store has too much to do: \(error.message)")
        case .aborted: self.init(.aborted, error.message, field: "lease_token")
        case .overQuota: self.init(.resourceExhausted, "the tenant's quota is too small: \(error.message)")
        case .corrupt: self.init(.internal, "the store's data is damaged")
        }
    }
}
