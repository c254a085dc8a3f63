// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Finds the answer to a prompt: in memory, by id in the store, by meaning in the store.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` for an embedding that cannot be used, `.cancelled`; and
    ///   `.unavailable` or `.deadlineExceeded` for a cache that does not fail open.
    package func lookup(
        _ request: LookupRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> LookupOutcome {
        let route = self.route(cache: request.cache, vary: request.vary, scope: scope)
        let outcome: LookupOutcome
        do throws(Trouble) {
            outcome = try await self.decide(request, on: route, by: deadline)
        } catch {
            outcome = try self.outcome(of: error, request, on: route)
        }
        route.counters.count(outcome)
        return outcome
    }

    /// What a Lookup answers that ran out of time, whatever it is waiting for.
    package func lateOutcome(_ request: LookupRequest, scope: TenantScope) throws(CacheError) -> LookupOutcome {
        let route = self.route(cache: request.cache, vary: request.vary, scope: scope)
        let outcome = try self.outcome(of: .degraded(.deadlineExceeded), request, on: route)
        route.counters.count(outcome)
        return outcome
    }

    /// What keeps a Lookup from an answer.
    private enum Trouble: Error {
        case refused(CacheError)
        case degraded(LookupMiss.Degradation)
    }

    private func decide(
        _ request: LookupRequest, on route: Route, by deadline: ContinuousClock.Instant
    ) async throws(Trouble) -> LookupOutcome {
        let now = self.now
        let threshold = route.policy.threshold(requested: request.similarityThreshold)
        let id = route.partition.entryID(of: request.prompt)
        let embedding = try self.given(request.embedding)
        // With a vector of the caller's own the prompt alone does not decide what is near.
        let memoryMode = request.embedding != nil && request.mode == .both ? .exact : request.mode
        if request.topK == 1,
            let found = self.remembered(
                id, on: route, mode: memoryMode, threshold: request.similarityThreshold,
                maximumAge: request.maximumAge, at: now)
        {
            let match = LookupMatch(entry: found.item.entry, similarity: found.similarity)
            return .hit(LookupHit(kind: found.kind, tier: .l1, matches: [match], at: now))
        }
        // Before the store is read: what changes there from now on must not be undone here.
        let ticket = self.memory.ticket(in: route.partition)
        var exact: CacheEntry?
        var isExactTooOld = false
        if request.mode != .semantic, let entry = try await self.exact(id, on: route, at: now) {
            self.memory.insert(entry, of: route.partition.cache, ticket: ticket)
            isExactTooOld = request.maximumAge.map { now - entry.createdAt > $0 } ?? false
            if !isExactTooOld { exact = entry }
        }
        if let exact, request.topK == 1 || request.mode == .exact {
            return .hit(LookupHit(kind: .exact, tier: .store, matches: [LookupMatch(exact)], at: now))
        }
        if request.mode == .exact {
            return .miss(LookupMiss(reason: isExactTooOld ? .tooOld : .notStored, similarityThreshold: threshold))
        }
        let vector = try await self.embedding(of: request.prompt, given: embedding, by: deadline)
        return try await self.nearest(
            vector, request, id: id, exact: exact, on: route, ticket: ticket, threshold: threshold)
    }

    /// - Parameter exact: The entry of the prompt itself, if it is to lead.
    private func nearest(
        _ vector: Embedding, _ request: LookupRequest, id: EntryID, exact: CacheEntry?, on route: Route,
        ticket: MemoryTier.Ticket, threshold: Float
    ) async throws(Trouble) -> LookupOutcome {
        // Again: the embedding may have taken a while, in which entries expire and age.
        let now = self.now
        let query = NearestQuery(
            embedding: vector, count: request.topK, threshold: threshold,
            createdAtOrAfter: request.maximumAge.map { now + (.zero - $0) })
        let result: NearestResult
        do throws(VectorStoreError) {
            result = try await self.store.nearest(query, in: route.partition, at: now)
        } catch {
            self.troubles.note("store", error.code.rawValue)
            throw .degraded(.storeUnavailable)
        }
        if let exact, exact.expiresAt > now {
            let others = result.matches.filter { $0.entry.id != exact.id }
            let matches = ([LookupMatch(exact)] + others).prefix(request.topK)
            return .hit(LookupHit(kind: .exact, tier: .store, matches: Array(matches), at: now))
        }
        guard let best = result.matches.first else {
            let reason: LookupMiss.Reason =
                result.nearestMiss == nil ? .noEntry : result.isNearestMissTooOld ? .tooOld : .belowThreshold
            return .miss(LookupMiss(reason: reason, nearest: result.nearestMiss, similarityThreshold: threshold))
        }
        // A vector of the caller's own says nothing of the prompt's: others would be answered by it.
        if request.mode == .both, request.topK == 1, request.maximumAge == nil, request.embedding == nil {
            self.memory.insert(best, for: id, of: route.partition.cache, ticket: ticket)
        }
        return .hit(LookupHit(kind: .semantic, tier: .store, matches: result.matches, at: now))
    }

    private func exact(_ id: EntryID, on route: Route, at now: Timestamp) async throws(Trouble) -> CacheEntry? {
        do throws(VectorStoreError) {
            return try await self.store.entry(id, in: route.partition, at: now)
        } catch {
            self.troubles.note("store", error.code.rawValue)
            throw .degraded(.storeUnavailable)
        }
    }

    private func given(_ values: [Float]?) throws(Trouble) -> Embedding? {
        guard let values else { return nil }
        do throws(CacheError) {
            return try Embedding(normalising: values, dimensions: self.dimensions)
        } catch {
            throw .refused(error)
        }
    }

    private func embedding(
        of prompt: CanonicalPrompt, given: Embedding?, by deadline: ContinuousClock.Instant
    ) async throws(Trouble) -> Embedding {
        if let given { return given }
        do throws(EmbedderError) {
            return try await self.pool.embed(prompt.text, by: deadline)
        } catch {
            if error.code != .cancelled { self.troubles.note("embedder", error.code.rawValue) }
            switch error.code {
            case .overloaded: throw .degraded(.embedderOverloaded)
            case .failed: throw .degraded(.embedderFailed)
            case .deadlineExceeded: throw .degraded(.deadlineExceeded)
            case .cancelled: throw .refused(CacheError(.cancelled, "the call was given up"))
            }
        }
    }

    private func outcome(
        of trouble: Trouble, _ request: LookupRequest, on route: Route
    ) throws(CacheError) -> LookupOutcome {
        switch trouble {
        case .refused(let error): throw error
        case .degraded(let degradation):
            guard route.policy.failsOpen else {
                let isLate = degradation == .deadlineExceeded
                throw CacheError(isLate ? .deadlineExceeded : .unavailable, "the cache could not look: \(degradation)")
            }
            let threshold = route.policy.threshold(requested: request.similarityThreshold)
            return .miss(LookupMiss(reason: .degraded(degradation), similarityThreshold: threshold))
        }
    }
}

extension LookupMatch {
    /// The entry of the prompt itself.
    fileprivate init(_ exact: CacheEntry) { self.init(entry: exact, similarity: 1) }
}
