// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// What a caller that wants a lease is to do.
enum FillStep: Equatable {
    /// Ask the store, and tell by ``FillTable/asked(_:number:_:of:)`` what it said; not if the number is 0.
    case ask(number: UInt64)
    /// Another is asking: wait for what it hears.
    case join(number: UInt64)
    /// Another has the lease until then. It is worth coming again by `next`.
    case held(number: UInt64, until: ContinuousClock.Instant, next: ContinuousClock.Instant)
}

/// What a store said of a lease.
enum FillAnswer: Equatable {
    case held(until: ContinuousClock.Instant, at: ContinuousClock.Instant)
    case changed
    case failed
}

/// Why a waiter was woken.
enum FillWake: Equatable {
    /// It is known now who has the lease.
    case settled
    /// There may be an answer, or the lease may be free.
    case look
    /// The store did not say who has it, or too many wait.
    case failed
    /// Nothing came in time.
    case time
}

enum FillWaiting: Equatable {
    case waits
    /// Something came since the caller was told to wait.
    case over
    /// What the caller was to wait for is known by now.
    case settled
    case full
}

/// What one process knows of answers that are being made, and who waits for them here.
///
/// It says who asks the store for a lease, so that of many callers one does; and who is to be woken by what. Whoever is
/// woken looks again: nothing that it believes decides who has a lease. A waiter is told once.
struct FillTable<Waiter>: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    private enum Phase {
        case asking
        /// - asked: When the store said so.
        case held(until: Instant, asked: Instant)
    }

    private struct Fill {
        /// Each has another: a caller knows by it whether what it wants to wait for is still the same.
        let number: UInt64
        let cache: Digest
        var phase = Phase.asking
        var waiters: [UInt64: Waiter] = [:]
    }

    /// By tenant.
    private var fills: [Digest: [EntryID: Fill]] = [:]
    private var count = 0
    private var waiters = 0
    private var lastNumber: UInt64 = 0
    /// The number of fills at which those that are over are looked for next.
    private var nextPrune = 1024
    /// Not for each caller who finds the table full.
    private var earliestPrune: Instant?
    private let limit: Int
    private let waiterLimit: Int

    init(limit: Int = Limits.fillsKnown, waiterLimit: Int = Limits.fillWaiters) {
        self.limit = limit
        self.waiterLimit = waiterLimit
    }

    /// How many wait now.
    var waiterCount: Int { self.waiters }
    var fillCount: Int { self.count }

    // MARK: Asking

    /// - Parameter poll: How long what the store said is believed; as long as it said, if `nil`.
    mutating func begin(_ id: EntryID, of cache: CacheScope, poll: Duration?, at now: Instant) -> FillStep {
        let tenant = cache.tenant.tenant.key
        guard let fill = self.fills[tenant]?[id] else { return .ask(number: self.add(id, of: cache, at: now)) }
        switch fill.phase {
        case .asking: return .join(number: fill.number)
        case .held(let until, let asked):
            if until <= now {
                // Those who wait here come by themselves, by the same time.
                self.fills[tenant]?[id]?.phase = .asking
                return .ask(number: fill.number)
            }
            guard let poll else { return .held(number: fill.number, until: until, next: until) }
            if now - asked >= poll {
                // The others wait on meanwhile.
                self.fills[tenant]?[id]?.phase = .held(until: until, asked: now)
                return .ask(number: fill.number)
            }
            return .held(number: fill.number, until: until, next: min(until, asked + poll))
        }
    }

    /// Takes what the store said.
    ///
    /// - Returns: Who is to be woken, and by what; `nil` if there were news meanwhile, which have woken them.
    mutating func asked(
        _ id: EntryID, number: UInt64, _ answer: FillAnswer, of cache: CacheScope
    ) -> (waiters: [Waiter], wake: FillWake)? {
        let tenant = cache.tenant.tenant.key
        guard let fill = self.fills[tenant]?[id], fill.number == number else { return nil }
        switch answer {
        case .held(let until, let asked):
            self.fills[tenant]?[id]?.phase = .held(until: until, asked: asked)
            guard case .asking = fill.phase else { return ([], .settled) }
            self.fills[tenant]?[id]?.waiters = [:]
            self.waiters -= fill.waiters.count
            return (Array(fill.waiters.values), .settled)
        case .changed: return (self.remove(id, of: tenant), .look)
        case .failed: return (self.remove(id, of: tenant), .failed)
        }
    }

    /// Takes that a lease lasts longer, or less long, than was known.
    mutating func extended(_ id: EntryID, of cache: CacheScope, until: Instant, at now: Instant) {
        guard case .held = self.fills[cache.tenant.tenant.key]?[id]?.phase else { return }
        self.fills[cache.tenant.tenant.key]?[id]?.phase = .held(until: until, asked: now)
    }

    // MARK: Waiting

    /// - Parameters:
    ///   - number: Of the step that said to wait.
    ///   - isJoining: Whether it waits for what another asks.
    ///   - key: The waiter's own, for ``leave(_:key:of:)``.
    mutating func wait(
        _ id: EntryID, number: UInt64, isJoining: Bool = false, key: UInt64, of cache: CacheScope, _ waiter: Waiter
    ) -> FillWaiting {
        let tenant = cache.tenant.tenant.key
        guard let fill = self.fills[tenant]?[id], fill.number == number else { return .over }
        if isJoining, case .held = fill.phase { return .settled }
        guard self.waiters < self.waiterLimit else { return .full }
        self.fills[tenant]?[id]?.waiters[key] = waiter
        self.waiters += 1
        return .waits
    }

    /// - Returns: The waiter, if it was not told yet.
    mutating func leave(_ id: EntryID, key: UInt64, of cache: CacheScope) -> Waiter? {
        guard let waiter = self.fills[cache.tenant.tenant.key]?[id]?.waiters.removeValue(forKey: key) else {
            return nil
        }
        self.waiters -= 1
        return waiter
    }

    // MARK: News

    /// - Returns: Who is to look again.
    mutating func heard(_ news: StoreNews, of tenant: TenantScope) -> [Waiter] {
        let tenant = tenant.tenant.key
        switch news {
        case .stored(let id, _, _), .released(let id): return self.remove(id, of: tenant)
        case .removed(let ids, _): return ids.flatMap { self.remove($0, of: tenant) }
        case .emptied(let cache): return self.removeAll(of: tenant) { $0.cache == cache }
        case .emptiedTenant, .missed: return self.removeAll(of: tenant) { _ in true }
        }
    }

    // MARK: Fills

    private mutating func add(_ id: EntryID, of cache: CacheScope, at now: Instant) -> UInt64 {
        if self.count >= min(self.nextPrune, self.limit), self.earliestPrune.map({ now >= $0 }) ?? true {
            self.prune(at: now)
        }
        // A tenant that asks for many keeps the others' places free.
        guard self.count < self.limit, self.fills[cache.tenant.tenant.key]?.count ?? 0 < Limits.leasesPerTenant
        else { return 0 }
        self.lastNumber += 1
        self.fills[cache.tenant.tenant.key, default: [:]][id] = Fill(number: self.lastNumber, cache: cache.key)
        self.count += 1
        return self.lastNumber
    }

    private mutating func remove(_ id: EntryID, of tenant: Digest) -> [Waiter] {
        guard let fill = self.fills[tenant]?.removeValue(forKey: id) else { return [] }
        if self.fills[tenant]?.isEmpty == true { self.fills[tenant] = nil }
        self.count -= 1
        self.waiters -= fill.waiters.count
        return Array(fill.waiters.values)
    }

    private mutating func removeAll(of tenant: Digest, where isMeant: (Fill) -> Bool) -> [Waiter] {
        let ids = self.fills[tenant]?.filter { isMeant($0.value) }.map(\.key) ?? []
        return ids.flatMap { self.remove($0, of: tenant) }
    }

    /// Forgets leases that have run out without anybody asking again.
    private mutating func prune(at now: Instant) {
        let before = self.count
        for (tenant, fills) in self.fills {
            for (id, fill) in fills where fill.waiters.isEmpty {
                if case .held(let until, _) = fill.phase, until <= now { _ = self.remove(id, of: tenant) }
            }
        }
        self.nextPrune = max(1024, 2 * self.count)
        // One that frees much is worth its time.
        self.earliestPrune = self.count > before / 2 ? now + .seconds(1) : nil
    }
}
