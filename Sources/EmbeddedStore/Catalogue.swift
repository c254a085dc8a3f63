// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Synchronization

/// What the store has in memory: per partition the index of its vectors, per tenant its caches and their sizes.
///
/// Only the writer changes it, and only to what has been committed.
final class Catalogue: Sendable {
    private let partitions = Mutex<[Digest: PartitionMemory]>([:])
    private let tenants = Mutex<[Digest: TenantMemory]>([:])
    private let bytes = Atomic<Int>(0)
    let blocked: BlockedQuestions

    /// Held by the writer from a commit until memory has followed. Who holds it for reading sees memory and file agree.
    ///
    /// Readers do without, and come back for it if they meet a row that is not as the index has it.
    let gate = ReadWriteLock()

    init(blocked: BlockedQuestions) { self.blocked = blocked }

    /// Memory of all indexes as of the last change, bytes.
    var indexBytes: Int { self.bytes.load(ordering: .relaxed) }

    func partition(_ key: Digest) -> PartitionMemory? { self.partitions.withLock { $0[key] } }

    func tenant(_ scope: TenantScope) -> TenantMemory? { self.tenants.withLock { $0[scope.tenant.key] } }

    // MARK: For the writer

    /// The tenant's memory, made if it has none. It holds nothing until a cache is added.
    func makeTenant(_ tenant: TenantID) -> TenantMemory {
        self.tenants.withLock { tenants in
            if let known = tenants[tenant.key] { return known }
            let new = TenantMemory(tenant)
            tenants[tenant.key] = new
            return new
        }
    }

    func add(_ partition: PartitionMemory) {
        partition.cache.tenant.add(partition.cache)
        partition.cache.tenant.add(partition)
        self.partitions.withLock { $0[partition.key] = partition }
    }

    func remove(_ partition: PartitionMemory) {
        self.partitions.withLock { _ = $0.removeValue(forKey: partition.key) }
        partition.cache.tenant.remove(partition)
        self.count(bytes: -partition.countedBytes)
    }

    func remove(_ cache: CacheMemory) {
        let tenant = cache.tenant
        tenant.remove(cache)
        if tenant.caches.isEmpty { self.tenants.withLock { _ = $0.removeValue(forKey: tenant.key) } }
    }

    func count(bytes change: Int) { self.bytes.wrappingAdd(change, ordering: .relaxed) }
}
