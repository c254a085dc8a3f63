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

    /// - Returns: Whether there was a live entry with the id.
    mutating func put(
        _ entry: CacheEntry, _ embedding: Embedding, in partition: Partition, _ database: Database, _ draft: inout Draft
    ) throws -> Bool {
        let home = try self.partition(for: partition, dimensions: embedding.dimensions, database, &draft)
        try home.check(embedding)
        let old = try EntryRows.stored(entry.id, partition: home.number, in: database)
        let row = self.nextRow
        self.nextRow += 1
        try EntryRows.replace(entry, embedding: embedding, row: row, partition: home.number, in: database)
        draft.note(
            .put(entry.id, row: row, expiresAt: entry.expiresAt, embedding.values), of: home,
            entries: old == nil ? 1 : 0, responseBytes: entry.response.count - (old?.responseBytes ?? 0))
        return old.map { $0.expiresAt > draft.now } ?? false
    }

    private mutating func partition(
        for partition: Partition, dimensions: Int, _ database: Database, _ draft: inout Draft
    ) throws -> PartitionMemory {
        if let known = self.partition(partition.key, draft) { return known }
        let cache = try self.cache(for: partition.cache, database, &draft)
        let new = PartitionMemory(
            number: self.nextPartition, key: partition.key, cache: cache, dimensions: dimensions)
        self.nextPartition += 1
        try database.cachedStatement(
            sql: "INSERT INTO partitions (partition, cache, key, dimensions) VALUES (?, ?, ?, ?)"
        ).execute(arguments: [new.number, cache.number, EntryRows.data(new.key), dimensions])
        draft.add(new)
        return new
    }

    private mutating func cache(
        for scope: CacheScope, _ database: Database, _ draft: inout Draft
    ) throws -> CacheMemory {
        if let known = draft.newCaches[scope.key] ?? self.caches[scope.key] { return known }
        let new = CacheMemory(
            number: self.nextCache, key: scope.key, tenant: scope.tenant.tenant.name, name: scope.name)
        self.nextCache += 1
        try database.cachedStatement(
            sql: "INSERT INTO caches (cache, key, tenant, name) VALUES (?, ?, CAST(? AS TEXT), CAST(? AS TEXT))"
        ).execute(arguments: [
            new.number, EntryRows.data(new.key), Data(new.tenant.utf8), Data(new.name.utf8),
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

    func partitions(of cache: CacheScope, _ draft: Draft) -> [PartitionMemory] {
        self.partitions.values.filter { $0.cache.key == cache.key }
            + draft.newPartitions.values.filter { $0.cache.key == cache.key }
    }

    // MARK: Memory

    /// Lets memory follow what was committed.
    mutating func follow(_ draft: Draft) {
        for (key, cache) in draft.newCaches { self.caches[key] = cache }
        for changes in draft.changes.values {
            changes.partition.apply(changes.changes)
            self.catalogue.count(bytes: changes.partition.growth())
            changes.partition.cache.count(entries: changes.entries, responseBytes: changes.responseBytes)
        }
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
