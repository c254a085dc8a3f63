// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel

/// What memory must do once a transaction is committed.
struct Draft {
    /// What one partition must do.
    struct PartitionChanges {
        let partition: PartitionMemory
        var changes: [IndexChange] = []
        var entries = 0
        var responseBytes = 0
    }

    let now: Timestamp
    private(set) var changes: [Int64: PartitionChanges] = [:]
    var newCaches: [Digest: CacheMemory] = [:]
    private(set) var newPartitions: [Digest: PartitionMemory] = [:]
    private(set) var newPartitionsByNumber: [Int64: PartitionMemory] = [:]
    var emptyPartitions: [PartitionMemory] = []
    var emptyCaches: [CacheMemory] = []

    init(now: Timestamp) { self.now = now }

    mutating func add(_ partition: PartitionMemory) {
        self.newPartitions[partition.key] = partition
        self.newPartitionsByNumber[partition.number] = partition
    }

    /// - Parameters:
    ///   - entries: How many more the partition has.
    ///   - responseBytes: How many more they are.
    mutating func note(_ change: IndexChange, of partition: PartitionMemory, entries: Int, responseBytes: Int) {
        self.changes[partition.number, default: PartitionChanges(partition: partition)].changes.append(change)
        self.changes[partition.number]?.entries += entries
        self.changes[partition.number]?.responseBytes += responseBytes
    }

    mutating func noteRemoval(_ stored: StoredRow, of partition: PartitionMemory) {
        self.note(.remove(stored.id), of: partition, entries: -1, responseBytes: -stored.responseBytes)
    }
}

/// A change of a partition's index.
enum IndexChange {
    /// In place of the entry with its id.
    case put(EntryID, row: Int64, expiresAt: Timestamp, [Float])
    case remove(EntryID)
    case removeAll
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
