// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB

/// Reads a file's vectors into memory, before the store is open to anyone.
struct Loading {
    private let path: String
    private let catalogue: Catalogue
    private var caches: [Int64: CacheMemory] = [:]
    private var partitions: [Int64: PartitionMemory] = [:]
    private var lastRow: Int64 = 0
    private(set) var entries = 0

    /// - Throws: ``VectorStoreError``; `.corrupt`, with the number of the row, for one that cannot be of this store.
    /// - Parameter blocked: Of none yet.
    static func run(
        _ file: DatabaseFile,
        _ blocked: BlockedQuestions = BlockedQuestions(maximum: Limits.maximumBlockedQuestions)
    ) throws(VectorStoreError) -> (tables: WriterTables, entries: Int) {
        var loading = Self(path: file.path, catalogue: Catalogue(blocked: blocked))
        do {
            try file.pool.read { database in
                try loading.readCaches(database)
                try loading.readPartitions(database)
                try loading.readEntries(database)
                for (cache, question) in try BlockedRows.questions(in: database) {
                    loading.catalogue.blocked.add([question], of: cache.key, tenant: cache.tenant)
                }
            }
        } catch {
            throw VectorStoreError(error, while: "read", path: file.path)
        }
        return (loading.finish(), loading.entries)
    }

    /// What rows, caches and partitions are numbered with; there is a next one after each.
    private static let numbers = 1..<Int64.max

    private init(path: String, catalogue: Catalogue) {
        self.path = path
        self.catalogue = catalogue
    }

    private mutating func readCaches(_ database: Database) throws {
        let rows = try Row.fetchCursor(database, sql: "SELECT cache, key, tenant, name FROM caches")
        while let row = try rows.next() {
            let number = try EntryRows.integer(row, 0)
            guard Self.numbers.contains(number), let key = try EntryRows.bytes(row, 1).flatMap({ Digest(bytes: $0) }),
                let tenant = try EntryRows.bytes(row, 2), let name = try EntryRows.bytes(row, 3)
            else { throw VectorStoreError.damaged(self.path, "cache \(number) has no key or name") }
            self.caches[number] = CacheMemory(
                number: number, key: key,
                tenant: self.catalogue.makeTenant(TenantID(String(decoding: tenant, as: UTF8.self))),
                name: String(decoding: name, as: UTF8.self))
        }
    }

    private mutating func readPartitions(_ database: Database) throws {
        let rows = try Row.fetchCursor(
            database,
            sql: "SELECT partition, cache, key, dimensions, scheme, identity, vary IS NOT NULL FROM partitions")
        while let row = try rows.next() {
            let number = try EntryRows.integer(row, 0)
            let dimensions = try EntryRows.integer(row, 3)
            guard Self.numbers.contains(number), let cache = self.caches[try EntryRows.integer(row, 1)],
                let key = try EntryRows.bytes(row, 2).flatMap({ Digest(bytes: $0) }),
                (1...Int64(Limits.maximumDimensions)).contains(dimensions)
            else { throw VectorStoreError.damaged(self.path, "partition \(number) has no cache, key or dimensions") }
            self.partitions[number] = PartitionMemory(
                number: number, key: key, cache: cache, origin: try EntryRows.origin(row, 4),
                dimensions: Int(dimensions), isDescribed: try EntryRows.integer(row, 6) != 0)
        }
    }

    /// By row, which is the order in which they lie in the file.
    private mutating func readEntries(_ database: Database) throws {
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT row, id, partition, created_ms, expires_ms, attributes, quota_bytes, length(response), vector,
                    cluster
                FROM entries LEFT JOIN clusters USING (row) ORDER BY row
                """)
        var vector: [Float] = []
        while let row = try rows.next() {
            let number = try EntryRows.integer(row, 0)
            guard Self.numbers.contains(number) else {
                throw RowFault(row: number, reason: "its number is none that this service gives")
            }
            guard let partition = self.partitions[try EntryRows.integer(row, 2)] else {
                throw RowFault(row: number, reason: "it is of no partition")
            }
            let quotaBytes = try EntryRows.integer(row, 6)
            guard (0...Int64(Int32.max)).contains(quotaBytes) else {
                throw RowFault(row: number, reason: "it cannot take \(quotaBytes) bytes of a quota")
            }
            if vector.count != partition.dimensions { vector = [Float](repeating: 0, count: partition.dimensions) }
            try EntryRows.read(row, 8, number: number, into: &vector)
            guard Similarity.isUnitLength(vector) else {
                throw RowFault(row: number, reason: "its vector is not of unit length")
            }
            let cluster = try ClusterRows.cluster(row, 9) ?? ClusterRows.ofResponse(of: number, in: database)
            let createdAt = Timestamp(milliseconds: try EntryRows.integer(row, 3))
            // When it was served is not kept; that it was stored is the last that is known.
            partition.load(
                IndexedEntry(
                    id: try EntryRows.id(row, 1), row: number,
                    expiresAt: Timestamp(milliseconds: try EntryRows.integer(row, 4)),
                    usedAt: createdAt, createdAt: createdAt, cluster: cluster,
                    attributes: AttributesText.canonical(try EntryRows.attributes(row, 5, number: number)),
                    vector: vector))
            let sizes = StoredSizes(
                entries: 1, responseBytes: Int(try EntryRows.integer(row, 7)), quotaBytes: Int(quotaBytes))
            partition.cache.count(sizes, of: partition.origin)
            partition.cache.tenant.count(sizes)
            self.lastRow = max(self.lastRow, number)
            self.entries += 1
        }
    }

    private func finish() -> WriterTables {
        for partition in self.partitions.values {
            partition.finishLoading()
            self.catalogue.add(partition)
            self.catalogue.count(bytes: partition.growth())
        }
        return WriterTables(
            catalogue: self.catalogue, partitions: Array(self.partitions.values), caches: Array(self.caches.values),
            lastRow: self.lastRow)
    }
}
