// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB

extension WriterTables {
    // MARK: Removing

    func remove(
        _ selector: RemovalSelector, _ removal: inout Removal, _ database: Database, _ draft: inout Draft
    ) throws {
        switch selector {
        case .ids(let ids, let cache):
            for id in Set(ids) {
                for stored in try EntryRows.stored(id, in: database) {
                    guard let home = self.partition(stored.partition, draft), home.cache.key == cache.key else {
                        continue
                    }
                    try self.remove(stored, of: home, &removal, database, &draft)
                }
            }
        case .entry(let id, let partition):
            guard let home = self.partition(partition.key, draft),
                let stored = try EntryRows.stored(id, partition: home.number, in: database)
            else { return }
            try self.remove(stored, of: home, &removal, database, &draft)
        case .radius(let embedding, let similarity, let partition):
            guard let home = self.partition(partition.key, draft) else { return }
            try home.check(embedding)
            let rows = try home.rows(within: similarity, of: embedding, database)
            try self.remove(rows, of: home, &removal, database, &draft)
        case .filter(let filter, let cache):
            for home in self.partitions(of: cache.tenant) where home.cache.key == cache.key {
                try self.remove(home.rows(takenBy: filter), of: home, &removal, database, &draft)
            }
        case .cache(let cache):
            for home in self.partitions(of: cache.tenant) where home.cache.key == cache.key {
                try self.removeAll(of: home, &removal, database, &draft)
            }
        case .tenant(let tenant):
            for home in self.partitions(of: tenant) { try self.removeAll(of: home, &removal, database, &draft) }
        }
    }

    /// Those that memory has; it must have followed all changes before.
    private func partitions(of tenant: TenantScope) -> [PartitionMemory] {
        self.catalogue.tenant(tenant)?.allPartitions ?? []
    }

    private func remove(
        _ rows: [Int64], of home: PartitionMemory, _ removal: inout Removal, _ database: Database, _ draft: inout Draft
    ) throws {
        for row in rows {
            guard let stored = try EntryRows.stored(row: row, in: database) else { continue }
            try self.remove(stored, of: home, &removal, database, &draft)
        }
    }

    private func remove(
        _ stored: StoredRow, of partition: PartitionMemory, _ removal: inout Removal, _ database: Database,
        _ draft: inout Draft
    ) throws {
        removal.count(stored)
        if removal.isDryRun { return }
        try EntryRows.delete(row: stored.row, in: database)
        draft.noteRemoval(stored, of: partition)
    }

    private func removeAll(
        of partition: PartitionMemory, _ removal: inout Removal, _ database: Database, _ draft: inout Draft
    ) throws {
        let (all, live) = try EntryRows.sizes(of: partition.number, at: removal.now, in: database)
        if all.entries == 0 { return }
        let sample =
            try !removal.isSampling
            ? []
            : EntryRows.sample(
                of: partition.number, at: removal.now, limit: Limits.maximumSampleIDs, in: database)
        removal.count(live, sample: sample)
        if removal.isDryRun { return }
        try EntryRows.deleteAll(of: partition.number, in: database)
        draft.note(.removeAll, of: partition, -all)
    }

    // MARK: Sweeping

    /// Removes some of what has expired, or, when nothing has, the partitions and caches that have become empty.
    ///
    /// Memory must have followed all changes before.
    ///
    /// - Returns: How many entries it removed, and whether there are no more.
    func sweepStep(at now: Timestamp, _ database: Database, _ draft: inout Draft) throws -> (count: Int, isDone: Bool) {
        let expired = try EntryRows.expired(at: now, limit: Self.sweepStep, in: database)
        for stored in expired {
            try EntryRows.delete(row: stored.row, in: database)
            if let home = self.partitions[stored.partition] { draft.noteRemoval(stored, of: home) }
        }
        if !expired.isEmpty { return (expired.count, false) }
        let empty = self.partitions.values.lazy.filter { $0.count == 0 }.prefix(Self.sweepStep)
        for partition in empty {
            try database.cachedStatement(sql: "DELETE FROM partitions WHERE partition = ?")
                .execute(arguments: [partition.number])
            draft.emptyPartitions.append(partition)
        }
        if !draft.emptyPartitions.isEmpty { return (0, false) }
        let used = Set(self.partitions.values.lazy.map(\.cache.number))
        for cache in self.caches.values where !used.contains(cache.number) {
            try database.cachedStatement(sql: "DELETE FROM caches WHERE cache = ?").execute(arguments: [cache.number])
            draft.emptyCaches.append(cache)
        }
        return (0, true)
    }

    /// Rows of one step: few enough that the changes that wait behind it hardly notice.
    private static let sweepStep = 256
}
