// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension ObservedStore {
    func append(
        _ records: [[UInt8]], to cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> UInt64 {
        try await self.observe(.records) { () async throws(VectorStoreError) -> UInt64 in
            try await self.store.append(records, to: cache, by: deadline)
        }
    }

    func records(of cache: CacheScope, after number: UInt64) async throws(VectorStoreError) -> DecisionRecordPage {
        try await self.observe(.records) { () async throws(VectorStoreError) -> DecisionRecordPage in
            try await self.store.records(of: cache, after: number)
        }
    }

    func snapshot(
        of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> DecisionSnapshot? {
        try await self.observe(.records) { () async throws(VectorStoreError) -> DecisionSnapshot? in
            try await self.store.snapshot(of: cache, by: deadline)
        }
    }

    func save(
        _ snapshot: DecisionSnapshot, of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> Bool {
        try await self.observe(.records) { () async throws(VectorStoreError) -> Bool in
            try await self.store.save(snapshot, of: cache, by: deadline)
        }
    }

    func block(
        _ pair: BlockedPair, in partition: Partition, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) {
        try await self.observe(.block) { () async throws(VectorStoreError) -> Void in
            try await self.store.block(pair, in: partition, by: deadline)
        }
    }

    func blocks(of question: EntryID, in partition: Partition) async throws(VectorStoreError) -> [BlockedPair] {
        try await self.observe(.blocks) { () async throws(VectorStoreError) -> [BlockedPair] in
            try await self.store.blocks(of: question, in: partition)
        }
    }

    func assign(
        _ cluster: AnswerCluster, to entry: EntryID, in partition: Partition
    ) async throws(VectorStoreError) -> Bool {
        try await self.observe(.assign) { () async throws(VectorStoreError) -> Bool in
            try await self.store.assign(cluster, to: entry, in: partition)
        }
    }
}
