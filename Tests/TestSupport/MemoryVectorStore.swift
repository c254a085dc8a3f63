// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Synchronization

/// The `VectorStore` as the port describes it, by brute force: the oracle of the engine's tests.
package final class MemoryVectorStore: VectorStore {
    package enum Operation: Sendable, Hashable {
        case entry
        case nearest
        case put
        case remove
        case sizes
    }

    package enum Phase: Sendable, Hashable {
        /// Nothing was read or changed yet.
        case before
        /// It was; the caller does not know yet.
        case after
    }

    /// Called around every operation: may wait, and may make it fail.
    package typealias Hook = @Sendable (Operation, Phase) async -> VectorStoreError?

    private struct Row {
        let entry: CacheEntry
        let embedding: Embedding
        let partition: Partition
    }

    private struct State {
        var rows: [Digest: [EntryID: Row]] = [:]
        var hook: Hook?
        var operations: [Operation: Int] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package var indexBytes: Int { self.state.withLock { $0.rows.values.reduce(0) { $0 + $1.count } } }

    /// Sets what is called around every operation from now on.
    package func hook(_ hook: Hook?) { self.state.withLock { $0.hook = hook } }

    /// How often an operation was begun.
    package func count(_ operation: Operation) -> Int { self.state.withLock { $0.operations[operation] ?? 0 } }

    package func entry(
        _ id: EntryID, in partition: Partition, at now: Timestamp
    ) async throws(VectorStoreError) -> CacheEntry? {
        try await self.perform(.entry) { state in
            state.rows[partition.key]?[id].flatMap { $0.entry.expiresAt > now ? $0.entry : nil }
        }
    }

    package func nearest(
        _ query: NearestQuery, in partition: Partition, at now: Timestamp
    ) async throws(VectorStoreError) -> NearestResult {
        try await self.perform(.nearest) { state in
            Self.nearest(query, among: state.rows[partition.key] ?? [:], at: now)
        }
    }

    package func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition
    ) async throws(VectorStoreError) -> Bool {
        try await self.perform(.put) { state in
            let row = Row(entry: entry, embedding: embedding, partition: partition)
            return state.rows[partition.key, default: [:]].updateValue(row, forKey: entry.id) != nil
        }
    }

    package func remove(
        _ selector: RemovalSelector, dryRun: Bool, at now: Timestamp
    ) async throws(VectorStoreError) -> RemovalResult {
        try await self.perform(.remove) { state in
            var removed: [EntryID] = []
            for (key, rows) in state.rows {
                for (id, row) in rows where Self.selects(selector, id, row) && row.entry.expiresAt > now {
                    removed.append(id)
                    if !dryRun { state.rows[key]![id] = nil }
                }
            }
            return RemovalResult(count: removed.count, sample: Array(removed.prefix(Limits.maximumSampleIDs)))
        }
    }

    package func sizes(of tenant: TenantScope, at now: Timestamp) async throws(VectorStoreError) -> [CacheSize] {
        try await self.perform(.sizes) { state in
            let rows = state.rows.values.flatMap(\.values).filter {
                $0.partition.cache.tenant == tenant && $0.entry.expiresAt > now
            }
            return Dictionary(grouping: rows, by: \.partition.cache).map { cache, rows in
                let bytes = rows.reduce(0) { $0 + $1.entry.response.count }
                return CacheSize(cache: cache.name, entries: rows.count, responseBytes: bytes)
            }
        }
    }

    private func perform<Value: Sendable>(
        _ operation: Operation, _ body: (inout sending State) -> sending Value
    ) async throws(VectorStoreError) -> Value {
        let hook = self.state.withLock { state in
            state.operations[operation, default: 0] += 1
            return state.hook
        }
        if let error = await hook?(operation, .before) { throw error }
        let value = self.state.withLock(body)
        if let error = await hook?(operation, .after) { throw error }
        return value
    }

    private static func nearest(
        _ query: NearestQuery, among rows: [EntryID: Row], at now: Timestamp
    ) -> NearestResult {
        let candidates = rows.values.filter { $0.entry.expiresAt > now }
            .map { LookupMatch(entry: $0.entry, similarity: Self.similarity($0.embedding, query.embedding)) }
            .sorted { ($0.similarity, $1.entry.id.high) > ($1.similarity, $0.entry.id.high) }
        let isTooOld = { (entry: CacheEntry) in query.createdAtOrAfter.map { entry.createdAt < $0 } ?? false }
        let matches = candidates.filter { $0.similarity >= query.threshold && !isTooOld($0.entry) }
        guard matches.isEmpty, let best = candidates.first else {
            return NearestResult(matches: Array(matches.prefix(query.count)))
        }
        return NearestResult(
            matches: [],
            nearestMiss: NearestMiss(id: best.entry.id, similarity: best.similarity, isApproximate: false),
            isNearestMissTooOld: best.similarity >= query.threshold)
    }

    private static func selects(_ selector: RemovalSelector, _ id: EntryID, _ row: Row) -> Bool {
        switch selector {
        case .ids(let ids, let cache): row.partition.cache == cache && ids.contains(id)
        case .entry(let one, let partition): row.partition == partition && id == one
        case .radius(let center, let similarity, let partition):
            row.partition == partition && Self.similarity(row.embedding, center) >= similarity
        case .cache(let cache): row.partition.cache == cache
        }
    }

    private static func similarity(_ left: Embedding, _ right: Embedding) -> Float {
        Float(zip(left.values, right.values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) })
    }
}
