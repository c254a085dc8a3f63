// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Synchronization

/// Answers that are being made: asks the store for leases, one caller for all of the process, and lets the others wait.
package final class Fills: Sendable {
    private typealias Waiter = CheckedContinuation<FillWake, Never>

    /// How a caller stands to an answer that is missing.
    enum Standing {
        case mine(LeaseToken, for: Duration)
        case another(FillStep, until: ContinuousClock.Instant)
        case changed
        /// Nobody knows.
        case unknown
    }

    private let store: ObservedStore
    private let troubles: TroubleLog
    private let table = Mutex(FillTable<Waiter>())
    private let lastKey = Atomic<UInt64>(0)
    /// How long is believed what the store said of a lease, where others have some too: news of them may be missed.
    private let poll: Duration?

    init(_ store: ObservedStore, _ troubles: TroubleLog) {
        self.store = store
        self.troubles = troubles
        self.poll = store.isShared ? Limits.fillPollInterval : nil
    }

    /// How many Lookups wait now.
    package var waiterCount: Int { self.table.withLock { $0.waiterCount } }

    // MARK: News

    package func heard(_ news: StoreNews, of tenant: TenantScope) {
        let waiters = self.table.withLock { $0.heard(news, of: tenant) }
        for waiter in waiters { waiter.resume(returning: .look) }
    }

    func extended(_ token: LeaseToken, in cache: CacheScope, for remaining: Duration) {
        guard let id = token.id else { return }
        let now = ContinuousClock.now
        self.table.withLock { $0.extended(id, of: cache, until: now + remaining, at: now) }
    }

    // MARK: Leases

    /// Asks for the lease on an entry, or finds out who has it.
    ///
    /// - Parameter limit: When the caller must know.
    func standing(
        _ id: EntryID, in partition: Partition, for time: Duration, seen: Timestamp?, at now: Timestamp,
        by limit: ContinuousClock.Instant
    ) async -> Standing {
        let cache = partition.cache
        while true {
            let step = self.table.withLock { $0.begin(id, of: cache, poll: self.poll, at: .now) }
            switch step {
            case .ask(let number):
                return await self.ask(id, in: partition, for: time, seen: seen, at: now, number: number)
            case .held(_, let until, _): return .another(step, until: until)
            case .join:
                switch await self.wait(step, id, of: cache, until: limit) {
                case .settled: continue
                case .look: return .changed
                case .failed, .time: return .unknown
                }
            }
        }
    }

    private func ask(
        _ id: EntryID, in partition: Partition, for time: Duration, seen: Timestamp?, at now: Timestamp,
        number: UInt64
    ) async -> Standing {
        let grant: LeaseGrant?
        do throws(VectorStoreError) {
            grant = try await self.store.acquireLease(on: id, in: partition, for: time, seen: seen, at: now)
        } catch {
            if !Task.isCancelled { self.troubles.note("store", error.code.rawValue, error.message) }
            grant = nil
        }
        if Task.isCancelled, case .granted(let token, _) = grant {
            self.giveBack(token, in: partition.cache)
            self.tell(id, number, .changed, of: partition.cache)
            return .unknown
        }
        let read = ContinuousClock.now
        switch grant {
        case .granted(let token, let remaining):
            self.tell(id, number, .held(until: read + remaining, at: read), of: partition.cache)
            return .mine(token, for: remaining)
        case .held(let remaining):
            let until = read + remaining
            // After news it may be free again. Without a place in the table nobody would tell.
            guard self.tell(id, number, .held(until: until, at: read), of: partition.cache) || number == 0 else {
                return .changed
            }
            let poll = number == 0 ? Limits.fillPollInterval : self.poll
            let next = poll.map { min(until, read + $0) } ?? until
            return .another(.held(number: number, until: until, next: next), until: until)
        case .changed:
            self.tell(id, number, .changed, of: partition.cache)
            return .changed
        case nil:
            // A caller that went away says nothing of the store to those who joined it.
            self.tell(id, number, Task.isCancelled ? .changed : .failed, of: partition.cache)
            return .unknown
        }
    }

    /// - Returns: Whether it is believed: there were no news meanwhile.
    @discardableResult
    private func tell(_ id: EntryID, _ number: UInt64, _ answer: FillAnswer, of cache: CacheScope) -> Bool {
        guard let told = self.table.withLock({ $0.asked(id, number: number, answer, of: cache) }) else { return false }
        for waiter in told.waiters { waiter.resume(returning: told.wake) }
        return true
    }

    /// Gives up a lease whose caller went away while it was asked for.
    private func giveBack(_ token: LeaseToken, in cache: CacheScope) {
        // Unstructured, because the caller's task is cancelled and its work would not be begun. Nobody waits for it; it
        // ends when the store answers or its deadline passes.
        Task {
            _ = try? await self.store.releaseLease(token, in: cache)
            if let id = token.id { self.heard(.released(id), of: cache.tenant) }
        }
    }

    // MARK: Waiting

    /// Waits for what a step waits for; for a lease that another has, until it is worth asking again.
    func wait(
        _ step: FillStep, _ id: EntryID, of cache: CacheScope, until limit: ContinuousClock.Instant
    ) async -> FillWake {
        let number: UInt64
        let end: ContinuousClock.Instant
        let isJoining: Bool
        switch step {
        case .ask: return .look
        case .join(let joined): (number, end, isJoining) = (joined, limit, true)
        case .held(let held, _, let next): (number, end, isJoining) = (held, min(limit, next), false)
        }
        guard end > .now else { return .time }
        if number == 0 { return await Self.time(end) }
        return await withTaskGroup(of: FillWake.self) { group in
            // Both end with the group: the one that is cancelled leaves the table.
            group.addTask { await self.told(id, number, isJoining: isJoining, of: cache) }
            group.addTask { await Self.time(end) }
            let first = await group.next() ?? .time
            group.cancelAll()
            return first
        }
    }

    private static func time(_ end: ContinuousClock.Instant) async -> FillWake {
        try? await Task.sleep(until: end, tolerance: .zero, clock: .continuous)
        return .time
    }

    private func told(
        _ id: EntryID, _ number: UInt64, isJoining: Bool, of cache: CacheScope
    ) async -> FillWake {
        let key = self.lastKey.add(1, ordering: .relaxed).newValue
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: Waiter) in
                let waiting = self.table.withLock {
                    $0.wait(id, number: number, isJoining: isJoining, key: key, of: cache, waiter)
                }
                switch waiting {
                // A cancellation that came before has found nobody.
                case .waits: if Task.isCancelled { self.leave(id, key, of: cache) }
                case .over: waiter.resume(returning: .look)
                case .settled: waiter.resume(returning: .settled)
                case .full: waiter.resume(returning: .failed)
                }
            }
        } onCancel: {
            self.leave(id, key, of: cache)
        }
    }

    private func leave(_ id: EntryID, _ key: UInt64, of cache: CacheScope) {
        self.table.withLock { $0.leave(id, key: key, of: cache) }?.resume(returning: .time)
    }
}
