// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Decides what an ``EmbeddingPool`` does. No side effects, no clock.
///
/// A free worker takes a text at once; batches form only of texts that found all workers busy. A batch is of one
/// priority: Lookups before Stores, but while both wait, one batch of eight is of Stores. Within a priority tenants take
/// turns (``FairQueue``).
///
/// - `Waiter`: Whoever is told the vector.
struct EmbeddingPoolStateMachine<Waiter>: ~Copyable {
    typealias WaiterID = UInt64

    struct Limit {
        /// Batches at the same time.
        var concurrency: Int
        /// Texts that wait. Stores may be half of them.
        var queue: Int
        /// Bytes of their texts; likewise.
        var queueBytes = Limits.embeddingQueueBytes
        /// Texts of a batch.
        var batch: Int
        /// Of remembered vectors.
        var memoryBytes = Limits.embeddingMemoryBytes
    }

    struct Request {
        /// Of tenant, model and text.
        let key: Digest
        let text: String
        let tenant: TenantID
        let priority: EmbeddingPriority
        let deadline: ContinuousClock.Instant
    }

    struct Batch {
        let requests: [Request]
        /// The latest of whoever waits.
        let deadline: ContinuousClock.Instant
        var texts: [String] { self.requests.map(\.text) }
    }

    enum EmbedAction {
        case ready(Embedding)
        case refuse(EmbedderError)
        case dispatch(Batch)
        case wait
    }

    struct FinishAction {
        var resumed: [(Waiter, Result<Embedding, EmbedderError>)] = []
        var dispatch: Batch?
        /// Of the batch: what must not be kept, as its tenant was removed meanwhile.
        var forgotten: Set<Digest> = []
    }

    private struct Job {
        let request: Request
        /// Of its place in a queue: rises if a Lookup comes to want it.
        var priority: EmbeddingPriority
        var isRunning = false
        /// Whether its tenant has been forgotten meanwhile.
        var isForgotten = false
        var waiters: [(id: WaiterID, waiter: Waiter, deadline: ContinuousClock.Instant)]
    }

    private struct Remembered {
        let embedding: Embedding
        let tenant: TenantID
    }

    private let limit: Limit
    private var jobs: [Digest: Job] = [:]
    /// Keys whose text waits for a batch; each has a job.
    private var lookups = FairQueue()
    private var stores = FairQueue()
    /// Batches of Lookups since one of Stores, counted while Stores wait.
    private var lookupBatches = 0
    private var memory: FrequencyCache<Digest, Remembered>
    private var running = 0
    private var times = ServiceTime()
    private(set) var computed: UInt64 = 0
    private(set) var remembered: UInt64 = 0

    init(_ limit: Limit) {
        self.limit = limit
        self.memory = FrequencyCache(limit: limit.memoryBytes, weigh: Self.weigh)
    }

    private static func weigh(_ value: Remembered) -> Int {
        value.embedding.dimensions * MemoryLayout<Float>.stride + Limits.embeddingMemoryOverhead
    }

    /// Texts that wait.
    var queued: Int { self.lookups.count + self.stores.count }
    var queuedBytes: Int { self.lookups.bytes + self.stores.bytes }
    var rememberedBytes: Int { self.memory.weight }

    // MARK: Events

    mutating func embed(
        _ request: Request, waiter: Waiter, id: WaiterID, at now: ContinuousClock.Instant
    ) -> EmbedAction {
        if let embedding = self.recall(request.key) { return .ready(embedding) }
        guard request.deadline > now else { return .refuse(Self.late) }
        if self.jobs[request.key] != nil {
            self.jobs[request.key]!.waiters.append((id, waiter, request.deadline))
            if request.priority == .lookup { self.promote(request.key) }
            return .wait
        }
        if self.running < self.limit.concurrency {
            // Nothing waits, or a worker would have taken it.
            self.begin(request, waiter, id)
            self.jobs[request.key]!.isRunning = true
            self.running += 1
            return .dispatch(Batch(requests: [request], deadline: request.deadline))
        }
        if let refusal = self.refusal(of: request, at: now) { return .refuse(refusal) }
        self.begin(request, waiter, id)
        self.enqueue(request, as: request.priority)
        return .wait
    }

    /// A vector that is remembered; counts it.
    mutating func recall(_ key: Digest) -> Embedding? {
        guard let embedding = self.memory.value(for: key)?.embedding else { return nil }
        self.remembered += 1
        return embedding
    }

    /// Whether it makes sense to look elsewhere for a vector: it is not remembered here, and nobody computes it.
    mutating func mayBeKept(_ key: Digest) -> Bool { self.jobs[key] == nil && self.memory.value(for: key) == nil }

    /// Remembers a vector that was not computed here.
    mutating func remember(_ embedding: Embedding, for key: Digest, of tenant: TenantID) {
        let value = Remembered(embedding: embedding, tenant: tenant)
        if Self.weigh(value) <= self.limit.memoryBytes / 2 { self.memory.insert(value, for: key) }
    }

    /// Remembers nothing of a tenant any more, nor what is under way for it. O(vectors remembered).
    mutating func forget(_ tenant: TenantID) {
        self.memory.removeAll { $0.tenant == tenant }
        for (key, job) in self.jobs where job.request.tenant == tenant { self.jobs[key]!.isForgotten = true }
    }

    /// A batch came back.
    ///
    /// - Parameter duration: For which it kept a worker.
    mutating func finish(
        _ batch: Batch, _ results: EmbeddingResults, took duration: Duration,
        at now: ContinuousClock.Instant
    ) -> FinishAction {
        self.running -= 1
        self.times.note(texts: batch.requests.count, took: duration)
        var action = FinishAction()
        for (request, result) in zip(batch.requests, results) {
            guard let job = self.jobs.removeValue(forKey: request.key) else { continue }
            switch result {
            case .success(let embedding):
                self.computed += 1
                if job.isForgotten { action.forgotten.insert(request.key) }
                if !job.isForgotten { self.remember(embedding, for: request.key, of: request.tenant) }
                for waiter in job.waiters { action.resumed.append((waiter.waiter, .success(embedding))) }
            case .failure(let error):
                self.fail(job, of: batch, error, &action)
            }
        }
        action.dispatch = self.nextBatch(at: now, &action)
        return action
    }

    /// A waiter gives up; whoever else waits for the text still gets it.
    mutating func cancel(_ key: Digest, id: WaiterID) -> Waiter? {
        guard let position = self.jobs[key]?.waiters.firstIndex(where: { $0.id == id }) else { return nil }
        let waiter = self.jobs[key]!.waiters.remove(at: position).waiter
        // A text that is being embedded is finished and remembered; one that still waits gives up its place.
        if let job = self.jobs[key], job.waiters.isEmpty, !job.isRunning {
            self.withQueue(of: job.priority) { _ = $0.remove(key, of: job.request.tenant) }
            self.jobs[key] = nil
        }
        return waiter
    }

    // MARK: Waiting

    private mutating func begin(_ request: Request, _ waiter: Waiter, _ id: WaiterID) {
        self.jobs[request.key] = Job(
            request: request, priority: request.priority, waiters: [(id, waiter, request.deadline)])
    }

    private mutating func enqueue(_ request: Request, as priority: EmbeddingPriority) {
        let bytes = request.text.utf8.count
        self.withQueue(of: priority) { $0.append(request.key, bytes: bytes, of: request.tenant) }
    }

    /// Gives a text that waits as a Store's the place of a Lookup's.
    private mutating func promote(_ key: Digest) {
        guard let job = self.jobs[key], job.priority == .store else { return }
        self.jobs[key]!.priority = .lookup
        guard !job.isRunning, self.stores.remove(key, of: job.request.tenant) != nil else { return }
        self.enqueue(job.request, as: .lookup)
    }

    private mutating func withQueue(of priority: EmbeddingPriority, _ body: (inout FairQueue) -> Void) {
        switch priority {
        case .lookup: body(&self.lookups)
        case .store: body(&self.stores)
        }
    }

    private func refusal(of request: Request, at now: ContinuousClock.Instant) -> EmbedderError? {
        let (others, bytes) = (request.priority == .lookup ? self.stores : self.lookups, request.text.utf8.count)
        var (room, byteRoom) = (self.limit.queue - others.count, self.limit.queueBytes - others.bytes)
        if request.priority == .store {
            // What can wait does not fill the queue for what cannot.
            room = min(room, max(1, self.limit.queue / 2))
            byteRoom = min(byteRoom, self.limit.queueBytes / 2)
        }
        let queue = request.priority == .lookup ? self.lookups : self.stores
        guard queue.takes(bytes: bytes, of: request.tenant, room: room, byteRoom: byteRoom) else {
            return EmbedderError(.overloaded, "too many texts wait for the embedder")
        }
        // With what is known of the embedder, it would come too late: better to say so now.
        let batch = min(self.limit.batch, queue.count + 1)
        guard
            let affordable = self.times.texts(
                within: request.deadline - now, workers: self.limit.concurrency, batch: batch)
        else { return nil }
        if queue.count + others.count <= affordable { return nil }
        let ahead = queue.ahead(of: request.tenant, upTo: affordable + 1)
        // Someone must find out whether the embedder has become quicker.
        if ahead == 0 { return nil }
        let batches = Limits.embeddingLookupBatches
        let between = min(others.count, request.priority == .lookup ? ahead / batches : ahead * batches)
        guard ahead + between > affordable else { return nil }
        return EmbedderError(.overloaded, "the text would wait for the embedder until after its deadline")
    }

    // MARK: Batches

    /// Tells who waits for a text that it failed. Who came when its batch had begun may have more time than the batch was
    /// given: for them it is tried again.
    private mutating func fail(_ job: Job, of batch: Batch, _ error: EmbedderError, _ action: inout FinishAction) {
        var again = job
        again.isRunning = false
        again.waiters = []
        for waiter in job.waiters {
            if error.code == .deadlineExceeded, waiter.deadline > batch.deadline {
                again.waiters.append(waiter)
            } else {
                action.resumed.append((waiter.waiter, .failure(error)))
            }
        }
        if again.waiters.isEmpty { return }
        self.jobs[job.request.key] = again
        self.enqueue(job.request, as: job.priority)
    }

    /// Takes what is next. Whoever's deadline has passed is told, and what nobody waits for any more is dropped.
    private mutating func nextBatch(at now: ContinuousClock.Instant, _ action: inout FinishAction) -> Batch? {
        while let priority = self.nextPriority() {
            var requests: [Request] = []
            var deadline = now
            while requests.count < self.limit.batch, let key = self.popFirst(of: priority) {
                guard let job = self.jobs[key] else { continue }
                for waiter in job.waiters where waiter.deadline <= now {
                    action.resumed.append((waiter.waiter, .failure(Self.late)))
                }
                self.jobs[key]!.waiters.removeAll { $0.deadline <= now }
                guard let latest = self.jobs[key]!.waiters.map(\.deadline).max() else {
                    self.jobs[key] = nil
                    continue
                }
                self.jobs[key]!.isRunning = true
                requests.append(job.request)
                deadline = max(deadline, latest)
            }
            if requests.isEmpty { continue }
            self.lookupBatches = priority == .store || self.stores.count == 0 ? 0 : self.lookupBatches + 1
            self.running += 1
            return Batch(requests: requests, deadline: deadline)
        }
        return nil
    }

    private mutating func popFirst(of priority: EmbeddingPriority) -> Digest? {
        priority == .lookup ? self.lookups.popFirst() : self.stores.popFirst()
    }

    private func nextPriority() -> EmbeddingPriority? {
        if self.stores.count == 0 { return self.lookups.count == 0 ? nil : .lookup }
        let isTurnOfStores = self.lookups.count == 0 || self.lookupBatches >= Limits.embeddingLookupBatches
        return isTurnOfStores ? .store : .lookup
    }

    private static var late: EmbedderError {
        EmbedderError(.deadlineExceeded, "the deadline passed before the text was embedded")
    }
}
