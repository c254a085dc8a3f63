// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import GRDB

extension EmbeddedStore {
    // A change waits for the thread of the writer only, which answers when it is done: deadlines change nothing.

    package func append(
        _ records: [[UInt8]], to cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> UInt64 {
        try VectorStoreError.check(records)
        return try await self.write { .decision(.append(records, to: cache, $0)) }
    }

    package func records(
        of cache: CacheScope, after number: UInt64
    ) async throws(VectorStoreError) -> DecisionRecordPage {
        try await self.read { pool, _ in
            try pool.read { try DecisionRows.page(of: cache, after: number, in: $0) }
        }
    }

    package func snapshot(
        of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> DecisionSnapshot? {
        try await self.read { pool, _ in try pool.read { try DecisionRows.snapshot(of: cache, in: $0) } }
    }

    package func save(
        _ snapshot: DecisionSnapshot, of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> Bool {
        try VectorStoreError.check(snapshot)
        return try await self.write { .decision(.save(snapshot, of: cache, $0)) }
    }

    /// Only this process has a memory of what is in the file, and whoever keeps it sees to it himself.
    package func block(
        _ pair: BlockedPair, in partition: Partition, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) {
        try await self.write { .decision(.block(pair, in: partition, $0)) }
    }

    /// Hops to another thread only for a question that has some.
    package func blocks(of question: EntryID, in partition: Partition) async throws(VectorStoreError) -> [BlockedPair] {
        guard self.catalogue.blocked.contains(question, in: partition) else { return [] }
        return try await self.read { pool, _ in
            try pool.read { try BlockedRows.pairs(of: question, in: partition, in: $0) }
        }
    }

    package func assign(
        _ cluster: AnswerCluster, to entry: EntryID, in partition: Partition
    ) async throws(VectorStoreError) -> Bool {
        try await self.write { .decision(.assign(cluster, to: entry, in: partition, $0)) }
    }
}
