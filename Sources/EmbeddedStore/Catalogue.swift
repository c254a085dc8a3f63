// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Synchronization

/// What the store has in memory: per partition the index of its vectors, per cache its sizes.
///
/// Only the writer changes it, and only to what has been committed.
final class Catalogue: Sendable {
    private let partitions = Mutex<[Digest: PartitionMemory]>([:])
    private let caches = Mutex<[Digest: CacheMemory]>([:])
    private let bytes = Atomic<Int>(0)

    /// Held by the writer from a commit until memory has followed. Who holds it for reading sees memory and file agree.
    ///
    /// Readers do without, and come back for it if they meet a row that is not as the index has it.
    let gate = ReadWriteLock()

    /// Memory of all indexes as of the last change, bytes.
    var indexBytes: Int { self.bytes.load(ordering: .relaxed) }

    func partition(_ key: Digest) -> PartitionMemory? { self.partitions.withLock { $0[key] } }

    /// The caches of a tenant: those whose digest is that of its name and theirs.
    func caches(of tenant: TenantScope) -> [CacheMemory] {
        let all = self.caches.withLock { Array($0.values) }
        // By bytes first: equality of strings takes different spellings of one character for the same.
        return all.filter {
            $0.tenant.utf8.elementsEqual(tenant.tenant.name.utf8) && $0.key == CacheScope($0.name, of: tenant).key
        }
    }

    // MARK: For the writer

    func add(_ partition: PartitionMemory) {
        self.partitions.withLock { $0[partition.key] = partition }
        self.caches.withLock { $0[partition.cache.key] = partition.cache }
    }

    func remove(_ partition: PartitionMemory) {
        self.partitions.withLock { _ = $0.removeValue(forKey: partition.key) }
        self.count(bytes: -partition.countedBytes)
    }

    func remove(_ cache: CacheMemory) {
        self.caches.withLock { _ = $0.removeValue(forKey: cache.key) }
    }

    func count(bytes change: Int) { self.bytes.wrappingAdd(change, ordering: .relaxed) }
}

/// One cache.
final class CacheMemory: Sendable {
    struct Sizes {
        var entries = 0
        var responseBytes = 0
    }

    /// In the file's tables.
    let number: Int64
    let key: Digest
    let tenant: String
    let name: String
    /// Of all entries that are in the file, expired ones too.
    let sizes = Mutex(Sizes())

    init(number: Int64, key: Digest, tenant: String, name: String) {
        self.number = number
        self.key = key
        self.tenant = tenant
        self.name = name
    }

    func count(entries: Int, responseBytes: Int) {
        self.sizes.withLock {
            $0.entries += entries
            $0.responseBytes += responseBytes
        }
    }
}
