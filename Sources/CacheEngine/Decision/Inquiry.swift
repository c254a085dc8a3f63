// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension CacheEngine {
    /// A Lookup on its way.
    struct Inquiry {
        let request: LookupRequest
        /// The question.
        let text: CanonicalPrompt
        let partition: Partition
        /// Of the entry of the prompt itself.
        let id: EntryID
        let policy: CachePolicy
        let lease: MemoryLease
        let pool: EmbeddingPool
        let counters: CacheCounters
        let threshold: Float
        let decider: CacheDecider
        let deadline: ContinuousClock.Instant

        init(
            _ request: LookupRequest, text: CanonicalPrompt, partition: Partition, id: EntryID, _ route: CacheRoute,
            _ decider: CacheDecider, by deadline: ContinuousClock.Instant
        ) {
            self.request = request
            self.text = text
            self.partition = partition
            self.id = id
            self.policy = route.policy
            self.lease = route.tenant.lease
            self.pool = route.pool
            self.counters = route.counters
            self.threshold = route.policy.threshold(requested: request.similarityThreshold)
            self.decider = decider
            self.deadline = deadline
        }

        /// Whether the prompt alone decides what is near: not with a vector of the caller's own, and not with a filter.
        var isPlain: Bool { self.request.embedding == nil && self.request.filter == nil }

        /// What the store is asked: what was asked for must be found, and what the decision looks at besides comes with it.
        func query(for vector: Embedding, at now: Timestamp) -> NearestQuery {
            let isLearner = self.policy.decision.kind == .calibrated
            let least = max(
                self.request.similarityThreshold ?? self.policy.similarityFloor, self.policy.similarityFloor)
            let hasGuards = !self.policy.decision.guards.isEmpty
            return NearestQuery(
                embedding: vector, count: self.request.topK, threshold: self.threshold,
                candidates: isLearner || hasGuards ? Limits.candidates : 1,
                candidateThreshold: isLearner ? least : nil,
                createdAtOrAfter: self.request.maximumAge.map { now + (.zero - $0) }, filter: self.request.filter,
                neighbours: isLearner ? Limits.maximumNeighbours : 0)
        }

        func takes(_ entry: CacheEntry) -> Bool { self.request.filter?.matches(entry.attributes) ?? true }

        func isTooOld(_ entry: CacheEntry, at now: Timestamp) -> Bool {
            self.request.maximumAge.map { now - entry.createdAt > $0 } ?? false
        }
    }
}
