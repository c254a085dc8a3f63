// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Finds the answer to a prompt: in memory, by id in the store, by meaning in the store.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` for an embedding that cannot be used or a chat without a
    ///   question, `.cancelled`; `.unavailable` or `.deadlineExceeded` for a cache that does not fail open; and as
    ///   ``route(cache:vary:scope:)``.
    package func lookup(
        _ request: LookupRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> LookupOutcome {
        try await self.metrics.measure(.lookup) { () async throws(CacheError) -> LookupOutcome in
            try await self.find(request, scope: scope, by: deadline)
        }
    }

    private func find(
        _ request: LookupRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> LookupOutcome {
        let route = try self.route(cache: request.cache, vary: request.vary, scope: scope)
        let outcome: LookupOutcome
        switch try route.question(of: request.prompt) {
        case .bypass(let bypass):
            outcome = .bypass(bypass)
        case .ask(let text, let partition, let id):
            let decider = self.deciders.decider(of: route)
            let inquiry = Inquiry(request, text: text, partition: partition, id: id, route, decider, by: deadline)
            do throws(Trouble) {
                outcome = try await self.filling(inquiry, try await self.decide(inquiry, by: deadline), by: deadline)
            } catch {
                outcome = try self.outcome(of: error, request, on: route)
            }
        }
        // One that is cancelled was counted when its caller was answered, if it was.
        if !Task.isCancelled { route.counters.count(outcome) }
        return outcome
    }

    /// What a Lookup answers that ran out of time, whatever it is waiting for.
    package func lateOutcome(_ request: LookupRequest, scope: TenantScope) throws(CacheError) -> LookupOutcome {
        let route = try self.route(cache: request.cache, vary: request.vary, scope: scope)
        let outcome = try self.outcome(of: .degraded(.deadlineExceeded), request, on: route)
        route.counters.count(outcome)
        return outcome
    }

    /// What keeps a Lookup from an answer.
    enum Trouble: Error {
        case refused(CacheError)
        case degraded(LookupMiss.Degradation)
    }

    /// What a Lookup has come to.
    struct Decision {
        var outcome: LookupOutcome
        /// When the entry of the prompt itself was created that was seen on the way.
        var own: Timestamp?
    }

    private func decide(
        _ inquiry: Inquiry, by deadline: ContinuousClock.Instant
    ) async throws(Trouble) -> Decision {
        let now = self.now
        let request = inquiry.request
        let embedding = try Self.given(request.embedding, inquiry.pool)
        if request.topK == 1, let hit = self.remembered(inquiry, at: now) { return Decision(hit) }
        // Before the store is read: what changes there from now on must not be undone here.
        let ticket = self.memory.ticket(in: inquiry.partition)
        var exact: CacheEntry?
        var own: Timestamp?
        if request.mode != .semantic, let entry = try await self.exact(inquiry, at: now) {
            self.memory.insert(entry, of: inquiry.partition.cache, ticket: ticket)
            let judged = self.judged(entry, inquiry, at: now)
            if request.mode == .exact || request.topK == 1 && judged.isHit { return judged }
            own = entry.createdAt
            exact = judged.isHit ? entry : nil
        }
        if request.mode == .exact { return Decision(self.exactMiss(inquiry, .notStored, nearest: nil), own: nil) }
        do throws(Trouble) {
            let vector = try await self.embedding(of: inquiry, given: embedding, by: deadline)
            let outcome = try await self.nearest(vector, inquiry, exact: exact, ticket: ticket)
            return Decision(outcome: outcome, own: own)
        } catch {
            // What is found already is not given up because no more can be found.
            guard case .degraded = error, exact != nil, let exact = try await self.exact(inquiry, at: self.now) else {
                throw error
            }
            return Decision(LookupHit(kind: .exact, tier: .store, matches: [LookupMatch(exact)], at: self.now))
        }
    }

    /// What the entry of the prompt itself comes to.
    func judged(_ entry: CacheEntry, _ inquiry: Inquiry, at now: Timestamp) -> Decision {
        if !inquiry.takes(entry) {
            return Decision(self.exactMiss(inquiry, .filtered, nearest: entry), own: entry.createdAt)
        }
        if inquiry.isTooOld(entry, at: now) {
            return Decision(self.exactMiss(inquiry, .tooOld, nearest: entry), own: entry.createdAt)
        }
        return Decision(LookupHit(kind: .exact, tier: .store, matches: [LookupMatch(entry)], at: now))
    }

    func remembered(_ inquiry: Inquiry, at now: Timestamp) -> LookupHit? {
        let request = inquiry.request
        let mode = request.mode == .both && !inquiry.isPlain ? .exact : request.mode
        guard
            let found = self.remembered(
                inquiry.id, in: inquiry.partition, by: inquiry.lease, policy: inquiry.policy, mode: mode,
                threshold: request.similarityThreshold, maximumAge: request.maximumAge, at: now),
            inquiry.takes(found.item.entry)
        else { return nil }
        self.noteServed(found, in: inquiry.partition, at: now)
        let match = LookupMatch(entry: found.item.entry, similarity: found.similarity)
        return LookupHit(kind: found.kind, tier: .l1, matches: [match], at: now)
    }

    private func exactMiss(_ inquiry: Inquiry, _ reason: LookupMiss.Reason, nearest: CacheEntry?) -> LookupMiss {
        LookupMiss(
            reason: reason, nearest: nearest.map { NearestMiss(id: $0.id, similarity: 1, isApproximate: false) },
            similarityThreshold: inquiry.threshold)
    }

    /// - Parameter exact: The entry of the prompt itself, if it is to lead.
    private func nearest(
        _ vector: Embedding, _ inquiry: Inquiry, exact: CacheEntry?, ticket: MemoryTier.Ticket
    ) async throws(Trouble) -> LookupOutcome {
        // Again: the embedding may have taken a while, in which entries expire and age.
        let now = self.now
        let request = inquiry.request
        await inquiry.decider.refresh()
        let query = inquiry.query(for: vector, at: now)
        let result: NearestResult
        do throws(VectorStoreError) {
            result = try await self.store.nearest(query, in: inquiry.partition, at: now)
        } catch {
            throw self.trouble(error)
        }
        // Again: it may have been removed while the prompt was embedded.
        if exact != nil, let exact = try await self.exact(inquiry, at: now) {
            let others = try await self.others(besides: exact, of: result, inquiry)
            return .hit(LookupHit(kind: .exact, tier: .store, matches: [LookupMatch(exact)] + others, at: now))
        }
        guard !result.matches.isEmpty else {
            if inquiry.policy.decision.kind == .calibrated {
                inquiry.decider.note(1, nearest: result.greatestSimilarity)
            }
            return .miss(
                LookupMiss(
                    reason: LookupMiss.Reason(result), nearest: result.nearestSeen,
                    similarityThreshold: inquiry.threshold))
        }
        switch try await self.verdict(on: result, inquiry) {
        case .refuse(let reason, let nearest, let explanation):
            var miss = LookupMiss(reason: reason, nearest: nearest, similarityThreshold: inquiry.threshold)
            miss.decision = explanation
            return .miss(miss)
        case .serve(let matches, let explanation, let lookup):
            // Otherwise others would be answered by what the prompt does not say, or by a lower threshold than theirs.
            let isOrdinary =
                explanation?.kind != .threshold
                || matches[0].similarity >= inquiry.policy.threshold(requested: nil)
            if request.mode == .both, request.topK == 1, request.maximumAge == nil, inquiry.isPlain, isOrdinary {
                self.memory.insert(matches[0], for: inquiry.id, of: inquiry.partition.cache, ticket: ticket)
            }
            var hit = LookupHit(kind: .semantic, tier: .store, matches: matches, at: now)
            hit.decision = explanation
            hit.lookup = lookup
            return .hit(hit)
        }
    }

    func exact(_ inquiry: Inquiry, at now: Timestamp) async throws(Trouble) -> CacheEntry? {
        do throws(VectorStoreError) {
            return try await self.store.entry(inquiry.id, in: inquiry.partition, at: now)
        } catch {
            throw self.trouble(error)
        }
    }

    func trouble(_ error: VectorStoreError) -> Trouble {
        // A store does not begin what nobody waits for any more; that is no fault of its.
        guard !Task.isCancelled else { return .refused(CacheError(.cancelled, "the call was given up")) }
        self.troubles.note("store", error.code.rawValue, error.message)
        return .degraded(.storeUnavailable)
    }

    private static func given(_ values: [Float]?, _ pool: EmbeddingPool) throws(Trouble) -> Embedding? {
        guard let values else { return nil }
        do throws(CacheError) {
            return try Embedding(normalising: values, dimensions: pool.identity.dimensions)
        } catch {
            throw .refused(error)
        }
    }

    private func embedding(
        of inquiry: Inquiry, given: Embedding?, by deadline: ContinuousClock.Instant
    ) async throws(Trouble) -> Embedding {
        if let given { return given }
        do throws(EmbedderError) {
            return try await inquiry.pool.embed(
                inquiry.policy.decision.questionText(of: inquiry.text).text,
                for: inquiry.partition.cache.tenant.tenant, by: deadline, priority: .lookup)
        } catch {
            if error.code != .cancelled { self.troubles.note("embedder", error.code.rawValue, nil) }
            switch error.code {
            case .overloaded: throw .degraded(.embedderOverloaded)
            case .failed, .unavailable, .refused: throw .degraded(.embedderFailed)
            case .deadlineExceeded: throw .degraded(.deadlineExceeded)
            case .cancelled: throw .refused(CacheError(.cancelled, "the call was given up"))
            }
        }
    }

    private func outcome(
        of trouble: Trouble, _ request: LookupRequest, on route: CacheRoute
    ) throws(CacheError) -> LookupOutcome {
        switch trouble {
        case .refused(let error): throw error
        case .degraded(let degradation):
            if !Task.isCancelled { self.metrics.countDegraded(degradation) }
            guard route.policy.failsOpen else {
                let isLate = degradation == .deadlineExceeded
                throw CacheError(isLate ? .deadlineExceeded : .unavailable, "the cache could not look: \(degradation)")
            }
            let threshold = route.policy.threshold(requested: request.similarityThreshold)
            return .miss(LookupMiss(reason: .degraded(degradation), similarityThreshold: threshold))
        }
    }
}

extension CacheEngine.Decision {
    init(_ hit: LookupHit) {
        self.init(outcome: .hit(hit), own: hit.kind == .exact ? hit.matches.first?.entry.createdAt : nil)
    }

    fileprivate init(_ miss: LookupMiss, own: Timestamp?) { self.init(outcome: .miss(miss), own: own) }

    var isHit: Bool { if case .hit = self.outcome { true } else { false } }
}

extension LookupMatch {
    /// The entry of the prompt itself.
    fileprivate init(_ exact: CacheEntry) { self.init(entry: exact, similarity: 1) }
}

extension LookupMiss.Reason {
    /// Why a search found nothing.
    fileprivate init(_ result: NearestResult) {
        guard result.nearestMiss != nil else {
            self = .noEntry
            return
        }
        switch result.refusal {
        case .belowThreshold: self = .belowThreshold
        case .tooOld: self = .tooOld
        case .filtered: self = .filtered
        }
    }
}
