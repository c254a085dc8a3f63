// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel

extension MemoryVectorStore {
    package var isShared: Bool { false }

    package func acquireLease(
        on id: EntryID, in partition: Partition, for time: Duration, seen: Timestamp?, at now: Timestamp
    ) async throws(VectorStoreError) -> LeaseGrant {
        let result: Result<LeaseGrant, VectorStoreError> = try await self.perform(.lease) { state in
            if let row = state.rows[partition.key]?[id], row.entry.expiresAt > now, row.entry.createdAt != seen {
                return .success(.changed)
            }
            do throws(VectorStoreError) {
                return .success(try state.leases.acquire(id, in: partition, for: time, at: .now))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    package func extendLease(
        _ token: LeaseToken, in cache: CacheScope, for time: Duration
    ) async throws(VectorStoreError) -> Duration {
        let result: Result<Duration, VectorStoreError> = try await self.perform(.lease) { state in
            do throws(VectorStoreError) {
                return .success(try state.leases.extend(token, in: cache, for: time, at: .now))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    package func releaseLease(_ token: LeaseToken, in cache: CacheScope) async throws(VectorStoreError) -> Bool {
        try await self.perform(.lease) { $0.leases.release(token, in: cache, at: .now) }
    }
}
