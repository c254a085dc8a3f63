// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB

/// Memory has not followed the transaction yet, and all that it offers to evict is gone in the file already.
struct MemoryLags: Error {}

extension WriterTables {
    /// Chooses what must go so that a tenant can have more.
    ///
    /// A tenant that has more than its quota, because the quota was lowered, comes down step by step: a put takes away
    /// what it needs itself, and beyond that only until ``Limits/maximumEvictionsPerPut`` are gone, as others wait.
    ///
    /// - Parameters:
    ///   - growth: What comes, less what it replaces.
    ///   - row: What it replaces.
    /// - Throws: ``MemoryLags`` if there is nothing left to choose from in memory.
    func victims(
        of tenant: TenantMemory, for growth: StoredSizes, quota: StoreQuota, sparing row: Int64?, at now: Timestamp,
        _ database: Database, _ draft: Draft
    ) throws -> [StoredRow] {
        let before = draft.sizes(of: tenant)
        var after = before + growth
        var victims: [StoredRow] = []
        var spared: Set<Int64> = row.map { [$0] } ?? []
        while after.entries > quota.entries ?? .max || after.quotaBytes > quota.bytes ?? .max {
            let hasWhatItNeeds = after.entries <= before.entries && after.quotaBytes <= before.quotaBytes
            if hasWhatItNeeds && victims.count >= Limits.maximumEvictionsPerPut { break }
            guard let victim = try Self.victim(of: tenant, sparing: spared, at: now, database) else {
                throw MemoryLags()
            }
            victims.append(victim)
            spared.insert(victim.row)
            after += -victim.sizes
        }
        return victims
    }

    /// Removes an entry from the file, and from memory later.
    func evict(_ victim: StoredRow, _ database: Database, _ draft: inout Draft) throws -> PutResult.Evicted {
        guard let home = self.partition(victim.partition, draft) else {
            throw RowFault(row: victim.row, reason: "it is of no partition")
        }
        try EntryRows.delete(row: victim.row, in: database)
        draft.noteRemoval(victim, of: home)
        return PutResult.Evicted(id: victim.id, cache: home.cache.key)
    }

    /// Chooses the least valuable entry of a tenant: exactly if it has few, else the least valuable of a sample.
    ///
    /// A sample does almost as well as an order of all entries, which every hit would have to change.
    ///
    /// - Returns: One that is in the file and not spared; `nil` if memory has none.
    private static func victim(
        of tenant: TenantMemory, sparing spared: Set<Int64>, at now: Timestamp, _ database: Database
    ) throws -> StoredRow? {
        let places = tenant.places
        guard places > 0 else { return nil }
        let looked =
            places <= Limits.evictionSampledAbove
            ? Array(0..<places)
            : (0..<Limits.evictionSample).map { _ in Int.random(in: 0..<places) }
        let occupants = looked.compactMap(tenant.occupant).sorted { $0.isLessValuable(than: $1, at: now) }
        for occupant in occupants where !spared.contains(occupant.row) {
            // What this transaction has removed or replaced is still in memory.
            if let stored = try EntryRows.stored(row: occupant.row, in: database) { return stored }
        }
        let start = Int.random(in: 0..<places)
        for step in 0..<places {
            guard let occupant = tenant.occupant((start + step) % places), !spared.contains(occupant.row) else {
                continue
            }
            if let stored = try EntryRows.stored(row: occupant.row, in: database) { return stored }
        }
        return nil
    }
}

extension PartitionIndex.Occupant {
    /// Expired ones first, then those that were not used for the longest time, then those stored first.
    func isLessValuable(than other: Self, at now: Timestamp) -> Bool {
        let (isExpired, isOtherExpired) = (self.expiresAt <= now, other.expiresAt <= now)
        if isExpired != isOtherExpired { return isExpired }
        return (self.lastUse, self.row) < (other.lastUse, other.row)
    }
}
