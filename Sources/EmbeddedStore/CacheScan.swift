// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import FoundationEssentials
import GRDB

/// One call's share of a scan of a cache, on a reader's thread.
///
/// Partitions come in the order of their keys, entries of one in the order of their ids. Neither changes while an entry
/// stays, even where it is replaced, which gives it another row. Memory tells which entries are next; the file has them.
struct CacheScan {
    private let query: ScanQuery
    private let now: Timestamp
    private let catalogue: Catalogue
    private var entries: [ExportedEntry] = []
    /// Everything up to here is in a page, or is not meant.
    private var reached: ScanPosition?
    /// What the page may still take.
    private var bytes = Limits.maximumExportPageBytes
    /// How many entries and partitions may still be looked at.
    private var examinations = Limits.maximumExportExamined

    /// - Parameter number: Of the cache, in the file.
    static func run(
        _ query: ScanQuery, cache number: Int64, at now: Timestamp, _ catalogue: Catalogue, _ database: Database
    ) throws -> ScanPage {
        var scan = Self(query: query, now: now, catalogue: catalogue)
        let isDone = try scan.readPartitions(of: number, database)
        return ScanPage(entries: scan.entries, next: isDone ? nil : scan.reached)
    }

    private init(query: ScanQuery, now: Timestamp, catalogue: Catalogue) {
        self.query = query
        self.now = now
        self.catalogue = catalogue
        self.reached = query.position
    }

    private var isPageFull: Bool {
        self.entries.count == self.query.count || self.bytes <= 0 || self.examinations <= 0
    }

    /// - Returns: Whether there are no more.
    private mutating func readPartitions(of cache: Int64, _ database: Database) throws -> Bool {
        let statement = try database.cachedStatement(
            sql: """
                SELECT partition, key, scheme, identity, vary, context FROM partitions
                WHERE cache = ? AND key >= ? ORDER BY key
                """)
        let start = self.query.position.map { EntryRows.data($0.partition) } ?? Data()
        let rows = try Row.fetchCursor(statement, arguments: [cache, start])
        while let row = try rows.next() {
            if self.isPageFull { return false }
            self.examinations -= 1
            let home = try Home(row, plain: self.query.plain)
            if home.origin.isCurrent(identities: [self.query.plain.identity]) {
                guard try self.readEntries(of: home, database) else { return false }
            }
            self.reached = ScanPosition(endOf: home.key)
        }
        return true
    }

    /// - Returns: Whether the partition has no more.
    private mutating func readEntries(of home: Home, _ database: Database) throws -> Bool {
        // Not there if it has just been removed or is just being added.
        guard let memory = self.catalogue.partition(home.key) else { return true }
        while true {
            let last = self.reached.flatMap { $0.partition == home.key ? $0.id : nil }
            // With a filter, many are looked at for one that it takes.
            let room = self.query.count - self.entries.count
            let limit = self.query.filter == nil ? room : max(1, self.examinations)
            let stretch = memory.stretch(after: last, atMost: limit, at: self.now, filter: self.query.filter)
            self.examinations -= stretch.count
            for id in stretch.taken {
                if self.entries.count == self.query.count { return false }
                if let entry = try self.entry(id, of: home, database) {
                    let bytes = entry.replyBytes
                    if bytes > self.bytes && !self.entries.isEmpty { return false }
                    self.entries.append(entry)
                    self.bytes -= bytes
                }
                self.reached = ScanPosition(partition: home.key, id: id)
            }
            if stretch.count < limit { return true }
            if let last = stretch.last { self.reached = ScanPosition(partition: home.key, id: last) }
            if self.isPageFull { return false }
        }
    }

    /// - Returns: `nil` if it is not there any more, or is another one that is not meant.
    private func entry(_ id: EntryID, of home: Home, _ database: Database) throws -> ExportedEntry? {
        guard let entry = try EntryRows.entry(id, partition: home.number, in: database), entry.expiresAt > self.now,
            self.query.filter?.matches(entry.attributes) ?? true
        else { return nil }
        return ExportedEntry(entry: entry, vary: home.vary, context: home.context)
    }

    /// A partition as the file has it.
    private struct Home {
        let number: Int64
        let key: Digest
        let origin: PartitionOrigin
        let vary: [VaryPart]?
        let context: Digest?

        init(_ row: Row, plain: Partition) throws {
            let number = try EntryRows.integer(row, 0)
            guard let key = try EntryRows.bytes(row, 1).flatMap({ Digest(bytes: $0) }) else { throw Self.fault(number) }
            self.number = number
            self.key = key
            self.origin = try EntryRows.origin(row, 2)
            if let text = try EntryRows.bytes(row, 4) {
                guard let parts = try? AttributesText.decode(text) else { throw Self.fault(number) }
                self.vary = try parts.map { attribute in
                    guard let part = VaryPart(attribute) else { throw Self.fault(number) }
                    return part
                }
            } else {
                self.vary = key == plain.key ? [] : nil
            }
            self.context = try EntryRows.bytes(row, 5).flatMap { Digest(bytes: $0) }
        }

        private static func fault(_ number: Int64) -> DatabaseError {
            DatabaseError(
                resultCode: .SQLITE_CORRUPT, message: "partition \(number): its key or vary parts cannot be read")
        }
    }
}

extension VaryPart {
    var attribute: Attribute { Attribute(name: self.name, value: .string(self.value)) }

    init?(_ attribute: Attribute) {
        guard case .string(let value) = attribute.value else { return nil }
        self.init(name: attribute.name, value: value)
    }
}
