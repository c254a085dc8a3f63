// SPDX-License-Identifier: Apache-2.0

import CacheModel
import DequeModule

/// Decides what an ``EmbeddingPool`` does. No side effects, no clock.
///
/// - `Waiter`: Whoever is told the vector.
struct EmbeddingPoolStateMachine<Waiter>: ~Copyable {
    typealias WaiterID = UInt64

    struct Batch {
        let keys: [Digest]
        let texts: [String]
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
        var waiters: [(id: WaiterID, waiter: Waiter, deadline: ContinuousClock.Instant)]
    }

    private var jobs: [Digest: Job] = [:]
    /// Keys whose text waits for a batch; each has a job.
    private var queue = Deque<Digest>()
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

    mutating func embed(
        _ key: Digest, text: String, waiter: Waiter, id: WaiterID, deadline: ContinuousClock.Instant
    ) -> EmbedAction {
        if let embedding = self.memory.value(for: key) {
            self.remembered += 1
            return .ready(embedding)
        }
        if self.jobs[key] != nil {
            self.jobs[key]!.waiters.append((id, waiter, deadline))
            return .wait
        }
        guard self.queue.count < self.queueLimit else { return .overloaded }
        self.jobs[key] = Job(text: text, waiters: [(id, waiter, deadline)])
        self.queue.append(key)
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
        if job.waiters.isEmpty, let place = self.queue.firstIndex(of: key) {
            self.queue.remove(at: place)
            self.jobs[key] = nil
        }
        return waiter
    }

    /// Lets those at the head of the queue go whose deadline has passed: their caller has left.
    private mutating func expire(at now: ContinuousClock.Instant, into action: inout FinishAction) {
        let late = EmbedderError(.deadlineExceeded, "the deadline passed before the text was embedded")
        for key in self.queue.prefix(self.batchLimit) {
            guard let job = self.jobs[key] else { continue }
            for waiter in job.waiters where waiter.deadline <= now {
                action.resumed.append((waiter.waiter, .failure(late)))
            }
            self.jobs[key]!.waiters.removeAll { $0.deadline <= now }
        }
    }

    private mutating func nextBatch() -> Batch? {
        var keys: [Digest] = []
        var texts: [String] = []
        while keys.count < self.batchLimit, let key = self.queue.popFirst() {
            guard let job = self.jobs[key] else { continue }
            if job.waiters.isEmpty {
                self.jobs[key] = nil
                continue
            }
            keys.append(key)
            texts.append(job.text)
        }
        guard !keys.isEmpty else { return nil }
        self.running += 1
        return Batch(keys: keys, texts: texts)
    }
}
