// SPDX-License-Identifier: Apache-2.0

import CoreMetrics

/// What is measured of keeping replicas in step. The handles are made once.
struct CoherenceMetrics: Sendable {
    private let losses: Counter
    private let overdue: Counter
    private let waits: Timer

    init(_ factory: any MetricsFactory = MetricsSystem.factory) {
        self.losses = Counter(label: "semcache_memory_lease_losses_total", dimensions: [], factory: factory)
        self.overdue = Counter(label: "semcache_unheard_changes_total", dimensions: [], factory: factory)
        self.waits = Timer(label: "semcache_change_wait_seconds", dimensions: [], factory: factory)
    }

    func count(losses: Int) { self.losses.increment(by: losses) }
    func countOverdue(_ replicas: Int) { self.overdue.increment(by: replicas) }

    func recordWait(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.waits.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
