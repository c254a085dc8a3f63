// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Prolongs a lease, or gives it up.
    ///
    /// - Throws: ``CacheError`` with `.aborted` if a lease that is to be prolonged has ended or is void; `.unavailable` or
    ///   `.resourceExhausted` if the store cannot tell; and as ``route(cache:vary:scope:)``.
    package func lease(_ request: LeaseRequest, scope: TenantScope) async throws(CacheError) -> LeaseOutcome {
        try await self.metrics.measure(.lease) { () async throws(CacheError) -> LeaseOutcome in
            let cache = try self.route(cache: request.cache, vary: [], scope: scope).partition.cache
            do throws(VectorStoreError) {
                return try await self.change(request, in: cache)
            } catch {
                throw error.code == .aborted ? CacheError(error) : self.refusal(error)
            }
        }
    }

    private func change(
        _ request: LeaseRequest, in cache: CacheScope
    ) async throws(VectorStoreError) -> LeaseOutcome {
        switch request.action {
        case .extend(let time):
            let remaining = try await self.store.extendLease(request.token, in: cache, for: time)
            self.fills.extended(request.token, in: cache, for: remaining)
            return LeaseOutcome(remaining: remaining, isReleased: false)
        case .release:
            let isReleased = try await self.store.releaseLease(request.token, in: cache)
            if let id = request.token.id { self.fills.heard(.released(id), of: cache.tenant) }
            return LeaseOutcome(remaining: .zero, isReleased: isReleased)
        }
    }

    // MARK: Lookups

    /// Asks for the lease that a Lookup wants, if what it has come to is to be made anew; waits, if it wants to, while
    /// another has it.
    func filling(
        _ inquiry: Inquiry, _ first: Decision, by deadline: ContinuousClock.Instant
    ) async throws(Trouble) -> LookupOutcome {
        guard let time = inquiry.request.lease, inquiry.request.mode != .semantic else { return first.outcome }
        let patience = Patience(inquiry.request.wait, deadline: deadline)
        var decision = first
        var (attempts, hasWaited) = (0, false)
        while decision.isToBeMade, attempts < Limits.fillAttempts {
            let standing = await self.fills.standing(
                inquiry.id, in: inquiry.partition, for: time, seen: decision.own, at: self.now,
                by: decision.isHit ? patience.limit : patience.end)
            switch standing {
            case .mine(let token, let remaining):
                inquiry.counters.countLease()
                return decision.outcome.with(.lease(token, remaining: remaining))
            case .unknown:
                return decision.outcome
            case .changed:
                attempts += 1
            case .another(let step, let until):
                let remaining = max(.zero, until - .now)
                // Who has a stale answer does not wait for another.
                guard patience.waits, !decision.isHit, patience.end > .now else {
                    return decision.outcome.with(.underWay(remaining: remaining))
                }
                hasWaited = true
                switch await self.fills.wait(step, inquiry.id, of: inquiry.partition.cache, until: patience.end) {
                case .look: break
                case .time, .settled:
                    if Task.isCancelled { throw .refused(CacheError(.cancelled, "the call was given up")) }
                    continue
                case .failed: return decision.outcome.with(.underWay(remaining: remaining))
                }
            }
            decision = try await self.again(inquiry, after: decision, isNew: hasWaited)
        }
        if hasWaited, decision.isHit { inquiry.counters.countFilledWait() }
        return decision.outcome
    }

    /// Looks again for the entry of the prompt itself.
    ///
    /// - Parameter isNew: Whether memory cannot hold what was there before.
    private func again(
        _ inquiry: Inquiry, after decision: Decision, isNew: Bool
    ) async throws(Trouble) -> Decision {
        let now = self.now
        if isNew, inquiry.request.topK == 1, let hit = self.remembered(inquiry, at: now), hit.kind == .exact {
            return Decision(hit)
        }
        let ticket = self.memory.ticket(in: inquiry.partition)
        guard let entry = try await self.exact(inquiry, at: now) else {
            return Decision(outcome: decision.isHit ? self.notStored(inquiry) : decision.outcome, own: nil)
        }
        self.memory.insert(entry, of: inquiry.partition.cache, ticket: ticket)
        return self.judged(entry, inquiry, at: now)
    }

    /// Of a stale answer that is gone.
    private func notStored(_ inquiry: Inquiry) -> LookupOutcome {
        .miss(LookupMiss(reason: .notStored, similarityThreshold: inquiry.threshold))
    }

    /// For how long a Lookup waits.
    private struct Patience {
        /// Shortly before its deadline.
        let limit: ContinuousClock.Instant
        let end: ContinuousClock.Instant
        let waits: Bool

        init(_ wait: LookupRequest.Wait, deadline: ContinuousClock.Instant) {
            let now = ContinuousClock.now
            self.limit = deadline.leavingTimeToAnswer(from: now)
            switch wait {
            case .none: (self.waits, self.end) = (false, self.limit)
            case .untilDeadline: (self.waits, self.end) = (true, self.limit)
            case .atMost(let time): (self.waits, self.end) = (true, min(self.limit, now + time))
            }
        }
    }
}

extension CacheEngine.Decision {
    /// Whether there is nothing, or something stale, of the prompt itself, and the cache could look.
    fileprivate var isToBeMade: Bool {
        switch self.outcome {
        case .hit(let hit): return hit.kind == .exact && hit.isStale
        case .miss(let miss):
            if case .degraded = miss.reason { return false }
            return true
        case .bypass: return false
        }
    }
}

extension LookupOutcome {
    fileprivate func with(_ fill: FillStatus) -> Self {
        switch self {
        case .hit(var hit):
            hit.fill = fill
            return .hit(hit)
        case .miss(var miss):
            miss.fill = fill
            return .miss(miss)
        case .bypass: return self
        }
    }
}
