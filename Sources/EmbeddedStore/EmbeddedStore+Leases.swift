// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Synchronization

/// Leases live as long as the process: after another start a put under one of before is refused.
extension EmbeddedStore {
    package var isShared: Bool { false }

    package func acquireLease(
        on id: EntryID, in partition: Partition, for time: Duration, seen: Timestamp?, at now: Timestamp
    ) async throws(VectorStoreError) -> LeaseGrant {
        let grant = try self.writer.leases.withLock { leases throws(VectorStoreError) in
            try leases.acquire(id, in: partition, for: time, at: .now)
        }
        guard case .granted(let token, _) = grant else { return grant }
        // A put ends the lease only when its entry can be read. So one that came before the lease was free is seen here,
        // and one that comes from now on ends it.
        let entry: CacheEntry?
        do throws(VectorStoreError) {
            entry = try await self.entry(id, in: partition, at: now)
        } catch {
            _ = self.release(token, in: partition.cache)
            throw error
        }
        guard let entry, entry.createdAt != seen else { return grant }
        _ = self.release(token, in: partition.cache)
        return .changed
    }

    package func extendLease(
        _ token: LeaseToken, in cache: CacheScope, for time: Duration
    ) async throws(VectorStoreError) -> Duration {
        try self.writer.leases.withLock { leases throws(VectorStoreError) in
            try leases.extend(token, in: cache, for: time, at: .now)
        }
    }

    package func releaseLease(_ token: LeaseToken, in cache: CacheScope) async throws(VectorStoreError) -> Bool {
        self.release(token, in: cache)
    }

    private func release(_ token: LeaseToken, in cache: CacheScope) -> Bool {
        self.writer.leases.withLock { $0.release(token, in: cache, at: .now) }
    }
}
