// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel

extension MemoryVectorStore {
    package func sizes(
        of tenant: TenantScope, identities: Set<Digest>, at now: Timestamp
    ) async throws(VectorStoreError) -> TenantSize {
        try await self.perform(.sizes) { state in
            let rows = state.rows(of: tenant).filter { $0.entry.expiresAt > now }
            let caches = Dictionary(grouping: rows, by: \.partition.cache).map { cache, rows in
                let bytes = rows.reduce(0) { $0 + $1.entry.response.count }
                return CacheSize(cache: cache.name, entries: rows.count, responseBytes: bytes)
            }
            return TenantSize(
                caches: caches, entries: rows.count, bytes: rows.reduce(0) { $0 + $1.quotaBytes },
                orphanedEntries: rows.count { !identities.contains($0.partition.identity) })
        }
    }

    package func version(of cache: CacheScope) async throws(VectorStoreError) -> CacheVersion {
        try await self.perform(.version) { state in
            let tenant = cache.tenant.tenant.key
            return CacheVersion(
                epoch: (state.removals[cache.key] ?? 0) + (state.removals[tenant] ?? 0),
                sequence: state.changes[tenant] ?? 0)
        }
    }
}
