// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import GRDB
package import Logging
import Synchronization

/// The store of one machine: SQLite for durability, vectors in memory, searched exactly.
///
/// Memory holds vectors, ids, expiries, attributes and when an entry was last served; everything else is read from the
/// file. What a put or a removal has
/// acknowledged survives the end of the process and of power. Lookups of what is not there and searches of partitions
/// that do not exist are answered on the caller's thread; everything else runs on threads of the store's own.
package final class EmbeddedStore: VectorStore {
    package struct Configuration: Sendable {
        /// Threads that search and read; at least 1.
        package var readerThreads: Int
        /// Entries waiting to be written, bytes; beyond it a put is refused as `.overloaded`.
        package var maximumQueuedBytes: Int
        /// Size of the file, bytes; beyond it a put is refused as `.unavailable`. As large as the disk if `nil`.
        package var maximumFileBytes: Int?
        /// Texts' vectors in the file, bytes; beyond it those go that were not used for the longest time.
        package var maximumVectorBytes: Int
        /// Questions of a cache for which an answer is blocked.
        package var maximumBlockedQuestions = Limits.maximumBlockedQuestions

        package init(
            readerThreads: Int = 2, maximumQueuedBytes: Int = 256 << 20, maximumFileBytes: Int? = nil,
            maximumVectorBytes: Int = Limits.keptVectorBytes
        ) {
            self.readerThreads = readerThreads
            self.maximumQueuedBytes = maximumQueuedBytes
            self.maximumFileBytes = maximumFileBytes
            self.maximumVectorBytes = maximumVectorBytes
        }
    }

    private let file: DatabaseFile
    let catalogue: Catalogue
    let writer: StoreWriter
    private let readers: WorkerThreads

    /// Opens a file, or creates it, and reads its vectors into memory; takes seconds per million.
    ///
    /// - Parameters:
    ///   - path: Of the database; `-wal`, `-shm` and `.lock` files lie beside it. The folder must exist.
    /// - Throws: ``VectorStoreError``: `.corrupt` for a damaged file; `.unavailable` for one that is another program's,
    ///   of a newer version, in use, or not accessible.
    package init(
        path: String, configuration: Configuration = Configuration(), logger: Logger
    ) throws(VectorStoreError) {
        let start = ContinuousClock.now
        // One more for statistics.
        self.file = try DatabaseFile(
            path: path, readers: configuration.readerThreads + 1, maximumBytes: configuration.maximumFileBytes)
        let (tables, entries) = try Loading.run(
            self.file, BlockedQuestions(maximum: configuration.maximumBlockedQuestions))
        self.catalogue = tables.catalogue
        let writer = StoreWriter(
            file: self.file, tables: tables, vectors: VectorRows(maximumBytes: configuration.maximumVectorBytes),
            maximumQueuedBytes: configuration.maximumQueuedBytes, logger: logger)
        self.writer = writer
        self.readers = WorkerThreads(count: configuration.readerThreads, maximumQueued: Limits.storeReadQueue)
        _ = WorkerThreads(count: 1, maximumQueued: 1).submit { writer.run() }
        logger.info(
            "store: open",
            metadata: [
                "path": "\(path)", "entries": "\(entries)", "index_bytes": "\(self.catalogue.indexBytes)",
                "milliseconds": "\((ContinuousClock.now - start).wholeMilliseconds)",
            ])
    }

    deinit {
        self.readers.stop()
        self.writer.close()
    }

    /// Finishes the changes that were handed over, then closes the file. Later calls are refused as `.unavailable`.
    package func close() async {
        await withCheckedContinuation { continuation in
            self.writer.close { continuation.resume() }
        }
        self.readers.stop()
    }

    package var indexBytes: Int { self.catalogue.indexBytes }

    package var systemName: String? { "sqlite" }

    // MARK: Reading

    package func entry(
        _ id: EntryID, in partition: Partition, at now: Timestamp
    ) async throws(VectorStoreError) -> CacheEntry? {
        guard let memory = self.catalogue.partition(partition.key), memory.mayContain(id) else { return nil }
        let entry = try await self.read { pool, _ in
            try pool.read { try EntryRows.entry(id, partition: memory.number, in: $0) }
        }
        guard let entry, entry.expiresAt > now else { return nil }
        memory.touch(id, at: now)
        return entry
    }

    package func nearest(
        _ query: NearestQuery, in partition: Partition, at now: Timestamp
    ) async throws(VectorStoreError) -> NearestResult {
        guard let memory = self.catalogue.partition(partition.key) else { return NearestResult(matches: []) }
        try memory.check(query.embedding)
        return try await self.read { pool, catalogue in
            let search = NearestSearch(query: query, partition: memory, now: now, catalogue: catalogue, pool: pool)
            let result = try search.run()
            for match in result.matches { memory.touch(match.entry.id, at: now) }
            return result
        }
    }

    package func scan(_ query: ScanQuery, at now: Timestamp) async throws(VectorStoreError) -> ScanPage {
        let scope = query.plain.cache
        guard let cache = self.catalogue.tenant(scope.tenant)?.cache(scope.key) else {
            return ScanPage(entries: [], next: nil)
        }
        return try await self.read { pool, catalogue in
            try pool.read { try CacheScan.run(query, cache: cache.number, at: now, catalogue, $0) }
        }
    }

    package func touch(_ id: EntryID, in partition: Partition, at now: Timestamp) {
        self.catalogue.partition(partition.key)?.touch(id, at: now)
    }

    package func sizes(
        of tenant: TenantScope, identities: Set<Digest>, at now: Timestamp
    ) async throws(VectorStoreError) -> TenantSize {
        try await self.read { pool, catalogue in
            try pool.read { database in
                // Memory and file of one state; the gate is held for no longer, because the writer waits for it.
                let sizes = try catalogue.gate.reading {
                    _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM caches")
                    return (catalogue.tenant(tenant)?.caches ?? []).map { ($0, $0.sizesByOrigin) }
                }
                // Memory counts what is in the file; what has expired there, and was not swept yet, is taken off.
                let expired = try EntryRows.expired(at: now, in: database)
                return Self.sizes(of: tenant, sizes, without: expired, identities: identities)
            }
        }
    }

    private static func sizes(
        of tenant: TenantScope, _ caches: [(CacheMemory, [PartitionOrigin: StoredSizes])],
        without expired: [Int64: [PartitionOrigin: StoredSizes]], identities: Set<Digest>
    ) -> TenantSize {
        var all = StoredSizes.none
        var orphans = StoredSizes.none
        var shown: [CacheSize] = []
        for (cache, byOrigin) in caches {
            let isCurrent = cache.key == CacheScope(cache.name, of: tenant).key
            var ofCache = StoredSizes.none
            for (origin, sizes) in byOrigin {
                let live = sizes - (expired[cache.number]?[origin] ?? .none)
                ofCache += live
                if !isCurrent || !origin.isCurrent(identities: identities) { orphans += live }
            }
            all += ofCache
            guard isCurrent, ofCache.entries > 0 else { continue }
            shown.append(
                CacheSize(cache: cache.name, entries: ofCache.entries, responseBytes: ofCache.responseBytes))
        }
        return TenantSize(
            caches: shown, entries: all.entries, bytes: all.quotaBytes, orphanedEntries: orphans.entries)
    }

    package func version(of cache: CacheScope) async throws(VectorStoreError) -> CacheVersion {
        let path = self.file.path
        return try await self.read { pool, _ in
            let version = try pool.read { try VersionRows.version(of: cache, in: $0) }
            guard let version else { throw VectorStoreError.damaged(path, "a version of a cache cannot be") }
            return version
        }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (DatabasePool, Catalogue) throws -> Value
    ) async throws(VectorStoreError) -> Value {
        let result = await self.readers.run { [file, catalogue] () -> Result<Value, VectorStoreError> in
            do {
                return .success(try body(file.pool, catalogue))
            } catch {
                return .failure(VectorStoreError(error, while: "read", path: file.path))
            }
        }
        if self.writer.isClosed { throw StoreWriter.closed }
        guard let result else { throw VectorStoreError(.overloaded, "too many reads wait for the store") }
        return try result.get()
    }

    // MARK: Writing

    package func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition, quota: StoreQuota, lease: LeaseToken?,
        by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> PutResult {
        try Similarity.checkUnitLength(embedding)
        // The cluster is told here, where it keeps nobody else waiting.
        let entry = entry.inCluster(entry.cluster)
        return try await self.write { .put(entry, embedding, partition, quota, lease, $0) }
    }

    package func remove(
        _ selector: RemovalSelector, dryRun: Bool, at now: Timestamp
    ) async throws(VectorStoreError) -> RemovalResult {
        try await self.write { .remove(selector, isDryRun: dryRun, now: now, $0) }
    }

    /// Removes what has expired from the file and from memory, in small steps between other changes.
    ///
    /// - Returns: How many entries it removed.
    package func sweep(at now: Timestamp) async throws(VectorStoreError) -> Int {
        try await self.write { .sweep(now: now, removed: 0, $0) }
    }

    func write<Value: Sendable>(
        _ change: (@escaping StoreWriter.Completion<Value>) -> StoreWriter.Change
    ) async throws(VectorStoreError) -> Value {
        let result: Result<Value, VectorStoreError> = await withCheckedContinuation { continuation in
            let refusal = self.writer.submit(change { continuation.resume(returning: $0) })
            if let refusal { continuation.resume(returning: .failure(refusal)) }
        }
        return try result.get()
    }
}
