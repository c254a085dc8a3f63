// SPDX-License-Identifier: Apache-2.0

/// What there is to say of a metric beside its values.
package struct MetricDescription: Sendable {
    package let name: String
    /// What it says, in a sentence without the full stop.
    package let help: String
    /// Upper bounds of a histogram's buckets; `nil` for those of durations, or if it is none.
    package let bounds: [Double]?

    private init(_ name: String, _ help: String, bounds: [Double]? = nil) {
        self.name = name
        self.help = help
        self.bounds = bounds
    }

    /// Of all that the engine measures by handles. What it only reads when asked describes itself (``FigureFamily``).
    package static let ofEngine = [
        Self(
            "semcache_request_duration_seconds",
            "Time in the engine by method, without the hits that are answered from memory as they are read"),
        Self("semcache_degraded_lookups_total", "Lookups that trouble kept from looking"),
        Self("semcache_store_operation_duration_seconds", "Time of the store's operations"),
        Self("semcache_store_errors_total", "Operations of the store that failed"),
        Self("semcache_embedding_queue_wait_seconds", "Time that a text waits before its batch begins"),
        Self("semcache_embedding_duration_seconds", "Time in which the embedder does a batch"),
        Self("semcache_embedding_batch_texts", "Texts of a batch", bounds: [1, 2, 4, 8, 16]),
        Self("semcache_embedding_errors_total", "Texts that got no vector"),
        Self(
            "semcache_vector_memory_errors_total", "Vectors that could not be read from the store, or not be kept there"
        ),
    ]

    /// Of what keeps replicas on one store in step.
    package static let ofCoherence = [
        Self(
            "semcache_memory_lease_losses_total",
            "Times that a tenant was no longer answered from memory because the listener to Redis was lost"),
        Self("semcache_unheard_changes_total", "Replicas that did not hear of a change within their lease"),
        Self("semcache_change_wait_seconds", "Time that a change of this replica waits until all others know of it"),
    ]
}
