// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import FoundationEssentials
import GRDB

/// Reads and writes what is known of decisions: the log of records and what was learnt from it.
enum DecisionRows {
    /// Greatest number of a record: nobody has ever appended so many, and there is a next one.
    private static let lastNumbers = 0...Int64.max >> 1

    /// - Returns: The number of the last.
    static func append(_ records: [[UInt8]], to cache: CacheScope, in database: Database) throws -> UInt64 {
        var number = try self.last(of: cache, in: database)
        if records.isEmpty { return UInt64(number) }
        let insert = try database.cachedStatement(
            sql: "INSERT INTO decision_records (cache, number, record) VALUES (?, ?, ?)")
        for record in records {
            number += 1
            try insert.execute(arguments: [EntryRows.data(cache.key), number, Data(record)])
        }
        try database.cachedStatement(
            sql: """
                INSERT INTO decision_logs (cache, tenant, last) VALUES (?, ?, ?)
                ON CONFLICT (cache) DO UPDATE SET last = excluded.last
                """
        ).execute(arguments: [EntryRows.data(cache.key), EntryRows.data(cache.tenant.tenant.key), number])
        try database.cachedStatement(sql: "DELETE FROM decision_records WHERE cache = ? AND number <= ?")
            .execute(arguments: [EntryRows.data(cache.key), number - Int64(Limits.maximumDecisionRecords)])
        return UInt64(number)
    }

    private static func last(of cache: CacheScope, in database: Database) throws -> Int64 {
        let statement = try database.cachedStatement(sql: "SELECT last FROM decision_logs WHERE cache = ?")
        let last = try Int64.fetchOne(statement, arguments: [EntryRows.data(cache.key)]) ?? 0
        guard self.lastNumbers.contains(last) else {
            // Of this cache alone: changes of others are in the same transaction.
            throw VectorStoreError(.corrupt, "the number of a cache's last record cannot be \(last)")
        }
        return last
    }

    static func page(
        of cache: CacheScope, after number: UInt64, in database: Database
    ) throws -> DecisionRecordPage {
        let last = UInt64(try self.last(of: cache, in: database))
        guard number < last else { return DecisionRecordPage(first: 0, records: [], last: last) }
        let statement = try database.cachedStatement(
            sql: "SELECT number, record FROM decision_records WHERE cache = ? AND number > ? ORDER BY number LIMIT ?")
        var (first, records) = (UInt64(0), [[UInt8]]())
        let rows = try Row.fetchCursor(
            statement, arguments: [EntryRows.data(cache.key), Int64(number), Limits.maximumDecisionRecordPage])
        while let row = try rows.next() {
            if records.isEmpty { first = UInt64(max(0, try EntryRows.integer(row, 0))) }
            records.append(try EntryRows.bytes(row, 1) ?? [])
        }
        return DecisionRecordPage(first: first, records: records, last: last)
    }

    static func snapshot(of cache: CacheScope, in database: Database) throws -> DecisionSnapshot? {
        let statement = try database.cachedStatement(
            sql: "SELECT up_to, bytes FROM decision_snapshots WHERE cache = ?")
        guard let row = try Row.fetchOne(statement, arguments: [EntryRows.data(cache.key)]) else { return nil }
        return DecisionSnapshot(
            upTo: UInt64(bitPattern: try EntryRows.integer(row, 0)), bytes: try EntryRows.bytes(row, 1) ?? [])
    }

    /// - Returns: Whether it is kept.
    static func save(_ snapshot: DecisionSnapshot, of cache: CacheScope, in database: Database) throws -> Bool {
        let statement = try database.cachedStatement(sql: "SELECT up_to FROM decision_snapshots WHERE cache = ?")
        let known = try Int64.fetchOne(statement, arguments: [EntryRows.data(cache.key)])
        if let known, UInt64(bitPattern: known) >= snapshot.upTo { return false }
        try database.cachedStatement(
            sql: "INSERT OR REPLACE INTO decision_snapshots (cache, tenant, up_to, bytes) VALUES (?, ?, ?, ?)"
        ).execute(arguments: [
            EntryRows.data(cache.key), EntryRows.data(cache.tenant.tenant.key), Int64(bitPattern: snapshot.upTo),
            Data(snapshot.bytes),
        ])
        return true
    }

    /// But for the number of the last record.
    static func removeAll(of tenant: TenantID, in database: Database) throws {
        for sql in [
            "DELETE FROM decision_records WHERE cache IN (SELECT cache FROM decision_logs WHERE tenant = ?)",
            "DELETE FROM decision_snapshots WHERE tenant = ?",
            "DELETE FROM blocked_questions WHERE tenant = ?",
        ] {
            try database.cachedStatement(sql: sql).execute(arguments: [EntryRows.data(tenant.key)])
        }
    }
}

/// Reads and writes rows of the table `blocked_questions`.
enum BlockedRows {
    /// - Returns: Whether the question had none. One that has as many as it may have gets no more.
    static func add(_ pair: BlockedPair, in partition: Partition, in database: Database) throws -> Bool {
        let known = try self.pairs(of: pair.question, in: partition, in: database)
        if known.contains(pair) || known.count >= Limits.maximumBlocksPerQuestion { return false }
        let pairs = known + [pair]
        try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO blocked_questions (cache, partition, question, tenant, pairs)
                VALUES (?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            EntryRows.data(partition.cache.key), EntryRows.data(partition.key), Data(pair.question.bytes),
            EntryRows.data(partition.cache.tenant.tenant.key), Data(pairs.flatMap(\.bytes)),
        ])
        return known.isEmpty
    }

    static func pairs(of question: EntryID, in partition: Partition, in database: Database) throws -> [BlockedPair] {
        let statement = try database.cachedStatement(
            sql: "SELECT pairs FROM blocked_questions WHERE cache = ? AND partition = ? AND question = ?")
        let key: StatementArguments = [
            EntryRows.data(partition.cache.key), EntryRows.data(partition.key), Data(question.bytes),
        ]
        guard let bytes = try Data.fetchOne(statement, arguments: key) else { return [] }
        guard let pairs = BlockedPair.pairs(of: question, [UInt8](bytes)) else {
            throw VectorStoreError(.corrupt, "the blocks of a question cannot be read")
        }
        return pairs
    }

    /// All, with the keys of their caches and tenants.
    static func questions(
        in database: Database
    ) throws -> [(cache: (key: Digest, tenant: Digest), question: BlockedQuestions.Question)] {
        let rows = try Row.fetchCursor(
            database, sql: "SELECT partition, question, cache, tenant FROM blocked_questions")
        var all: [(cache: (key: Digest, tenant: Digest), question: BlockedQuestions.Question)] = []
        while let row = try rows.next() {
            guard let partition = try EntryRows.bytes(row, 0).flatMap({ Digest(bytes: $0) }),
                let question = try EntryRows.bytes(row, 1).flatMap({ EntryID(bytes: $0) }),
                let cache = try EntryRows.bytes(row, 2).flatMap({ Digest(bytes: $0) }),
                let tenant = try EntryRows.bytes(row, 3).flatMap({ Digest(bytes: $0) })
            else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a blocked question cannot be read") }
            all.append(((cache, tenant), BlockedQuestions.Question(partition: partition, id: question)))
        }
        return all
    }
}
