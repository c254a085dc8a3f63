// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel

/// What memory must do once a transaction is committed.
struct Draft {
    /// What one partition must do.
    struct PartitionChanges {
        let partition: PartitionMemory
        var changes: [IndexChange] = []
        var sizes = StoredSizes.none
    }

    private(set) var changes: [Int64: PartitionChanges] = [:]
    private var sizes: [Digest: StoredSizes] = [:]
    var newCaches: [Digest: CacheMemory] = [:]
    private(set) var newPartitions: [Digest: PartitionMemory] = [:]
    private(set) var newPartitionsByNumber: [Int64: PartitionMemory] = [:]
    var emptyPartitions: [PartitionMemory] = []
    var emptyCaches: [CacheMemory] = []
    /// How much further the versions of tenants and caches are, by their keys.
    private(set) var versions: [Digest: VersionRows.Growth] = [:]
    /// Questions for which an answer is blocked now, and was not.
    private(set) var newBlocks: [CacheScope: Set<BlockedQuestions.Question>] = [:]
    var tenantsToForget: [TenantScope] = []

    mutating func add(_ partition: PartitionMemory) {
        self.newPartitions[partition.key] = partition
        self.newPartitionsByNumber[partition.number] = partition
    }

    /// - Parameter sizes: How much more the partition has in the file.
    mutating func note(_ change: IndexChange, of partition: PartitionMemory, _ sizes: StoredSizes) {
        self.changes[partition.number, default: PartitionChanges(partition: partition)].changes.append(change)
        self.changes[partition.number]?.sizes += sizes
        self.sizes[partition.cache.tenant.key, default: .none] += sizes
    }

    mutating func noteRemoval(_ stored: StoredRow, of partition: PartitionMemory) {
        self.note(.remove(stored.id), of: partition, -stored.sizes)
    }

    mutating func note(_ block: BlockedQuestions.Question, of cache: CacheScope) {
        self.newBlocks[cache, default: []].insert(block)
    }

    mutating func countPut(of tenant: TenantScope) { self.versions[tenant.tenant.key, default: .init()].sequence += 1 }

    mutating func countRemoval(from scope: RemovalSelector.Scope) {
        switch scope {
        case .cache(let cache):
            self.versions[cache.key, default: .init()].epoch += 1
            self.versions[cache.tenant.tenant.key, default: .init()].sequence += 1
        case .tenant(let tenant):
            self.versions[tenant.tenant.key, default: .init()].epoch += 1
            self.versions[tenant.tenant.key, default: .init()].sequence += 1
        }
    }

    /// What a tenant has in the file, before the commit.
    func sizes(of tenant: TenantMemory) -> StoredSizes { tenant.sizes + (self.sizes[tenant.key] ?? .none) }
}

/// A change of a partition's index.
enum IndexChange {
    /// In place of the entry with its id.
    case put(IndexedEntry)
    case assign(AnswerCluster, EntryID)
    case remove(EntryID)
    case removeAll
}

/// What an index keeps of an entry.
struct IndexedEntry {
    let id: EntryID
    let row: Int64
    let expiresAt: Timestamp
    let usedAt: Timestamp
    let createdAt: Timestamp
    let cluster: AnswerCluster
    /// By ``AttributesText/canonical(_:)``.
    let attributes: [UInt8]
    let vector: [Float]
}

/// A removal under way: what is counted and sampled are live entries, though expired ones go too.
struct Removal {
    let isDryRun: Bool
    let now: Timestamp
    private(set) var count = 0
    private(set) var sample: [EntryID] = []

    init(isDryRun: Bool, now: Timestamp) {
        self.isDryRun = isDryRun
        self.now = now
    }

    mutating func count(_ stored: StoredRow) {
        guard stored.expiresAt > self.now else { return }
        self.count += 1
        if self.isSampling { self.sample.append(stored.id) }
    }

    mutating func count(_ live: Int, sample: [StoredRow]) {
        self.count += live
        for stored in sample where self.isSampling { self.sample.append(stored.id) }
    }

    var isSampling: Bool { self.sample.count < Limits.maximumSampleIDs }
}
