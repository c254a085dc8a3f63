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
        case scan
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
        /// When it was stored or served last, and which of those was how manieth.
        var lastUse: Timestamp
        var order: Int

        var quotaBytes: Int { self.entry.quotaBytes(dimensions: self.embedding.dimensions) }
    }

    private struct State {
        var rows: [Digest: [EntryID: Row]] = [:]
        var hook: Hook?
        var operations: [Operation: Int] = [:]
        var uses = 0

        mutating func touch(_ id: EntryID, in partition: Partition, at now: Timestamp) {
            self.uses += 1
            self.rows[partition.key]?[id]?.lastUse = now
            self.rows[partition.key]?[id]?.order = self.uses
        }

        func rows(of tenant: TenantScope) -> [Row] {
            self.rows.values.flatMap(\.values).filter { $0.partition.cache.tenant == tenant }
        }

        /// Removes the tenant's least valuable entries until it has room for one of a size.
        mutating func makeRoom(
            for bytes: Int, of tenant: TenantScope, quota: StoreQuota, at now: Timestamp
        ) -> [PutResult.Evicted] {
            var rows = self.rows(of: tenant).sorted {
                let (isExpired, isOtherExpired) = ($0.entry.expiresAt <= now, $1.entry.expiresAt <= now)
                if isExpired != isOtherExpired { return isExpired }
                return ($0.lastUse, $0.order) < ($1.lastUse, $1.order)
            }[...]
            var evicted: [PutResult.Evicted] = []
            while let first = rows.first,
                rows.count >= quota.entries ?? .max || rows.reduce(bytes, { $0 + $1.quotaBytes }) > quota.bytes ?? .max
            {
                rows.removeFirst()
                self.rows[first.partition.key]?[first.entry.id] = nil
                evicted.append(PutResult.Evicted(id: first.entry.id, cache: first.partition.cache.key))
            }
            return evicted
        }
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
            guard let row = state.rows[partition.key]?[id], row.entry.expiresAt > now else { return nil }
            state.touch(id, in: partition, at: now)
            return row.entry
        }
    }

    package func nearest(
        _ query: NearestQuery, in partition: Partition, at now: Timestamp
    ) async throws(VectorStoreError) -> NearestResult {
        try await self.perform(.nearest) { state in
            let result = Self.nearest(query, among: state.rows[partition.key] ?? [:], at: now)
            for match in result.matches { state.touch(match.entry.id, in: partition, at: now) }
            return result
        }
    }

    package func touch(_ id: EntryID, in partition: Partition, at now: Timestamp) {
        self.state.withLock { $0.touch(id, in: partition, at: now) }
    }

    /// The time is that of the entry's creation.
    package func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition, quota: StoreQuota
    ) async throws(VectorStoreError) -> PutResult {
        let bytes = entry.quotaBytes(dimensions: embedding.dimensions)
        let result: PutResult? = try await self.perform(.put) { state in
            if bytes > quota.bytes ?? .max { return nil }
            let now = entry.createdAt
            let old = state.rows[partition.key]?.removeValue(forKey: entry.id)
            let evicted = state.makeRoom(for: bytes, of: partition.cache.tenant, quota: quota, at: now)
            state.rows[partition.key, default: [:]][entry.id] = Row(
                entry: entry, embedding: embedding, partition: partition, lastUse: now, order: 0)
            state.touch(entry.id, in: partition, at: now)
            return PutResult(isReplacement: old.map { $0.entry.expiresAt > now } ?? false, evicted: evicted)
        }
        guard let result else { throw VectorStoreError(.overQuota, "the entry alone is larger than the quota") }
        return result
    }

    package func remove(
        _ selector: RemovalSelector, dryRun: Bool, at now: Timestamp
    ) async throws(VectorStoreError) -> RemovalResult {
        try await self.perform(.remove) { state in
            var removed: [EntryID] = []
            for (key, rows) in state.rows {
                for (id, row) in rows where Self.selects(selector, id, row) {
                    if row.entry.expiresAt > now { removed.append(id) }
                    if !dryRun { state.rows[key]?[id] = nil }
                }
            }
            return RemovalResult(count: removed.count, sample: Array(removed.prefix(Limits.maximumSampleIDs)))
        }
    }

    package func scan(_ query: ScanQuery, at now: Timestamp) async throws(VectorStoreError) -> ScanPage {
        try await self.perform(.scan) { state in
            let place = { (partition: Digest, id: EntryID) in
                let words = partition.words
                return (words.0, words.1, words.2, words.3, id.high, id.low)
            }
            let rows = state.rows.values.flatMap(\.values).filter { row in
                row.partition.cache == query.plain.cache && row.partition.identity == query.plain.identity
                    && row.entry.expiresAt > now && query.filter?.matches(row.entry.attributes) ?? true
                    && query.position.map {
                        place($0.partition, $0.id) < place(row.partition.key, row.entry.id)
                    } ?? true
            }
            let sorted = rows.sorted { place($0.partition.key, $0.entry.id) < place($1.partition.key, $1.entry.id) }
            let page = sorted.prefix(query.count)
            return ScanPage(
                entries: page.map {
                    ExportedEntry(entry: $0.entry, vary: $0.partition.vary, context: $0.partition.context)
                },
                next: page.count == sorted.count
                    ? nil : page.last.map { ScanPosition(partition: $0.partition.key, id: $0.entry.id) })
        }
    }

    package func sizes(
        of tenant: TenantScope, identity: Digest, at now: Timestamp
    ) async throws(VectorStoreError) -> TenantSize {
        try await self.perform(.sizes) { state in
            let rows = state.rows(of: tenant).filter { $0.entry.expiresAt > now }
            let caches = Dictionary(grouping: rows, by: \.partition.cache).map { cache, rows in
                let bytes = rows.reduce(0) { $0 + $1.entry.response.count }
                return CacheSize(cache: cache.name, entries: rows.count, responseBytes: bytes)
            }
            return TenantSize(
                caches: caches, entries: rows.count, bytes: rows.reduce(0) { $0 + $1.quotaBytes },
                orphanedEntries: rows.count { $0.partition.identity != identity })
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
        let refusal = { (match: LookupMatch) -> NearestResult.Refusal? in
            if match.similarity < query.threshold { return .belowThreshold }
            if let filter = query.filter, !filter.matches(match.entry.attributes) { return .filtered }
            if let oldest = query.createdAtOrAfter, match.entry.createdAt < oldest { return .tooOld }
            return nil
        }
        let matches = candidates.filter { refusal($0) == nil }
        guard matches.isEmpty, let best = candidates.first else {
            return NearestResult(matches: Array(matches.prefix(query.count)))
        }
        return NearestResult(
            matches: [],
            nearestMiss: NearestMiss(id: best.entry.id, similarity: best.similarity, isApproximate: false),
            refusal: refusal(best) ?? .belowThreshold)
    }

    private static func selects(_ selector: RemovalSelector, _ id: EntryID, _ row: Row) -> Bool {
        switch selector {
        case .ids(let ids, let cache): row.partition.cache == cache && ids.contains(id)
        case .entry(let one, let partition): row.partition == partition && id == one
        case .radius(let center, let similarity, let partition):
            row.partition == partition && Self.similarity(row.embedding, center) >= similarity
        case .filter(let filter, let cache):
            row.partition.cache == cache && filter.matches(row.entry.attributes)
        case .cache(let cache): row.partition.cache == cache
        case .tenant(let tenant): row.partition.cache.tenant == tenant
        }
    }

    private static func similarity(_ left: Embedding, _ right: Embedding) -> Float {
        Float(zip(left.values, right.values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) })
    }
}
