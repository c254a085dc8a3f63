// SPDX-License-Identifier: Apache-2.0

import CacheModel
import DequeModule

/// Decides what an ``EmbeddingPool`` does. No side effects, no clock.
///
/// Tenants take turns: each has a queue of its own, and a batch takes one text of each tenant that waits before it takes
/// a second of any. So a tenant waits for at most one text of every other, however many they have sent.
///
/// - `Waiter`: Whoever is told the vector.
struct EmbeddingPoolStateMachine<Waiter>: ~Copyable {
    typealias WaiterID = UInt64

    struct Batch {
        let keys: [Digest]
        let texts: [String]
        /// The latest of whoever waits.
        let deadline: ContinuousClock.Instant
    }

    enum EmbedAction {
        case ready(Embedding)
        case overloaded
        case dispatch(Batch)
        case wait
    }

    struct FinishAction {
        var resumed: [(Waiter, Result<Embedding, EmbedderError>)] = []
        var dispatch: Batch?
    }

    private struct Job {
        let text: String
        let tenant: TenantID
        var waiters: [(id: WaiterID, waiter: Waiter, deadline: ContinuousClock.Instant)]
    }

    private var jobs: [Digest: Job] = [:]
    /// Keys whose text waits for a batch, by tenant; each has a job, and no queue is empty.
    private var queues: [TenantID: Deque<Digest>] = [:]
    /// Tenants that have a queue, the one whose turn it is first.
    private var turns = Deque<TenantID>()
    /// Of all tenants.
    private(set) var queued = 0
    private var memory: GenerationalCache<Digest, Embedding>
    private var running = 0
    private(set) var computed: UInt64 = 0
    private(set) var remembered: UInt64 = 0
    private let concurrency: Int
    private let queueLimit: Int
    private let batchLimit: Int

    init(concurrency: Int, queueLimit: Int, batchLimit: Int, memoryLimit: Int) {
        self.concurrency = concurrency
        self.queueLimit = queueLimit
        self.batchLimit = batchLimit
        self.memory = GenerationalCache(limit: memoryLimit, weigh: { _ in 1 })
    }

    /// - Parameter key: Of tenant, model and text.
    mutating func embed(
        _ key: Digest, text: String, tenant: TenantID, waiter: Waiter, id: WaiterID, deadline: ContinuousClock.Instant
    ) -> EmbedAction {
        if let embedding = self.memory.value(for: key) {
            self.remembered += 1
            return .ready(embedding)
        }
        if self.jobs[key] != nil {
            self.jobs[key]!.waiters.append((id, waiter, deadline))
            return .wait
        }
        guard self.mayQueue(tenant) else { return .overloaded }
        self.jobs[key] = Job(text: text, tenant: tenant, waiters: [(id, waiter, deadline)])
        self.enqueue(key, of: tenant)
        guard self.running < self.concurrency, let batch = self.nextBatch() else { return .wait }
        return .dispatch(batch)
    }

    /// A batch came back.
    mutating func finish(
        _ batch: Batch, _ result: Result<[Embedding], EmbedderError>, at now: ContinuousClock.Instant
    ) -> FinishAction {
        self.running -= 1
        var action = FinishAction()
        for (position, key) in batch.keys.enumerated() {
            let one = result.map { $0[position] }
            if case .success(let embedding) = one {
                self.computed += 1
                self.memory.insert(embedding, for: key)
            }
            for waiter in self.jobs.removeValue(forKey: key)?.waiters ?? [] {
                action.resumed.append((waiter.waiter, one))
            }
        }
        self.expire(at: now, into: &action)
        action.dispatch = self.nextBatch()
        return action
    }

    /// A waiter gives up; whoever else waits for the text still gets it.
    mutating func cancel(_ key: Digest, id: WaiterID) -> Waiter? {
        guard var job = self.jobs[key], let position = job.waiters.firstIndex(where: { $0.id == id }) else {
            return nil
        }
        let waiter = job.waiters.remove(at: position).waiter
        self.jobs[key] = job
        // A text that is being embedded is finished and remembered; one that still waits gives up its place.
        if job.waiters.isEmpty, let place = self.queues[job.tenant]?.firstIndex(of: key) {
            self.queues[job.tenant]!.remove(at: place)
            self.queued -= 1
            if self.queues[job.tenant]!.isEmpty {
                self.queues[job.tenant] = nil
                self.turns.removeAll { $0 == job.tenant }
            }
            self.jobs[key] = nil
        }
        return waiter
    }

    /// Whoever floods the queue is refused before the others are: those that have texts in it share all but an eighth
    /// of it, and that is kept for those that have none.
    private func mayQueue(_ tenant: TenantID) -> Bool {
        guard let own = self.queues[tenant]?.count else { return self.queued < self.queueLimit }
        let shared = self.queueLimit - self.queueLimit / 8
        return self.queued < shared && own < max(1, shared / self.queues.count)
    }

    private mutating func enqueue(_ key: Digest, of tenant: TenantID) {
        if self.queues[tenant] == nil { self.turns.append(tenant) }
        self.queues[tenant, default: []].append(key)
        self.queued += 1
    }

    /// Takes the first text of the tenant whose turn it is, and gives the turn to the next.
    private mutating func dequeue() -> Digest? {
        guard let tenant = self.turns.popFirst(), let key = self.queues[tenant]!.popFirst() else { return nil }
        self.queued -= 1
        if self.queues[tenant]!.isEmpty { self.queues[tenant] = nil } else { self.turns.append(tenant) }
        return key
    }

    /// Lets those go whose turn comes next and whose deadline has passed: their caller has left.
    private mutating func expire(at now: ContinuousClock.Instant, into action: inout FinishAction) {
        let late = EmbedderError(.deadlineExceeded, "the deadline passed before the text was embedded")
        for tenant in self.turns.prefix(self.batchLimit) {
            for key in self.queues[tenant]!.prefix(self.batchLimit) {
                guard let job = self.jobs[key] else { continue }
                for waiter in job.waiters where waiter.deadline <= now {
                    action.resumed.append((waiter.waiter, .failure(late)))
                }
                self.jobs[key]!.waiters.removeAll { $0.deadline <= now }
            }
        }
    }

    private mutating func nextBatch() -> Batch? {
        var keys: [Digest] = []
        var texts: [String] = []
        var deadline: ContinuousClock.Instant?
        while keys.count < self.batchLimit, let key = self.dequeue() {
            guard let job = self.jobs[key] else { continue }
            if job.waiters.isEmpty {
                self.jobs[key] = nil
                continue
            }
            keys.append(key)
            texts.append(job.text)
            for waiter in job.waiters { deadline = max(deadline ?? waiter.deadline, waiter.deadline) }
        }
        guard let deadline else { return nil }
        self.running += 1
        return Batch(keys: keys, texts: texts, deadline: deadline)
    }
}
