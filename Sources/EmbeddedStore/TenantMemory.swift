// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Synchronization

/// How much there is of something in the file.
struct StoredSizes: Sendable {
    static let none = Self(entries: 0, responseBytes: 0, quotaBytes: 0)

    var entries: Int
    /// Bytes of their responses.
    var responseBytes: Int
    /// What they take of their tenant's byte quota.
    var quotaBytes: Int

    static func += (left: inout Self, right: Self) {
        left.entries += right.entries
        left.responseBytes += right.responseBytes
        left.quotaBytes += right.quotaBytes
    }

    static prefix func - (sizes: Self) -> Self { .none - sizes }

    static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum += right
        return sum
    }

    static func - (left: Self, right: Self) -> Self {
        Self(
            entries: left.entries - right.entries, responseBytes: left.responseBytes - right.responseBytes,
            quotaBytes: left.quotaBytes - right.quotaBytes)
    }
}

/// What made a partition's key. Entries of an origin that requests do not have any more are found by none.
struct PartitionOrigin: Hashable, Sendable {
    /// Version of the key scheme.
    let scheme: Int64
    /// Of the embedding model; `nil` if it was not kept.
    let identity: Digest?

    /// - Parameter identities: Of the models in use.
    func isCurrent(identities: Set<Digest>) -> Bool {
        self.scheme == Int64(Fingerprint.schemeVersion) && self.identity.map { identities.contains($0) } ?? true
    }
}

/// One cache.
final class CacheMemory: Sendable {
    /// In the file's tables.
    let number: Int64
    let key: Digest
    let tenant: TenantMemory
    let name: String
    /// Of all entries that are in the file, expired ones too.
    private let sizes = Mutex<[PartitionOrigin: StoredSizes]>([:])

    init(number: Int64, key: Digest, tenant: TenantMemory, name: String) {
        self.number = number
        self.key = key
        self.tenant = tenant
        self.name = name
    }

    var sizesByOrigin: [PartitionOrigin: StoredSizes] { self.sizes.withLock { $0 } }

    func count(_ change: StoredSizes, of origin: PartitionOrigin) {
        self.sizes.withLock { $0[origin, default: .none] += change }
    }
}

/// One tenant: its caches, of any key scheme, and all that the writer knows of it for its quota.
final class TenantMemory: @unchecked Sendable {
    // `@unchecked`: `sizes` and `partitions` belong to the writer's thread alone once the store is open.

    /// Of its name by the scheme of today, so that it is one for the name's bytes.
    let key: Digest
    let name: String
    private let cachesByKey = Mutex<[Digest: CacheMemory]>([:])
    /// Of all entries that are in the file, expired ones too.
    private(set) var sizes = StoredSizes.none
    /// By the number of their entries.
    private var partitions = WeightedList<PartitionMemory>()

    init(_ tenant: TenantID) {
        self.key = tenant.key
        self.name = tenant.name
    }

    var caches: [CacheMemory] { self.cachesByKey.withLock { Array($0.values) } }

    func cache(_ key: Digest) -> CacheMemory? { self.cachesByKey.withLock { $0[key] } }

    // MARK: For the writer

    func add(_ cache: CacheMemory) { self.cachesByKey.withLock { $0[cache.key] = cache } }

    func remove(_ cache: CacheMemory) { self.cachesByKey.withLock { _ = $0.removeValue(forKey: cache.key) } }

    func add(_ partition: PartitionMemory) {
        partition.handle = self.partitions.add(partition)
        self.weigh(partition)
    }

    func remove(_ partition: PartitionMemory) {
        if let handle = partition.handle.take() { self.partitions.remove(handle) }
    }

    /// Follows a change of how many entries the partition has.
    func weigh(_ partition: PartitionMemory) {
        if let handle = partition.handle { self.partitions.weigh(handle, partition.count) }
    }

    func count(_ change: StoredSizes) { self.sizes += change }

    var allPartitions: [PartitionMemory] { Array(self.partitions.elements) }

    /// Entries in memory.
    var places: Int { self.partitions.total }

    /// - Parameter place: 0 to ``places`` − 1.
    func occupant(_ place: Int) -> PartitionIndex.Occupant? {
        self.partitions.find(place).map { $0.element.occupant($0.offset) }
    }
}
