// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel

extension MemoryVectorStore {
    /// What is known of a cache's decisions.
    struct Decisions {
        struct Question: Hashable {
            let partition: Digest
            let id: EntryID
        }

        var last: UInt64 = 0
        var records: [[UInt8]] = []
        var snapshot: DecisionSnapshot?
        var blocks: [Question: [BlockedPair]] = [:]
    }

    package func append(
        _ records: [[UInt8]], to cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> UInt64 {
        try VectorStoreError.check(records)
        return try await self.perform(.records) { state in
            var known = state.decisions[cache] ?? Decisions()
            known.last += UInt64(records.count)
            known.records = Array((known.records + records).suffix(Limits.maximumDecisionRecords))
            state.decisions[cache] = known
            return known.last
        }
    }

    package func records(
        of cache: CacheScope, after number: UInt64
    ) async throws(VectorStoreError) -> DecisionRecordPage {
        try await self.perform(.records) { state in
            let known = state.decisions[cache] ?? Decisions()
            let gone = known.last - UInt64(known.records.count)
            guard number < known.last, !known.records.isEmpty else {
                return DecisionRecordPage(first: 0, records: [], last: known.last)
            }
            let start = max(number, gone)
            let page = known.records.dropFirst(Int(start - gone)).prefix(Limits.maximumDecisionRecordPage)
            return DecisionRecordPage(first: start + 1, records: Array(page), last: known.last)
        }
    }

    package func snapshot(
        of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> DecisionSnapshot? {
        try await self.perform(.records) { $0.decisions[cache]?.snapshot }
    }

    package func save(
        _ snapshot: DecisionSnapshot, of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> Bool {
        try VectorStoreError.check(snapshot)
        return try await self.perform(.records) { state in
            if let known = state.decisions[cache]?.snapshot, known.upTo >= snapshot.upTo { return false }
            state.decisions[cache, default: Decisions()].snapshot = snapshot
            return true
        }
    }

    package func block(
        _ pair: BlockedPair, in partition: Partition, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) {
        let isDone = try await self.perform(.block) { state in
            let question = Decisions.Question(partition: partition.key, id: pair.question)
            var known = state.decisions[partition.cache] ?? Decisions()
            if known.blocks[question] == nil, known.blocks.count >= Limits.maximumBlockedQuestions { return false }
            let pairs = known.blocks[question] ?? []
            if !pairs.contains(pair), pairs.count < Limits.maximumBlocksPerQuestion {
                known.blocks[question] = pairs + [pair]
            }
            state.decisions[partition.cache] = known
            return true
        }
        if !isDone { throw .tooManyBlockedQuestions(limit: Limits.maximumBlockedQuestions) }
    }

    package func blocks(of question: EntryID, in partition: Partition) async throws(VectorStoreError) -> [BlockedPair] {
        try await self.perform(.blocks) { state in
            state.decisions[partition.cache]?.blocks[.init(partition: partition.key, id: question)] ?? []
        }
    }

    package func assign(
        _ cluster: AnswerCluster, to entry: EntryID, in partition: Partition
    ) async throws(VectorStoreError) -> Bool {
        try await self.perform(.assign) { state in
            guard let row = state.rows[partition.key]?[entry] else { return false }
            state.rows[partition.key]?[entry]?.entry = row.entry.inCluster(cluster)
            return true
        }
    }
}

extension DecisionRecords {
    package func append(_ records: [[UInt8]], to cache: CacheScope) async throws(VectorStoreError) -> UInt64 {
        try await self.append(records, to: cache, by: .now + Limits.maximumDeadline)
    }

    package func snapshot(of cache: CacheScope) async throws(VectorStoreError) -> DecisionSnapshot? {
        try await self.snapshot(of: cache, by: .now + Limits.maximumDeadline)
    }

    package func save(_ snapshot: DecisionSnapshot, of cache: CacheScope) async throws(VectorStoreError) -> Bool {
        try await self.save(snapshot, of: cache, by: .now + Limits.maximumDeadline)
    }
}

extension MemoryVectorStore.State {
    /// But for the numbers of the last records.
    mutating func forgetDecisions(of tenant: TenantScope) {
        for (cache, known) in self.decisions where cache.tenant == tenant {
            self.decisions[cache] = MemoryVectorStore.Decisions(last: known.last)
        }
    }
}

extension NearestQuery {
    /// Whether filter and age take an entry.
    func takes(_ entry: CacheEntry) -> Bool {
        (self.filter?.matches(entry.attributes) ?? true) && self.createdAtOrAfter.map { entry.createdAt >= $0 } ?? true
    }
}
