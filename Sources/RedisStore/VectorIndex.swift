// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient

/// A search of an index.
struct IndexSearch: Sendable {
    /// How much trouble to take.
    enum Effort: Sendable {
        /// What nearly every lookup needs.
        case quick
        /// Several times as much.
        case thorough
        /// Every entry of the partition is looked at: nothing is missed.
        case exhaustive
    }

    let embedding: Embedding
    /// At least 1.
    let count: Int
    let effort: Effort
    /// What an entry has to pass, as far as the index can tell; all if `nil`.
    let condition: Condition?

    struct Condition: Sendable {
        let sieve: Sieve
        /// Entries that have expired by then are passed over, if it is given.
        let liveAt: Timestamp?
        let createdAtOrAfter: Timestamp?
    }
}

/// What an index found.
struct IndexHit: Sendable {
    let id: EntryID
    /// Cosine, −1…1.
    let similarity: Float
}

/// The kind of index that finds entries by their vectors.
///
/// Entries themselves lie in hashes of the store's own. An index is changed by the store's scripts, with the entry: a kind
/// brings Lua for that.
protocol VectorIndex: Sendable {
    /// Defines `index_put(owner, partition, id, vector, extra, expires, created)`, which must change nothing if it returns
    /// an error; `index_remove(owner, partition, id, is_dropping)`, the last if `index_drop` is soon to follow; and
    /// `index_drop(partition)`, called when the last entry of a partition was removed. Owner: see ``PartitionDescriptor``; ids are 16 bytes. `prefix` and `tag`
    /// are there, see ``StoreScripts``.
    var lua: String { get }

    /// How it evaluates ranges of numbers: the sieves that it gets are made for that.
    var numbers: NumberForm { get }

    /// Whether a search in one shard finds the entries of all.
    var seesAllShards: Bool { get }

    /// The keys that the Lua changes for these entries; of their tenant's slot.
    func keys(of ids: [EntryID], in partition: PartitionKeys, identity: Digest) -> [RedisKey]

    /// What `index_put` gets as `extra`.
    func extra(of entry: CacheEntry, _ embedding: Embedding) -> [UInt8]

    /// Sees to it that vectors of a model can be put and found; cheap when it has been done.
    func prepare(_ identity: Digest, dimensions: Int) async throws(VectorStoreError)

    /// Finds the nearest entries of a partition, the nearest first. Some may have expired, or be gone.
    func search(
        _ search: IndexSearch, in partition: PartitionKeys, identity: Digest
    ) async throws(VectorStoreError) -> [IndexHit]

    /// Finds all entries of a partition that pass, in any order.
    func entries(
        passing sieve: Sieve, in partition: PartitionKeys, identity: Digest
    ) async throws(VectorStoreError) -> [EntryID]
}
