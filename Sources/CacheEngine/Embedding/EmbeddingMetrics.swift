// SPDX-License-Identifier: Apache-2.0

import CoreMetrics

/// What is measured of an ``EmbeddingPool``. The handles are made once.
struct EmbeddingMetrics: Sendable {
    enum MemoryOperation: String, CaseIterable {
        case read
        case write
    }

    private let waits: Timer
    private let durations: Timer
    private let batches: Recorder
    private let errors: [EmbedderError.Code: Counter]
    private let memoryErrors: [MemoryOperation: Counter]

    /// - Parameter embedder: Of the configuration: one label for all.
    init(_ factory: any MetricsFactory, embedder: String) {
        let labels = [("embedder", embedder)]
        self.waits = Timer(label: "semcache_embedding_queue_wait_seconds", dimensions: labels, factory: factory)
        self.durations = Timer(label: "semcache_embedding_duration_seconds", dimensions: labels, factory: factory)
        self.batches = Recorder(
            label: "semcache_embedding_batch_texts", dimensions: labels, aggregate: true, factory: factory)
        self.errors = .init(
            each: { ("semcache_embedding_errors_total", labels + [("code", $0.rawValue)]) }, factory)
        self.memoryErrors = .init(
            each: { ("semcache_vector_memory_errors_total", labels + [("operation", $0.rawValue)]) }, factory)
    }

    /// - Parameter duration: From when the embedder was handed the batch.
    func countBatch(texts: Int, _ duration: Duration) {
        self.batches.record(texts)
        self.durations.record(duration)
    }

    /// - Parameter wait: For the batch; not positive for whoever asked for a text that was being embedded.
    func countWait(_ wait: Duration) { self.waits.record(max(.zero, wait)) }

    func countError(_ code: EmbedderError.Code) { self.errors[code]?.increment() }

    func countMemoryError(_ operation: MemoryOperation) { self.memoryErrors[operation]?.increment() }
}
