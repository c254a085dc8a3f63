// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import FoundationEssentials
import GRDB

/// The numbers of the file's rows, and the changes of the file that are made with them.
///
/// Belongs to the writer. Changes of memory are noted in a ``Draft`` and made by ``follow(_:)``.
struct WriterTables {
    let catalogue: Catalogue
    private(set) var partitions: [Int64: PartitionMemory] = [:]
    private(set) var caches: [Digest: CacheMemory] = [:]
    // Numbers are not used twice while the store is open: a row number names one version of an entry, by which a reader
    // knows that the entry it found is the one that the index meant.
    private var nextRow: Int64
    private var nextPartition: Int64
    private var nextCache: Int64

    init(catalogue: Catalogue, partitions: [PartitionMemory], caches: [CacheMemory], lastRow: Int64) {
        self.catalogue = catalogue
        for partition in partitions { self.partitions[partition.number] = partition }
        for cache in caches { self.caches[cache.key] = cache }
        self.nextRow = lastRow + 1
        self.nextPartition = (partitions.map(\.number).max() ?? 0) + 1
        self.nextCache = (caches.map(\.number).max() ?? 0) + 1
    }

    // MARK: Storing

    /// - Throws: ``MemoryLags``, with nothing of the entry done, if there is no room for it before memory has followed.
    mutating func put(
        _ entry: CacheEntry, _ embedding: Embedding, in partition: Partition, quota: StoreQuota, _ database: Database,
        _ draft: inout Draft
    ) throws -> PutResult {
        let quotaBytes = entry.quotaBytes(dimensions: embedding.dimensions)
        if let limit = quota.bytes, quotaBytes > limit {
            throw VectorStoreError(.overQuota, "the entry takes \(quotaBytes) bytes, its tenant may have \(limit)")
        }
        let home = try self.partition(for: partition, dimensions: embedding.dimensions, database, &draft)
        try home.check(embedding)
        let old = try EntryRows.stored(entry.id, partition: home.number, in: database)
        let growth =
            StoredSizes(entries: 1, responseBytes: entry.response.count, quotaBytes: quotaBytes)
            - (old?.sizes ?? .none)
        let victims = try self.victims(
            of: home.cache.tenant, for: growth, quota: quota, sparing: old?.row, at: entry.createdAt, database, draft)
        let evicted = try victims.map { try self.evict($0, database, &draft) }
        let row = self.nextRow
        self.nextRow += 1
        // First, since it may fail alone, and then nothing of the old entry may be gone.
        try EntryRows.replace(
            entry, embedding: embedding, quotaBytes: quotaBytes, row: row, partition: home.number, in: database)
        try ClusterRows.write(entry.cluster, row: row, in: database)
        if let old { try ClusterRows.delete(row: old.row, in: database) }
        let indexed = IndexedEntry(
            id: entry.id, row: row, expiresAt: entry.expiresAt, usedAt: entry.createdAt, createdAt: entry.createdAt,
            cluster: entry.cluster,
            attributes: AttributesText.canonical(entry.attributes), vector: embedding.values)
        draft.note(.put(indexed), of: home, growth)
        draft.countPut(of: partition.cache.tenant)
        return PutResult(isReplacement: old.map { $0.expiresAt > entry.createdAt } ?? false, evicted: evicted)
    }

    /// - Returns: Whether the entry is there.
    func assign(
        _ cluster: AnswerCluster, to id: EntryID, in partition: Partition, _ database: Database, _ draft: inout Draft
    ) throws -> Bool {
        guard let home = self.partition(partition.key, draft),
            let stored = try EntryRows.stored(id, partition: home.number, in: database)
        else { return false }
        try ClusterRows.write(cluster, row: stored.row, in: database)
        draft.note(.assign(cluster, id), of: home, .none)
        return true
    }

    private mutating func partition(
        for partition: Partition, dimensions: Int, _ database: Database, _ draft: inout Draft
    ) throws -> PartitionMemory {
        if let known = self.partition(partition.key, draft) {
            try Self.describe(known, as: partition, database)
            return known
        }
        let cache = try self.cache(for: partition.cache, database, &draft)
        let origin = PartitionOrigin(scheme: Int64(Fingerprint.schemeVersion), identity: partition.identity)
        let new = PartitionMemory(
            number: self.nextPartition, key: partition.key, cache: cache, origin: origin, dimensions: dimensions)
        self.nextPartition += 1
        try database.cachedStatement(
            sql: """
                INSERT INTO partitions (partition, cache, key, dimensions, scheme, identity, vary, context)
                VALUES (?, ?, ?, ?, ?, ?, CAST(? AS TEXT), ?)
                """
        ).execute(arguments: [
            new.number, cache.number, EntryRows.data(new.key), dimensions, origin.scheme,
            EntryRows.data(partition.identity), Data(AttributesText.encode(partition.vary.map(\.attribute))),
            partition.context.map { EntryRows.data($0) },
        ])
        draft.add(new)
        return new
    }

    /// Notes what a partition of an older file is made of, now that a request says it: its key is the proof.
    private static func describe(_ known: PartitionMemory, as partition: Partition, _ database: Database) throws {
        if known.isDescribed { return }
        try database.cachedStatement(
            sql: "UPDATE partitions SET vary = CAST(? AS TEXT), context = ? WHERE partition = ?"
        ).execute(arguments: [
            Data(AttributesText.encode(partition.vary.map(\.attribute))), partition.context.map { EntryRows.data($0) },
            known.number,
        ])
        // If the transaction fails, it stays unknown until the next start, as it was before.
        known.isDescribed = true
    }

    private mutating func cache(
        for scope: CacheScope, _ database: Database, _ draft: inout Draft
    ) throws -> CacheMemory {
        if let known = draft.newCaches[scope.key] ?? self.caches[scope.key] { return known }
        let new = CacheMemory(
            number: self.nextCache, key: scope.key, tenant: self.catalogue.makeTenant(scope.tenant.tenant),
            name: scope.name)
        self.nextCache += 1
        try database.cachedStatement(
            sql: "INSERT INTO caches (cache, key, tenant, name) VALUES (?, ?, CAST(? AS TEXT), CAST(? AS TEXT))"
        ).execute(arguments: [
            new.number, EntryRows.data(new.key), Data(new.tenant.name.utf8), Data(new.name.utf8),
        ])
        draft.newCaches[new.key] = new
        return new
    }

    // MARK: Finding partitions

    func partition(_ key: Digest, _ draft: Draft) -> PartitionMemory? {
        draft.newPartitions[key] ?? self.catalogue.partition(key)
    }

    func partition(_ number: Int64, _ draft: Draft) -> PartitionMemory? {
        draft.newPartitionsByNumber[number] ?? self.partitions[number]
    }

    // MARK: Memory

    /// Lets memory follow what was committed.
    mutating func follow(_ draft: Draft) {
        for (key, cache) in draft.newCaches { self.caches[key] = cache }
        for changes in draft.changes.values {
            changes.partition.apply(changes.changes)
            self.catalogue.count(bytes: changes.partition.growth())
            let cache = changes.partition.cache
            cache.count(changes.sizes, of: changes.partition.origin)
            cache.tenant.count(changes.sizes)
            cache.tenant.weigh(changes.partition)
        }
        self.catalogue.blocked.follow(draft)
        // After the changes, so that a new partition is not seen before its entries.
        for (number, partition) in draft.newPartitionsByNumber {
            self.partitions[number] = partition
            self.catalogue.add(partition)
        }
        for partition in draft.emptyPartitions {
            self.partitions[partition.number] = nil
            self.catalogue.remove(partition)
        }
        for cache in draft.emptyCaches {
            self.caches[cache.key] = nil
            self.catalogue.remove(cache)
        }
    }

    /// Does what the changed partitions' indexes want done now and then; nobody waits for it.
    func tend(_ draft: Draft) {
        for changes in draft.changes.values where changes.partition.refreshBasis() {
            self.catalogue.count(bytes: changes.partition.growth())
        }
    }
}
