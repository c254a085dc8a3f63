// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import FoundationEssentials
import GRDB

/// Reads and writes rows of the table `vectors`: texts' vectors, by digests of the texts.
///
/// Belongs to the writer, but for reading. `used` grows with each use, so that what was not used for the longest time is
/// where it is smallest.
struct VectorRows {
    private let maximumBytes: Int
    /// What is not known yet, or not for certain any more, is read when it is needed.
    private var known: (bytes: Int, used: Int64)?

    /// - Parameter maximumBytes: Of all vectors, with ``Limits/keptVectorOverhead`` for each.
    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    // MARK: Reading

    /// - Returns: For each key its vector, if it is there, of the model and sound.
    static func vectors(
        _ keys: [Digest], identity: Digest, dimensions: Int, in database: Database
    ) throws -> [Embedding?] {
        let statement = try database.cachedStatement(sql: "SELECT vector FROM vectors WHERE key = ? AND identity = ?")
        return try keys.map { key in
            let arguments: StatementArguments = [EntryRows.data(key), EntryRows.data(identity)]
            guard let data = try Data.fetchOne(statement, arguments: arguments), data.count == dimensions * 4 else {
                return nil
            }
            let values = data.withUnsafeBytes { bytes in
                (0..<dimensions).map { position in
                    let pattern = bytes.loadUnaligned(fromByteOffset: position * 4, as: UInt32.self)
                    return Float(bitPattern: UInt32(littleEndian: pattern))
                }
            }
            return Similarity.isUnitLength(values) ? Embedding(unitLength: values) : nil
        }
    }

    // MARK: Writing

    /// - Parameter uses: Keys of vectors that were read since the last time.
    mutating func remember(_ vectors: [KeptVector], identity: Digest, uses: [Digest], in database: Database) throws {
        var (bytes, used) = try self.known ?? Self.read(database)
        self.known = nil
        for key in uses {
            used += 1
            try database.cachedStatement(sql: "UPDATE vectors SET used = ? WHERE key = ?")
                .execute(arguments: [used, EntryRows.data(key)])
        }
        for kept in vectors {
            used += 1
            let old = try Int.fetchOne(
                database.cachedStatement(sql: "SELECT length(vector) FROM vectors WHERE key = ?"),
                arguments: [EntryRows.data(kept.key)])
            bytes += Self.weight(kept.vector.dimensions * 4) - (old.map { Self.weight($0) } ?? 0)
            try database.cachedStatement(
                sql: "INSERT OR REPLACE INTO vectors (key, tenant, identity, used, vector) VALUES (?, ?, ?, ?, ?)"
            ).execute(arguments: [
                EntryRows.data(kept.key), EntryRows.data(kept.tenant.key), EntryRows.data(identity), used,
                EntryRows.data(kept.vector),
            ])
        }
        while bytes > self.maximumBytes, let removed = try Self.removeOldest(in: database) {
            bytes -= Self.weight(removed)
        }
        self.known = (bytes, used)
    }

    mutating func removeAll(of tenant: TenantID, in database: Database) throws {
        self.known = nil
        try database.cachedStatement(sql: "DELETE FROM vectors WHERE tenant = ?")
            .execute(arguments: [EntryRows.data(tenant.key)])
    }

    /// What was written may have been taken back.
    mutating func distrust() { self.known = nil }

    private static func weight(_ bytes: Int) -> Int { bytes + Limits.keptVectorOverhead }

    private static func read(_ database: Database) throws -> (bytes: Int, used: Int64) {
        let statement = try database.cachedStatement(
            sql: "SELECT count(*), coalesce(sum(length(vector)), 0), coalesce(max(used), 0) FROM vectors")
        guard let row = try Row.fetchOne(statement) else { return (0, 0) }
        let (count, bytes) = (try EntryRows.integer(row, 0), try EntryRows.integer(row, 1))
        return (Int(count) * Limits.keptVectorOverhead + Int(bytes), try EntryRows.integer(row, 2))
    }

    /// - Returns: The bytes of its vector; `nil` if there is none left.
    private static func removeOldest(in database: Database) throws -> Int? {
        try Int.fetchOne(
            database.cachedStatement(
                sql: """
                    DELETE FROM vectors WHERE rowid = (SELECT rowid FROM vectors ORDER BY used LIMIT 1)
                    RETURNING length(vector)
                    """))
    }
}
