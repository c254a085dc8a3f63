// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import CoreMetrics
import Synchronization
package import Tracing

/// Stands between the callers and an ``Embedder``: a bounded queue, small batches, one computation per text however many
/// ask for it, and a memory of what was computed. Tenants take turns, and share neither computations nor vectors: how
/// long a text takes tells nobody what others have asked. They share the room for vectors.
///
/// Whoever waits is expected to be cancelled at its deadline, as the server does with all of its calls: the pool has no
/// timer. It knows the deadlines all the same: it embeds nothing for those that have passed, and refuses at once what it
/// expects to come too late.
package final class EmbeddingPool: Sendable {
    typealias Machine = EmbeddingPoolStateMachine<Waiter>

    struct Waiter {
        fileprivate let continuation: CheckedContinuation<Result<Embedding, EmbedderError>, Never>
        fileprivate let since = ContinuousClock.now

        fileprivate func resume(returning result: Result<Embedding, EmbedderError>) {
            self.continuation.resume(returning: result)
        }
    }

    /// Of the configuration, by which metrics tell it from others.
    package let name: String
    let embedder: any Embedder
    let metrics: EmbeddingMetrics
    let vectors: (any VectorMemory)?
    let state: Mutex<Machine>
    let writes = Atomic<Int>(0)
    let restored = Atomic<UInt64>(0)
    private let hasEmbedded = Atomic<Bool>(false)
    private let spans: Spans
    private let nextID = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - queueLimit: Texts that may wait; above it callers are refused at once.
    ///   - queueBytes: Likewise, of their texts.
    ///   - batchLimit: Texts of a batch; also at most what the embedder asks for.
    ///   - memoryBytes: Of vectors remembered by text.
    ///   - vectors: Where vectors outlive the process, if anywhere.
    ///   - metrics: As bootstrapped, if nothing else is said.
    ///   - tracer: Likewise.
    package init(
        embedder: any Embedder, name: String = "default", queueLimit: Int = Limits.embeddingQueue,
        queueBytes: Int = Limits.embeddingQueueBytes, batchLimit: Int = Limits.embeddingBatch,
        memoryBytes: Int = Limits.embeddingMemoryBytes, vectors: (any VectorMemory)? = nil,
        metrics: any MetricsFactory = MetricsSystem.factory, tracer: any Tracer = InstrumentationSystem.tracer
    ) {
        self.name = name
        self.embedder = embedder
        self.vectors = vectors
        self.metrics = EmbeddingMetrics(metrics, embedder: name)
        self.spans = Spans(tracer)
        let limit = Machine.Limit(
            concurrency: embedder.concurrency, queue: queueLimit, queueBytes: queueBytes,
            batch: min(batchLimit, embedder.batchLimit), memoryBytes: memoryBytes)
        self.state = Mutex(Machine(limit))
    }

    package var identity: EmbeddingIdentity { self.embedder.identity }

    /// Whether the embedder has given a vector since the start.
    package var isReady: Bool { self.hasEmbedded.load(ordering: .acquiring) }

    /// Vectors computed, answered from memory, and read from where they outlive the process, since the start.
    package var counters: (computed: UInt64, remembered: UInt64, restored: UInt64) {
        let (computed, remembered) = self.state.withLock { ($0.computed, $0.remembered) }
        return (computed, remembered, self.restored.load(ordering: .relaxed))
    }

    /// Texts that wait for a batch.
    package var queueLength: Int { self.state.withLock { $0.queued } }

    /// Returns a text's vector.
    ///
    /// - Throws: ``EmbedderError`` with `.overloaded` at once if the queue is full or the wait would outlast the deadline;
    ///   `.deadlineExceeded`; `.cancelled` if the task is; otherwise what the embedder failed with.
    package func embed(
        _ text: String, for tenant: TenantID, by deadline: ContinuousClock.Instant,
        priority: EmbeddingPriority = .lookup
    ) async throws(EmbedderError) -> Embedding {
        let request = Machine.Request(
            key: self.key(of: text, for: tenant), text: text, tenant: tenant, priority: priority, deadline: deadline)
        let span = self.spans.begin("embed", .internal)
        let result: Result<Embedding, EmbedderError>
        if let restored = await self.restore(request) {
            result = .success(restored)
        } else {
            result = await self.compute(request)
        }
        switch result {
        case .success: span?.end()
        case .failure(let error):
            self.metrics.countError(error.code)
            span?.end(failing: error.code.rawValue)
        }
        return try result.get()
    }

    /// Has each worker embed a text, all at the same time, and none of them known already: memory is touched, connections
    /// are made and credentials are tried before the first caller waits for it.
    ///
    /// - Throws: ``EmbedderError`` of the first that failed. Others may have been embedded.
    package func warmUp(by deadline: ContinuousClock.Instant) async throws(EmbedderError) {
        let results = await withTaskGroup(of: Result<Embedding, EmbedderError>.self) { group in
            for number in 0..<self.embedder.concurrency {
                group.addTask { await self.warmUp(number, by: deadline) }
            }
            var results: [Result<Embedding, EmbedderError>] = []
            for await result in group { results.append(result) }
            return results
        }
        for result in results { _ = try result.get() }
    }

    /// Forgets what it remembers of a tenant in this process.
    package func forget(_ tenant: TenantID) { self.state.withLock { $0.forget(tenant) } }

    private func warmUp(_ number: Int, by deadline: ContinuousClock.Instant) async -> Result<Embedding, EmbedderError> {
        let round = self.nextID.add(1, ordering: .relaxed).newValue
        let text = "How long does it take until worker \(number) has embedded this question for the first time?"
        // No tenant has an empty name.
        let nobody = TenantID("")
        return await self.compute(
            Machine.Request(
                key: self.key(of: "\(text) \(round)", for: nobody), text: text, tenant: nobody, priority: .lookup,
                deadline: deadline))
    }

    private func key(of text: String, for tenant: TenantID) -> Digest {
        var fingerprint = Fingerprint(.text)
        fingerprint.append(tenant.key)
        fingerprint.append(self.identity.key)
        fingerprint.append(text)
        return fingerprint.finish()
    }

    private func compute(_ request: Machine.Request) async -> Result<Embedding, EmbedderError> {
        let id = self.nextID.add(1, ordering: .relaxed).newValue
        return await withTaskCancellationHandler {
            await withCheckedContinuation { self.enqueue(request, waiter: Waiter(continuation: $0), id: id) }
        } onCancel: {
            self.cancel(request.key, id: id)
        }
    }

    private func enqueue(_ request: Machine.Request, waiter: Waiter, id: UInt64) {
        let action = self.state.withLock { $0.embed(request, waiter: waiter, id: id, at: waiter.since) }
        switch action {
        case .ready(let embedding): waiter.resume(returning: .success(embedding))
        case .refuse(let error): waiter.resume(returning: .failure(error))
        case .dispatch(let batch): self.dispatch(batch)
        case .wait: break
        }
        // Cancelled before the waiter was known: the handler found nothing to resume.
        if Task.isCancelled { self.cancel(request.key, id: id) }
    }

    private func cancel(_ key: Digest, id: UInt64) {
        let waiter = self.state.withLock { $0.cancel(key, id: id) }
        waiter?.resume(returning: .failure(EmbedderError(.cancelled, "the call was given up")))
    }

    private func dispatch(_ batch: Machine.Batch) {
        let began = ContinuousClock.now
        self.embedder.embed(batch.texts, by: batch.deadline) { results in
            let results = self.checked(results, texts: batch.requests.count)
            let now = ContinuousClock.now
            let action = self.state.withLock { $0.finish(batch, results, took: now - began, at: now) }
            // The next batch first: the threads should not wait for the callers.
            if let next = action.dispatch { self.dispatch(next) }
            self.metrics.countBatch(texts: batch.requests.count, now - began)
            if results.contains(where: { (try? $0.get()) != nil }) {
                self.hasEmbedded.store(true, ordering: .releasing)
            }
            self.keep(results, of: batch, without: action.forgotten)
            for (waiter, result) in action.resumed {
                self.metrics.countWait(began - waiter.since)
                waiter.resume(returning: result)
            }
        }
    }

    /// An embedder that breaks its promise has failed.
    private func checked(_ results: EmbeddingResults, texts: Int) -> EmbeddingResults {
        guard results.count == texts else {
            let error = EmbedderError(.failed, "the embedder did not give one vector for each text")
            return EmbeddingResults(.failure(error), texts: texts)
        }
        let dimensions = self.identity.dimensions
        return results.map { result in
            guard case .success(let embedding) = result, embedding.dimensions != dimensions else { return result }
            return .failure(
                EmbedderError(.failed, "the embedder gave a vector of another dimension than its model's"))
        }
    }
}
