// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Keeps what is known of decisions: the labels from which a cache learns, what was learnt, and the answers that were
/// judged wrong for a question. One truth for all who share the store.
///
/// Knowledge and no answers: it stays when entries go, the whole cache too, and goes with its tenant. It is in no quota,
/// but bounded by ``Limits``.
package protocol DecisionRecords: Sendable {
    /// Appends records to a cache's log, durably when it returns. Only the last ``Limits/maximumDecisionRecords`` are kept.
    ///
    /// - Parameters:
    ///   - records: Opaque, each at most ``Limits/maximumDecisionRecordBytes``.
    ///   - deadline: As of ``VectorStore/put(_:embedding:in:quota:lease:by:)``.
    /// - Returns: The number of the last: they are numbered one by one from 1, and no number is used twice, not even
    ///   when the tenant has been removed in between.
    /// - Throws: ``VectorStoreError`` with `.overQuota`, and nothing appended, if one is too large.
    func append(
        _ records: [[UInt8]], to cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> UInt64

    /// Reads the records of a cache that come after a number. Those that are gone are passed over.
    func records(
        of cache: CacheScope, after number: UInt64
    ) async throws(VectorStoreError) -> DecisionRecordPage

    /// Reads what was learnt from a cache's records.
    func snapshot(
        of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> DecisionSnapshot?

    /// Keeps what was learnt, in place of what was learnt from fewer records.
    ///
    /// - Parameter deadline: As of ``VectorStore/put(_:embedding:in:quota:lease:by:)``.
    /// - Returns: Whether it did; not if there is another of as many records, or more.
    /// - Throws: ``VectorStoreError`` with `.overQuota` if it is larger than ``Limits/maximumDecisionSnapshotBytes``.
    func save(
        _ snapshot: DecisionSnapshot, of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> Bool

    /// Notes that an answer is wrong for a question, durably when it returns, and known to every replica: none answers a
    /// semantic hit of the partition out of memory that it has from before. Does nothing the second time, nor for a question
    /// that has ``Limits/maximumBlocksPerQuestion`` already: whoever reads as many must take it for one that nothing answers.
    ///
    /// - Parameter deadline: As of ``VectorStore/put(_:embedding:in:quota:lease:by:)``.
    /// - Throws: ``VectorStoreError`` with `.overQuota` if the cache has ``Limits/maximumBlockedQuestions`` others, or as many
    ///   as the store is configured for.
    func block(
        _ pair: BlockedPair, in partition: Partition, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError)

    /// What is wrong for a question, the latest last: at most ``Limits/maximumBlocksPerQuestion``.
    func blocks(of question: EntryID, in partition: Partition) async throws(VectorStoreError) -> [BlockedPair]

    /// Puts an entry into a cluster, until it is stored again.
    ///
    /// - Returns: Whether it is there.
    func assign(
        _ cluster: AnswerCluster, to entry: EntryID, in partition: Partition
    ) async throws(VectorStoreError) -> Bool
}

/// Records that follow each other, as many as one read brings.
package struct DecisionRecordPage: Sendable, Equatable {
    /// Number of the first of `records`; 0 without any.
    package let first: UInt64
    /// At most ``Limits/maximumDecisionRecordPage``.
    package let records: [[UInt8]]
    /// Number of the last in the log; 0 if there was never one.
    package let last: UInt64

    package init(first: UInt64, records: [[UInt8]], last: UInt64) {
        self.first = first
        self.records = records
        self.last = last
    }
}

/// What was learnt from a cache's records.
package struct DecisionSnapshot: Sendable, Equatable {
    /// Number of the last record that is in it.
    package let upTo: UInt64
    /// Opaque.
    package let bytes: [UInt8]

    package init(upTo: UInt64, bytes: [UInt8]) {
        self.upTo = upTo
        self.bytes = bytes
    }
}

/// An answer that is wrong for a question.
package struct BlockedPair: Sendable, Hashable {
    /// The entry that the question's own answer has or would have.
    package let question: EntryID
    /// Whose answer it was.
    package let entry: EntryID
    /// Of the answer, so that the same answer of another entry is known too.
    package let cluster: AnswerCluster

    package init(question: EntryID, entry: EntryID, cluster: AnswerCluster) {
        self.question = question
        self.entry = entry
        self.cluster = cluster
    }
}

extension BlockedPair {
    /// Of entry and cluster: how stores keep the blocks of a question, one behind the other, the latest last.
    package static let bytesEach = 32

    package var bytes: [UInt8] { self.entry.bytes + self.cluster.bytes }

    /// Reads the blocks of a question; `nil` if the bytes cannot be some.
    package static func pairs(of question: EntryID, _ bytes: [UInt8]) -> [Self]? {
        guard bytes.count.isMultiple(of: Self.bytesEach) else { return nil }
        return stride(from: 0, to: bytes.count, by: Self.bytesEach).map { start in
            let (entry, cluster) = (bytes[start..<start + 16], bytes[start + 16..<start + 32])
            return Self(
                question: question, entry: EntryID(bytes: entry) ?? EntryID(high: 0, low: 0),
                cluster: AnswerCluster(bytes: cluster) ?? AnswerCluster(high: 0, low: 0))
        }
    }
}

extension VectorStoreError {
    /// - Throws: `.overQuota` for a record that is too large.
    package static func check(_ records: [[UInt8]]) throws(VectorStoreError) {
        if let record = records.first(where: { $0.count > Limits.maximumDecisionRecordBytes }) {
            throw VectorStoreError(
                .overQuota, "a record has \(record.count) bytes, \(Limits.maximumDecisionRecordBytes) are allowed")
        }
    }

    /// - Throws: `.overQuota` for a snapshot that is too large.
    package static func check(_ snapshot: DecisionSnapshot) throws(VectorStoreError) {
        if snapshot.bytes.count > Limits.maximumDecisionSnapshotBytes {
            throw VectorStoreError(
                .overQuota,
                "the snapshot has \(snapshot.bytes.count) bytes, \(Limits.maximumDecisionSnapshotBytes) are allowed")
        }
    }

    /// - Parameter limit: The one that is in force.
    package static func tooManyBlockedQuestions(limit: Int) -> Self {
        Self(.overQuota, "the cache has \(limit) questions with blocked answers, which is the limit")
    }
}
