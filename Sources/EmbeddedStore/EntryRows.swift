// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials
import GRDB

/// A row that is not as this store writes it.
struct RowFault: Error {
    let row: Int64
    let reason: String
}

/// What the writer must know of a row that it deletes.
struct StoredRow {
    let row: Int64
    let id: EntryID
    let partition: Int64
    let expiresAt: Timestamp
    let responseBytes: Int
    let quotaBytes: Int

    var sizes: StoredSizes {
        StoredSizes(entries: 1, responseBytes: self.responseBytes, quotaBytes: self.quotaBytes)
    }
}

/// Reads and writes rows of the table `entries`.
///
/// Text goes in and out as bytes: SQLite's functions for text stop at an embedded NUL, and with it a value would come
/// back as another one.
enum EntryRows {
    // MARK: Writing

    /// Writes an entry in place of the one with its id, by one statement: it happens whole or not at all.
    static func replace(
        _ entry: CacheEntry, embedding: Embedding, quotaBytes: Int, row: Int64, partition: Int64,
        in database: Database
    ) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO entries (row, partition, id, created_ms, expires_ms, quota_bytes, vector,
                    content_type, attributes, prompt_tokens, completion_tokens, cost, prompt, response, fresh_ms)
                VALUES (?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?, CAST(? AS TEXT), ?, ?)
                """)
        let attributes = entry.attributes.isEmpty ? nil : Data(AttributesText.encode(entry.attributes))
        try statement.execute(arguments: [
            row, partition, Self.data(entry.id), entry.createdAt.milliseconds, entry.expiresAt.milliseconds,
            quotaBytes, Self.data(embedding), Data(entry.contentType.utf8), attributes,
            entry.usage.map { Int64(bitPattern: $0.promptTokens) },
            entry.usage.map { Int64(bitPattern: $0.completionTokens) }, entry.usage?.cost,
            entry.prompt.map { Data($0.text.utf8) }, Data(entry.response),
            entry.freshUntil < entry.expiresAt ? entry.freshUntil.milliseconds : nil,
        ])
    }

    static func delete(row: Int64, in database: Database) throws {
        try ClusterRows.delete(row: row, in: database)
        try database.cachedStatement(sql: "DELETE FROM entries WHERE row = ?").execute(arguments: [row])
    }

    static func deleteAll(of partition: Int64, in database: Database) throws {
        try ClusterRows.deleteAll(of: partition, in: database)
        try database.cachedStatement(sql: "DELETE FROM entries WHERE partition = ?").execute(arguments: [partition])
    }

    // MARK: Finding what to delete

    private static let storedColumns = "row, id, partition, expires_ms, length(response), quota_bytes"

    static func stored(_ id: EntryID, in database: Database) throws -> [StoredRow] {
        try self.stored("id = ?", [Self.data(id)], in: database)
    }

    static func stored(_ id: EntryID, partition: Int64, in database: Database) throws -> StoredRow? {
        try self.stored("id = ? AND partition = ?", [Self.data(id), partition], in: database).first
    }

    static func stored(row: Int64, in database: Database) throws -> StoredRow? {
        try self.stored("row = ?", [row], in: database).first
    }

    /// The longest expired first.
    static func expired(at now: Timestamp, limit: Int, in database: Database) throws -> [StoredRow] {
        try self.stored(
            "expires_ms <= ? ORDER BY expires_ms LIMIT ?", [now.milliseconds, limit], in: database)
    }

    /// Some of a partition's live ones.
    static func sample(of partition: Int64, at now: Timestamp, limit: Int, in database: Database) throws -> [StoredRow]
    {
        try self.stored(
            "partition = ? AND expires_ms > ? LIMIT ?", [partition, now.milliseconds, limit], in: database)
    }

    /// What a partition has, and how many of its entries are live.
    static func sizes(
        of partition: Int64, at now: Timestamp, in database: Database
    ) throws -> (all: StoredSizes, live: Int) {
        let statement = try database.cachedStatement(
            sql: """
                SELECT count(*), coalesce(sum(length(response)), 0), coalesce(sum(quota_bytes), 0),
                    coalesce(sum(expires_ms > ?), 0)
                FROM entries WHERE partition = ?
                """)
        return try Self.first(statement, [now.milliseconds, partition]) { row in
            (try Self.sizes(row, from: 0), Int(try Self.integer(row, 3)))
        } ?? (.none, 0)
    }

    /// What has expired but is still there, by number of cache.
    static func expired(
        at now: Timestamp, in database: Database
    ) throws -> [Int64: [PartitionOrigin: StoredSizes]] {
        let statement = try database.cachedStatement(
            sql: """
                SELECT cache, scheme, identity, count(*), sum(length(response)), sum(quota_bytes)
                FROM entries INDEXED BY entries_by_expiry JOIN partitions USING (partition)
                WHERE expires_ms <= ? GROUP BY cache, scheme, identity
                """)
        var sizes: [Int64: [PartitionOrigin: StoredSizes]] = [:]
        let rows = try Row.fetchCursor(statement, arguments: [now.milliseconds])
        while let row = try rows.next() {
            sizes[try Self.integer(row, 0), default: [:]][try Self.origin(row, 1)] = try Self.sizes(row, from: 3)
        }
        return sizes
    }

    /// Reads a partition's scheme and identity.
    static func origin(_ row: Row, _ column: Int) throws -> PartitionOrigin {
        PartitionOrigin(
            scheme: try Self.integer(row, column),
            identity: try Self.bytes(row, column + 1).flatMap { Digest(bytes: $0) })
    }

    private static func sizes(_ row: Row, from column: Int) throws -> StoredSizes {
        StoredSizes(
            entries: Int(try Self.integer(row, column)), responseBytes: Int(try Self.integer(row, column + 1)),
            quotaBytes: Int(try Self.integer(row, column + 2)))
    }

    private static func stored(
        _ condition: String, _ arguments: StatementArguments, in database: Database
    ) throws -> [StoredRow] {
        let statement = try database.cachedStatement(
            sql: "SELECT \(Self.storedColumns) FROM entries WHERE \(condition)")
        var rows: [StoredRow] = []
        let cursor = try Row.fetchCursor(statement, arguments: arguments)
        while let row = try cursor.next() {
            let number: Int64 = try Self.integer(row, 0)
            rows.append(
                StoredRow(
                    row: number, id: try Self.id(row, 1), partition: try Self.integer(row, 2),
                    expiresAt: Timestamp(milliseconds: try Self.integer(row, 3)),
                    responseBytes: Int(try Self.integer(row, 4)), quotaBytes: Int(try Self.integer(row, 5))))
        }
        return rows
    }

    // MARK: Reading entries

    private static let entryColumns = """
        row, id, created_ms, expires_ms, content_type, attributes, prompt_tokens, completion_tokens, cost, prompt, \
        response, fresh_ms, (SELECT cluster FROM clusters WHERE clusters.row = entries.row)
        """

    static func entry(_ id: EntryID, partition: Int64, in database: Database) throws -> CacheEntry? {
        let statement = try database.cachedStatement(
            sql: "SELECT \(Self.entryColumns) FROM entries WHERE id = ? AND partition = ?")
        return try Self.first(statement, [Self.data(id), partition], Self.entry)
    }

    static func entry(row: Int64, in database: Database) throws -> CacheEntry? {
        let statement = try database.cachedStatement(sql: "SELECT \(Self.entryColumns) FROM entries WHERE row = ?")
        return try Self.first(statement, [row], Self.entry)
    }

    private static func entry(_ row: Row) throws -> CacheEntry {
        let number = try Self.integer(row, 0)
        let attributes = try Self.attributes(row, 5, number: number)
        let usage = (row[6] as Int64?).flatMap { prompt in
            (row[7] as Int64?).map { completion in
                // SQLite keeps what is not a number as NULL.
                Usage(
                    promptTokens: UInt64(bitPattern: prompt), completionTokens: UInt64(bitPattern: completion),
                    cost: row[8] as Double? ?? .nan)
            }
        }
        let prompt: CanonicalPrompt?
        do {
            prompt = try Self.bytes(row, 9)?.withUnsafeBytes { bytes throws(CacheError) in try CanonicalPrompt(bytes) }
        } catch {
            throw RowFault(row: number, reason: "its prompt cannot be read")
        }
        guard let contentType = try Self.bytes(row, 4), let response = try Self.bytes(row, 10) else {
            throw RowFault(row: number, reason: "it has no content type or response")
        }
        return CacheEntry(
            id: try Self.id(row, 1), prompt: prompt, response: response,
            contentType: String(decoding: contentType, as: UTF8.self), attributes: attributes, usage: usage,
            createdAt: Timestamp(milliseconds: try Self.integer(row, 2)),
            freshUntil: (row[11] as Int64?).map { Timestamp(milliseconds: $0) },
            expiresAt: Timestamp(milliseconds: try Self.integer(row, 3)), cluster: try ClusterRows.cluster(row, 12))
    }

    /// Reads the vector of a row.
    ///
    /// - Returns: When the entry was created; `nil` if the row is not there.
    static func vector(of row: Int64, into vector: inout [Float], in database: Database) throws -> Timestamp? {
        let statement = try database.cachedStatement(sql: "SELECT created_ms, vector FROM entries WHERE row = ?")
        return try Self.first(statement, [row]) { found in
            try Self.read(found, 1, number: row, into: &vector)
            return Timestamp(milliseconds: try Self.integer(found, 0))
        }
    }

    // MARK: Columns

    /// Reads the first row that a statement finds. The row is the statement's and ends with the cursor.
    private static func first<Value>(
        _ statement: Statement, _ arguments: StatementArguments, _ body: (Row) throws -> Value
    ) throws -> Value? {
        let rows = try Row.fetchCursor(statement, arguments: arguments)
        return try withExtendedLifetime(rows) { try rows.next().map(body) }
    }

    /// Little endian, 4 bytes per dimension.
    static func data(_ embedding: Embedding) -> Data {
        embedding.values.map { $0.bitPattern.littleEndian }.withUnsafeBytes { Data($0) }
    }

    /// Reads a vector of the dimension of the given one.
    static func read(_ row: Row, _ column: Int, number: Int64, into vector: inout [Float]) throws {
        try row.withUnsafeData(atIndex: column) { data in
            guard let data, data.count == vector.count * 4 else {
                throw RowFault(
                    row: number,
                    reason: "its vector has \(data?.count ?? 0) bytes, its partition's have \(vector.count * 4)")
            }
            data.withUnsafeBytes { bytes in
                for position in vector.indices {
                    let pattern = bytes.loadUnaligned(fromByteOffset: position * 4, as: UInt32.self)
                    vector[position] = Float(bitPattern: UInt32(littleEndian: pattern))
                }
            }
        }
    }

    static func attributes(_ row: Row, _ column: Int, number: Int64) throws -> [Attribute] {
        do {
            return try Self.bytes(row, column).map(AttributesText.decode) ?? []
        } catch let fault as AttributesText.Malformed {
            throw RowFault(row: number, reason: "its attributes cannot be read at offset \(fault.offset)")
        }
    }

    static func data(_ digest: Digest) -> Data { Data(digest.bytes) }

    private static func data(_ id: EntryID) -> Data {
        Data(id.bytes)
    }

    static func id(_ row: Row, _ column: Int) throws -> EntryID {
        try row.withUnsafeData(atIndex: column) { data in
            guard let data, data.count == 16 else { throw RowFault(row: row[0] as Int64? ?? 0, reason: "it has no id") }
            return data.withUnsafeBytes {
                EntryID(
                    high: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                    low: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            }
        }
    }

    static func integer(_ row: Row, _ column: Int) throws -> Int64 {
        guard let value = row[column] as Int64? else {
            throw RowFault(row: row[0] as Int64? ?? 0, reason: "it lacks a number")
        }
        return value
    }

    static func bytes(_ row: Row, _ column: Int) throws -> [UInt8]? {
        try row.withUnsafeData(atIndex: column) { $0.map { [UInt8]($0) } }
    }
}
