// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB

/// Reads and writes rows of the table `versions`.
///
/// A tenant's row counts its removals as a whole and all of its changes, a cache's row the removals from it alone.
enum VersionRows {
    struct Growth {
        var epoch: Int64 = 0
        var sequence: Int64 = 0
    }

    static func add(_ growth: [Digest: Growth], in database: Database) throws {
        for (key, growth) in growth {
            try database.cachedStatement(
                sql: """
                    INSERT INTO versions (key, epoch, sequence) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE
                    SET epoch = epoch + excluded.epoch, sequence = sequence + excluded.sequence
                    """
            ).execute(arguments: [EntryRows.data(key), growth.epoch, growth.sequence])
        }
    }

    /// - Returns: `nil` if the numbers are none that this service writes.
    static func version(of cache: CacheScope, in database: Database) throws -> CacheVersion? {
        let statement = try database.cachedStatement(
            sql: "SELECT coalesce(sum(epoch), 0), coalesce(sum(sequence), 0) FROM versions WHERE key IN (?, ?)")
        let keys: StatementArguments = [EntryRows.data(cache.key), EntryRows.data(cache.tenant.tenant.key)]
        guard let row = try Row.fetchOne(statement, arguments: keys),
            let epoch = UInt64(exactly: try EntryRows.integer(row, 0)),
            let sequence = UInt64(exactly: try EntryRows.integer(row, 1))
        else { return nil }
        return CacheVersion(epoch: epoch, sequence: sequence)
    }
}
