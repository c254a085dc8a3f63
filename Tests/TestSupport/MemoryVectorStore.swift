// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Synchronization

/// The `VectorStore` as the port describes it, by brute force: the oracle of the engine's and the stores' tests.
package final class MemoryVectorStore: VectorStore {
    package enum Operation: Sendable, Hashable {
        case entry
        case nearest
        case put
        case remove
        case scan
        case sizes
        case version
        case lease
        case records
        case block
        case blocks
        case assign
    }

    package enum Phase: Sendable, Hashable {
        /// Nothing was read or changed yet.
        case before
        /// It was; the caller does not know yet.
        case after
    }

    /// Called around every operation: may wait, and may make it fail.
    package typealias Hook = @Sendable (Operation, Phase) async -> VectorStoreError?

    struct Row {
        var entry: CacheEntry
        let embedding: Embedding
        let partition: Partition
        /// When it was stored or served last, and which of those was how manieth.
        var lastUse: Timestamp
        var order: Int

        var quotaBytes: Int { self.entry.quotaBytes(dimensions: self.embedding.dimensions) }
    }

    struct State {
        var rows: [Digest: [EntryID: Row]] = [:]
        /// Of a partition's vectors, decided by the first.
        var dimensions: [Digest: Int] = [:]
        /// Removals by the key of the cache or of the whole tenant, and changes by the key of the tenant.
        var removals: [Digest: UInt64] = [:]
        var changes: [Digest: UInt64] = [:]
        var hook: Hook?
        var operations: [Operation: Int] = [:]
        var uses = 0
        var leases = LeaseTable()
        var decisions: [CacheScope: Decisions] = [:]

        mutating func count(_ removal: RemovalSelector.Scope) {
            switch removal {
            case .cache(let cache):
                self.removals[cache.key, default: 0] += 1
                self.changes[cache.tenant.tenant.key, default: 0] += 1
            case .tenant(let tenant):
                self.removals[tenant.tenant.key, default: 0] += 1
                self.changes[tenant.tenant.key, default: 0] += 1
            }
        }

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
            let own = self.rows(of: tenant)
            if own.count < quota.entries ?? .max && own.reduce(bytes, { $0 + $1.quotaBytes }) <= quota.bytes ?? .max {
                return []
            }
            var rows = own.sorted {
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
        try self.check(query.embedding, in: partition)
        return try await self.perform(.nearest) { state in
            let result = Self.nearest(query, among: state.rows[partition.key] ?? [:], at: now)
            for match in result.matches { state.touch(match.entry.id, in: partition, at: now) }
            return result
        }
    }

    package func touch(_ id: EntryID, in partition: Partition, at now: Timestamp) {
        self.state.withLock { $0.touch(id, in: partition, at: now) }
    }

    package func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition, quota: StoreQuota, lease: LeaseToken?,
        by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> PutResult {
        try self.check(embedding, in: partition, decides: true)
        let bytes = entry.quotaBytes(dimensions: embedding.dimensions)
        let result: Result<PutResult, VectorStoreError> = try await self.perform(.put) { state in
            if let lease, !state.leases.holds(lease, on: entry.id, in: partition.cache, at: .now) {
                return .failure(.leaseIsOver)
            }
            if bytes > quota.bytes ?? .max {
                return .failure(VectorStoreError(.overQuota, "the entry alone is larger than the quota"))
            }
            state.leases.end(entry.id, in: partition)
            let now = entry.createdAt
            let old = state.rows[partition.key]?.removeValue(forKey: entry.id)
            let evicted = state.makeRoom(for: bytes, of: partition.cache.tenant, quota: quota, at: now)
            state.rows[partition.key, default: [:]][entry.id] = Row(
                entry: entry, embedding: embedding, partition: partition, lastUse: now, order: 0)
            state.touch(entry.id, in: partition, at: now)
            state.changes[partition.cache.tenant.tenant.key, default: 0] += 1
            return .success(
                PutResult(isReplacement: old.map { $0.entry.expiresAt > now } ?? false, evicted: evicted))
        }
        return try result.get()
    }

    package func remove(
        _ selector: RemovalSelector, dryRun: Bool, at now: Timestamp
    ) async throws(VectorStoreError) -> RemovalResult {
        if case .radius(let center, _, let partition) = selector { try self.check(center, in: partition) }
        return try await self.perform(.remove) { state in
            var removed: [EntryID] = []
            if !dryRun {
                state.count(selector.scope)
                state.leases.void(selector)
                if case .tenant(let tenant) = selector { state.forgetDecisions(of: tenant) }
            }
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
            var (page, bytes) = ([ExportedEntry](), 0)
            for row in sorted.prefix(query.count) {
                let entry = ExportedEntry(
                    entry: row.entry, vary: row.partition.vary, context: row.partition.context)
                bytes += entry.replyBytes
                if !page.isEmpty && bytes > Limits.maximumExportPageBytes { break }
                page.append(entry)
            }
            let last = page.isEmpty || page.count == sorted.count ? nil : sorted[page.count - 1]
            return ScanPage(
                entries: page, next: last.map { ScanPosition(partition: $0.partition.key, id: $0.entry.id) })
        }
    }

    /// - Parameter decides: Whether the vector's dimension is the partition's, if it has none.
    private func check(
        _ embedding: Embedding, in partition: Partition, decides: Bool = false
    ) throws(VectorStoreError) {
        guard abs(embedding.values.reduce(0) { $0 + $1 * $1 } - 1) <= 0.02 else {
            throw VectorStoreError(.corrupt, "the vector is not of unit length")
        }
        let dimensions = self.state.withLock { state in
            let known = state.dimensions[partition.key] ?? embedding.dimensions
            if decides { state.dimensions[partition.key] = known }
            return known
        }
        guard embedding.dimensions == dimensions else {
            throw VectorStoreError(.corrupt, "the vector has another dimension than the partition's")
        }
    }

    func perform<Value: Sendable>(
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
            .sorted { left, right in
                if left.similarity != right.similarity { return left.similarity > right.similarity }
                let (id, other) = (left.entry.id, right.entry.id)
                if left.entry.createdAt != right.entry.createdAt { return left.entry.createdAt > right.entry.createdAt }
                return (id.high, id.low) < (other.high, other.low)
            }
        let refusal = { (match: LookupMatch) -> NearestResult.Refusal? in
            if match.similarity < query.threshold { return .belowThreshold }
            if let filter = query.filter, !filter.matches(match.entry.attributes) { return .filtered }
            if let oldest = query.createdAtOrAfter, match.entry.createdAt < oldest { return .tooOld }
            return nil
        }
        let neighbours = candidates.filter { query.takes($0.entry) }.prefix(query.neighbours)
            .map { Neighbour(id: $0.entry.id, similarity: $0.similarity, cluster: $0.entry.cluster) }
        let matches = candidates.filter { $0.similarity >= query.candidateThreshold && query.takes($0.entry) }
        guard matches.isEmpty, let best = candidates.first else {
            return NearestResult(matches: Array(matches.prefix(query.candidates)), neighbours: neighbours)
        }
        return NearestResult(
            matches: [],
            nearestMiss: NearestMiss(id: best.entry.id, similarity: best.similarity, isApproximate: false),
            refusal: refusal(best) ?? .belowThreshold, neighbours: neighbours)
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
        // Rounding may carry it beyond.
        min(1, max(-1, Float(zip(left.values, right.values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) })))
    }
}
