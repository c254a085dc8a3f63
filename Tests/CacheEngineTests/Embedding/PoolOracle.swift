// SPDX-License-Identifier: Apache-2.0

import CacheModel

@testable import CacheEngine

/// What a pool must do, written down naively: every text that waits in one list, and the next one found by looking at all.
struct PoolOracle {
    struct Waiting {
        let text: String
        let tenant: String
        var priority: EmbeddingPriority
        /// When it got its place.
        var place: Int
        var waiters: [String: ContinuousClock.Instant]
    }

    var waiting: [Waiting] = []
    /// When a tenant had its last turn, or got into line, by priority.
    private var turns: [EmbeddingPriority: [String: Int]] = [.lookup: [:], .store: [:]]
    private var lookupBatches = 0
    private var time = 0

    private mutating func tick() -> Int {
        self.time += 1
        return self.time
    }

    private func position(_ text: String, _ tenant: String) -> Int? {
        self.waiting.firstIndex { $0.text == text && $0.tenant == tenant }
    }

    mutating func add(
        _ text: String, _ tenant: String, _ priority: EmbeddingPriority, waiters: [String: ContinuousClock.Instant]
    ) {
        let now = self.tick()
        if !self.waiting.contains(where: { $0.tenant == tenant && $0.priority == priority }) {
            self.turns[priority]![tenant] = now
        }
        self.waiting.append(Waiting(text: text, tenant: tenant, priority: priority, place: now, waiters: waiters))
    }

    /// - Returns: Whether the text waits.
    mutating func join(
        _ text: String, _ tenant: String, _ priority: EmbeddingPriority, waiter: String,
        _ deadline: ContinuousClock.Instant
    ) -> Bool {
        guard let position = self.position(text, tenant) else { return false }
        self.waiting[position].waiters[waiter] = deadline
        if priority == .lookup, self.waiting[position].priority == .store {
            let risen = self.waiting.remove(at: position)
            self.add(text, tenant, .lookup, waiters: risen.waiters)
        }
        return true
    }

    mutating func cancel(_ text: String, _ tenant: String, waiter: String) {
        guard let position = self.position(text, tenant) else { return }
        self.waiting[position].waiters[waiter] = nil
        if self.waiting[position].waiters.isEmpty { self.waiting.remove(at: position) }
    }

    private func next(of priority: EmbeddingPriority) -> Int? {
        self.waiting.indices.filter { self.waiting[$0].priority == priority }.min {
            let (left, right) = (self.waiting[$0], self.waiting[$1])
            if left.tenant == right.tenant { return left.place < right.place }
            return self.turns[priority]![left.tenant]! < self.turns[priority]![right.tenant]!
        }
    }

    /// - Returns: The texts of the next batch, and who is told that it is too late.
    mutating func nextBatch(limit: Int, at now: ContinuousClock.Instant) -> (texts: [Waiting], late: Set<String>) {
        var late: Set<String> = []
        while !self.waiting.isEmpty {
            let hasLookups = self.waiting.contains { $0.priority == .lookup }
            let hasStores = self.waiting.contains { $0.priority == .store }
            let priority: EmbeddingPriority =
                hasLookups && !(hasStores && self.lookupBatches >= 7) ? .lookup : .store
            var batch: [Waiting] = []
            while batch.count < limit, let position = self.next(of: priority) {
                var taken = self.waiting.remove(at: position)
                self.turns[priority]![taken.tenant] = self.tick()
                late.formUnion(taken.waiters.filter { $0.value <= now }.keys)
                taken.waiters = taken.waiters.filter { $0.value > now }
                if !taken.waiters.isEmpty { batch.append(taken) }
            }
            if batch.isEmpty { continue }
            let storesWait = self.waiting.contains { $0.priority == .store }
            self.lookupBatches = priority == .store || !storesWait ? 0 : self.lookupBatches + 1
            return (batch, late)
        }
        return ([], late)
    }
}
