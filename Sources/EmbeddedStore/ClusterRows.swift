// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials
import GRDB

/// Reads and writes rows of the table `clusters`: in which cluster the entry of a row is.
///
/// Apart from the entries, whose rows would have to be written anew, with their responses, where one changes; and apart
/// from the pages of large responses, so that reading all of them at the start is cheap. For searches memory has them.
enum ClusterRows {
    static func write(_ cluster: AnswerCluster, row: Int64, in database: Database) throws {
        try database.cachedStatement(sql: "INSERT OR REPLACE INTO clusters (row, cluster) VALUES (?, ?)")
            .execute(arguments: [row, Data(cluster.bytes)])
    }

    static func delete(row: Int64, in database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM clusters WHERE row = ?").execute(arguments: [row])
    }

    /// Before the partition's entries are deleted.
    static func deleteAll(of partition: Int64, in database: Database) throws {
        try database.cachedStatement(
            sql: "DELETE FROM clusters WHERE row IN (SELECT row FROM entries WHERE partition = ?)"
        ).execute(arguments: [partition])
    }

    /// The cluster of a row that has none, as it was when the row was stored: that of its response.
    static func ofResponse(of row: Int64, in database: Database) throws -> AnswerCluster {
        let statement = try database.cachedStatement(sql: "SELECT response FROM entries WHERE row = ?")
        // A response of no bytes comes as data of none.
        let response = try Data.fetchOne(statement, arguments: [row]) ?? Data()
        return AnswerCluster(of: [UInt8](response))
    }

    /// - Returns: `nil` if there is none.
    static func cluster(_ row: Row, _ column: Int) throws -> AnswerCluster? {
        try row.withUnsafeData(atIndex: column) { data in
            guard let data, data.count == 16 else { return nil }
            return data.withUnsafeBytes {
                AnswerCluster(
                    high: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                    low: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            }
        }
    }
}
