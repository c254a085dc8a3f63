// SPDX-License-Identifier: Apache-2.0

import CKernels
import CacheEngine
import CacheModel
import GRDB

/// One partition: the index of its vectors, and the lock that keeps readers and the writer apart.
///
/// The lock is waited for on the store's own threads only. The writer is the only one that changes the index, so it
/// reads without the lock.
final class PartitionMemory: @unchecked Sendable {
    // `@unchecked`: the writer's thread alone changes `index`, under `lock`; others read it under `lock`. What else
    // changes is the writer's thread's alone.

    /// In the file's tables.
    let number: Int64
    let key: Digest
    let cache: CacheMemory
    let origin: PartitionOrigin
    let dimensions: Int
    /// In its tenant's list of partitions; the writer's.
    var handle: Int?
    /// Whether the file says what its vary parts and context are; the writer's.
    var isDescribed: Bool
    private let lock = ReadWriteLock()
    private let index: PartitionIndex
    private(set) var countedBytes = 0

    init(
        number: Int64, key: Digest, cache: CacheMemory, origin: PartitionOrigin, dimensions: Int,
        isDescribed: Bool = true
    ) {
        self.number = number
        self.key = key
        self.cache = cache
        self.origin = origin
        self.dimensions = dimensions
        self.isDescribed = isDescribed
        self.index = PartitionIndex(dimensions: dimensions)
    }

    /// - Throws: ``VectorStoreError`` with `.corrupt` for a vector that cannot be compared with the partition's.
    func check(_ embedding: Embedding) throws(VectorStoreError) {
        guard embedding.dimensions == self.dimensions else {
            throw VectorStoreError(
                .corrupt, "the vector has \(embedding.dimensions) dimensions, its partition's have \(self.dimensions)")
        }
        try Similarity.checkUnitLength(embedding)
    }

    // MARK: Before the store is open

    func load(_ entry: IndexedEntry) { self.put(entry) }

    func finishLoading() { self.index.refreshBasis() }

    // MARK: For readers

    /// Whether the entry may be there. Never waits, so any thread may ask.
    func mayContain(_ id: EntryID) -> Bool {
        // While the writer has the lock, the answer is in the file.
        self.lock.readingIfFree { self.index.contains(id) } ?? true
    }

    /// Notes that an entry was used. Never waits, so any thread may: while the writer has the lock, nothing is noted.
    func touch(_ id: EntryID, at now: Timestamp) {
        self.lock.readingIfFree { self.index.noteUse(id, at: now) }
    }

    /// Scans for entries that may be what a query asks for. All that it would tell in passing is looked for: another scan
    /// is never needed.
    func scan(_ query: NearestQuery, at now: Timestamp) -> PartitionIndex.Candidates {
        self.lock.reading {
            self.index.candidates(
                for: query.embedding.values, threshold: query.candidateThreshold, count: query.candidates, now: now,
                filter: query.filter, createdAtOrAfter: query.createdAtOrAfter, neighbours: query.neighbours)
        }
    }

    /// Looks at the next live entries in the order of their ids.
    func stretch(
        after id: EntryID?, atMost limit: Int, at now: Timestamp, filter: MetadataFilter?
    ) -> PartitionIndex.Stretch {
        self.lock.reading { self.index.stretch(after: id, atMost: limit, at: now, filter: filter) }
    }

    // MARK: For the writer

    /// Entries, expired ones too.
    var count: Int { self.index.count }

    /// How much larger the index is than when this was last asked, bytes.
    func growth() -> Int {
        let bytes = self.index.bytes
        defer { self.countedBytes = bytes }
        return bytes - self.countedBytes
    }

    /// Learns by which directions to scan first, if the partition has grown to where it is worth it.
    ///
    /// - Returns: Whether it did.
    func refreshBasis() -> Bool {
        guard self.index.wantsBasis else { return false }
        // Learning only reads, so scans go on; taking over what was learnt keeps them out.
        let basis = self.index.learnBasis()
        self.lock.writing { self.index.adopt(basis) }
        return true
    }

    /// Finds all entries of at least a similarity, expired ones too.
    func rows(within similarity: Float, of embedding: Embedding, _ database: Database) throws -> [Int64] {
        let candidates = self.index.candidates(
            for: embedding.values, threshold: similarity, count: .max, now: Timestamp(milliseconds: .min))
        var vector = [Float](repeating: 0, count: self.dimensions)
        return try candidates.hits.lazy.map(\.row).filter { row in
            guard try EntryRows.vector(of: row, into: &vector, in: database) != nil else { return false }
            return Similarity.of(embedding.values, vector) >= similarity
        }
    }

    /// Finds all entries that a filter takes, expired ones too.
    func rows(takenBy filter: MetadataFilter) -> [Int64] { self.index.rows(takenBy: filter) }

    /// - Parameter place: 0 to ``count`` − 1.
    func occupant(_ place: Int) -> PartitionIndex.Occupant { self.index.occupant(place) }

    /// Waits until no scan is under way.
    func apply(_ changes: [IndexChange]) {
        self.lock.writing {
            for change in changes { self.apply(change) }
        }
    }

    private func apply(_ change: IndexChange) {
        switch change {
        case .put(let entry): self.put(entry)
        case .assign(let cluster, let id): self.index.assign(cluster, to: id)
        case .remove(let id): self.index.remove(id)
        case .removeAll: self.index.removeAll()
        }
    }

    private func put(_ entry: IndexedEntry) {
        self.index.put(
            entry.id, row: entry.row, expiresAt: entry.expiresAt, usedAt: entry.usedAt, createdAt: entry.createdAt,
            cluster: entry.cluster, attributes: entry.attributes, vector: entry.vector)
    }
}

/// The similarity that decides: of the fp32 vectors, as they are stored.
enum Similarity {
    private static let instructions = ck_isa_best()

    /// - Returns: −1…1: rounding may carry a dot product of unit vectors beyond.
    static func of(_ left: [Float], _ right: [Float]) -> Float {
        precondition(left.count == right.count)
        return min(1, max(-1, ck_dot_f32(Self.instructions, left, right, left.count)))
    }

    /// Whether a vector is finite and of unit length, within what the index can take.
    static func isUnitLength(_ vector: [Float]) -> Bool {
        // False for what is not a number.
        abs(ck_dot_f32(Self.instructions, vector, vector, vector.count) - 1) <= 0.02
    }

    static func checkUnitLength(_ embedding: Embedding) throws(VectorStoreError) {
        guard Self.isUnitLength(embedding.values) else {
            throw VectorStoreError(.corrupt, "the vector is not of unit length")
        }
    }
}
