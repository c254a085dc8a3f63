// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import CoreMetrics
import Synchronization
package import Tracing

/// Stands between the callers and an ``Embedder``: a bounded queue, small batches, one computation per text however many
/// ask for it, and a memory of what was computed. Tenants take turns, and share neither computations nor vectors: how
/// long a text takes tells nobody what others have asked. They share the room for vectors.
package final class EmbeddingPool: Sendable {
    private struct Waiter {
        let continuation: CheckedContinuation<Result<Embedding, EmbedderError>, Never>
        let since = ContinuousClock.now

        func resume(returning result: Result<Embedding, EmbedderError>) { self.continuation.resume(returning: result) }
    }

    private typealias Batch = EmbeddingPoolStateMachine<Waiter>.Batch

    private let embedder: any Embedder
    private let metrics: EmbeddingMetrics
    private let spans: Spans
    private let state: Mutex<EmbeddingPoolStateMachine<Waiter>>
    private let nextID = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - queueLimit: Texts that may wait; above it callers are refused at once.
    ///   - batchLimit: Texts of a batch; also at most what the embedder asks for.
    ///   - memoryLimit: Vectors remembered by text.
    ///   - metrics: As bootstrapped, if nothing else is said.
    ///   - tracer: Likewise.
    package init(
        embedder: any Embedder, queueLimit: Int = Limits.embeddingQueue, batchLimit: Int = Limits.embeddingBatch,
        memoryLimit: Int = Limits.embeddingMemory, metrics: any MetricsFactory = MetricsSystem.factory,
        tracer: any Tracer = InstrumentationSystem.tracer
    ) {
        self.embedder = embedder
        self.metrics = EmbeddingMetrics(metrics)
        self.spans = Spans(tracer)
        self.state = Mutex(
            EmbeddingPoolStateMachine(
                concurrency: embedder.concurrency, queueLimit: queueLimit,
                batchLimit: min(batchLimit, embedder.batchLimit), memoryLimit: memoryLimit))
    }

    package var identity: EmbeddingIdentity { self.embedder.identity }

    /// Vectors computed, and vectors answered from memory, since the start.
    package var counters: (computed: UInt64, remembered: UInt64) {
        self.state.withLock { ($0.computed, $0.remembered) }
    }

    /// Texts that wait for a batch.
    package var queueLength: Int { self.state.withLock { $0.queued } }

    /// Returns a text's vector.
    ///
    /// - Throws: ``EmbedderError`` with `.overloaded` at once if the queue is full, `.deadlineExceeded`, `.cancelled` if
    ///   the task is, `.failed` if the embedder failed.
    package func embed(
        _ text: String, for tenant: TenantID, by deadline: ContinuousClock.Instant
    ) async throws(EmbedderError) -> Embedding {
        var fingerprint = Fingerprint(.text)
        fingerprint.append(tenant.key)
        fingerprint.append(self.identity.key)
        fingerprint.append(text)
        let key = fingerprint.finish()
        let span = self.spans.begin("embed", .internal)
        let id = self.nextID.add(1, ordering: .relaxed).newValue
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.enqueue(
                    key, text: text, tenant: tenant, waiter: Waiter(continuation: continuation), id: id,
                    deadline: deadline)
            }
        } onCancel: {
            self.cancel(key, id: id)
        }
        switch result {
        case .success: span?.end()
        case .failure(let error):
            self.metrics.countError(error.code)
            span?.end(failing: error.code.rawValue)
        }
        return try result.get()
    }

    private func enqueue(
        _ key: Digest, text: String, tenant: TenantID, waiter: Waiter, id: UInt64, deadline: ContinuousClock.Instant
    ) {
        let action = self.state.withLock {
            $0.embed(key, text: text, tenant: tenant, waiter: waiter, id: id, deadline: deadline)
        }
        switch action {
        case .ready(let embedding): waiter.resume(returning: .success(embedding))
        case .overloaded:
            waiter.resume(returning: .failure(EmbedderError(.overloaded, "too many texts wait for the embedder")))
        case .dispatch(let batch): self.dispatch(batch)
        case .wait: break
        }
        // Cancelled before the waiter was known: the handler found nothing to resume.
        if Task.isCancelled { self.cancel(key, id: id) }
    }

    private func cancel(_ key: Digest, id: UInt64) {
        let waiter = self.state.withLock { $0.cancel(key, id: id) }
        waiter?.resume(returning: .failure(EmbedderError(.cancelled, "the call was given up")))
    }

    private func dispatch(_ batch: Batch) {
        let began = ContinuousClock.now
        self.embedder.embed(batch.texts, by: batch.deadline) { result in
            var result = result
            if case .success(let vectors) = result, vectors.count != batch.texts.count {
                result = .failure(EmbedderError(.failed, "the embedder did not give one vector for each text"))
            }
            let now = ContinuousClock.now
            let action = self.state.withLock { $0.finish(batch, result, at: now) }
            // The next batch first: the threads should not wait for the callers.
            if let next = action.dispatch { self.dispatch(next) }
            self.metrics.countBatch(texts: batch.texts.count, now - began)
            for (waiter, result) in action.resumed {
                self.metrics.countWait(began - waiter.since)
                waiter.resume(returning: result)
            }
        }
    }
}
