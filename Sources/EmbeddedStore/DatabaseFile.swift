// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import GRDB
import Glibc
import Synchronization

/// The open SQLite file, which no other process has.
final class DatabaseFile: Sendable {
    let path: String
    let pool: DatabasePool
    /// Descriptor of the lock file. What is in memory mirrors the file, so a second writer would go unseen.
    private let lock: Mutex<Int32>

    /// Opens the file, or creates it, readable by its owner only.
    ///
    /// - Throws: ``VectorStoreError`` with `.corrupt` for a damaged file, `.unavailable` for one that is another
    ///   program's, of a newer version, in use, or not accessible.
    init(path: String, readers: Int, maximumBytes: Int?) throws(VectorStoreError) {
        self.path = path
        let lock = try Self.lock(path)
        do {
            try Self.create(path)
            try Self.checkHeader(path)
            self.pool = try Self.open(path, readers: readers, maximumBytes: maximumBytes)
        } catch {
            Glibc.close(lock)
            throw VectorStoreError(error, while: "open", path: path)
        }
        self.lock = Mutex(lock)
    }

    deinit { self.unlock() }

    /// Writes everything into the main file and closes it, once the reads under way have ended.
    func close() throws {
        // Only saves the next start the work: with a reader in the way, the write-ahead log stays and is read then.
        try? self.pool.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        }
        try self.pool.close()
        self.unlock()
    }

    private func unlock() {
        self.lock.withLock { descriptor in
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
        }
    }

    // MARK: Opening

    private static func open(_ path: String, readers: Int, maximumBytes: Int?) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.maximumReaderCount = readers
        configuration.busyMode = .timeout(5)
        configuration.label = "store"
        configuration.prepareDatabase { database in
            // Bytes, of a new file: three entries of common size fit into a page, of 4096 only one would.
            try database.execute(sql: "PRAGMA page_size = 8192")
            // KiB; random ids touch pages all over the indexes.
            try database.execute(sql: "PRAGMA cache_size = \(database.configuration.readonly ? -4096 : -32768)")
        }
        let pool = try DatabasePool(path: path, configuration: configuration)
        try pool.writeWithoutTransaction { database in
            // The pool has set NORMAL, with which the last commits could be lost with the power.
            try database.execute(sql: "PRAGMA synchronous = FULL")
            // Pages; a checkpoint moves them into the main file, and pages that change often are moved less often.
            try database.execute(sql: "PRAGMA wal_autocheckpoint = 8192")
            try database.execute(sql: "PRAGMA journal_size_limit = \(128 << 20)")
            try Self.prepareSchema(database, path: path)
            if let maximumBytes, let pageBytes = try Int.fetchOne(database, sql: "PRAGMA page_size") {
                try database.execute(sql: "PRAGMA max_page_count = \(max(1, maximumBytes / pageBytes))")
            }
        }
        try Self.syncFolder(of: path)
        return pool
    }

    private static func prepareSchema(_ database: Database, path: String) throws {
        let application = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let version = try Int32.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        if application == 0 {
            guard try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0 else {
                throw Self.foreign(path)
            }
            try database.inTransaction(.immediate) {
                try database.execute(sql: Schema.statements)
                return .commit
            }
            // So that the version is in the main file, where the next start looks first.
            try database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            return
        }
        try Self.check(application: application, version: version, path: path)
        if let fault = try String.fetchOne(database, sql: "PRAGMA quick_check(1)"), fault != "ok" {
            throw VectorStoreError.damaged(path, fault)
        }
        if version < Schema.version { try Self.bringUp(database, from: version) }
    }

    /// Brings the tables of an older version up to this one's, all or nothing. Needs room for as much again.
    private static func bringUp(_ database: Database, from version: Int32) throws {
        for function in [Schema.attributeBytes, Schema.answerCluster] { database.add(function: function) }
        defer { for function in [Schema.attributeBytes, Schema.answerCluster] { database.remove(function: function) } }
        try database.inTransaction(.immediate) {
            let steps = [
                Schema.fromVersion1, Schema.fromVersion2, Schema.fromVersion3, Schema.fromVersion4, Schema.fromVersion5,
                Schema.fromVersion6,
            ]
            try database.execute(sql: steps[Int(version) - 1])
            return .commit
        }
        try database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
    }

    private static func check(application: Int32, version: Int32, path: String) throws(VectorStoreError) {
        guard application == Schema.applicationID else { throw Self.foreign(path) }
        guard version <= Schema.version else {
            throw VectorStoreError(
                .unavailable,
                "\(path) was written by a newer version (its schema is \(version), this version knows up to "
                    + "\(Schema.version)); use that version, or move the file away to start with an empty cache")
        }
        guard version > 0 else { throw .damaged(path, "it has no schema version") }
    }

    private static func foreign(_ path: String) -> VectorStoreError {
        VectorStoreError(.unavailable, "\(path) is a database of another program; name another file")
    }

    /// Looks at the first bytes before SQLite does, which would begin by changing another program's journal mode.
    private static func checkHeader(_ path: String) throws(VectorStoreError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.inaccessible(path, "open") }
        defer { Glibc.close(descriptor) }
        var header = [UInt8](repeating: 0, count: 100)
        let count = Glibc.read(descriptor, &header, header.count)
        guard count >= 0 else { throw Self.inaccessible(path, "read") }
        if count == 0 { return }
        guard count == header.count, header.starts(with: Array("SQLite format 3\0".utf8)) else {
            throw .damaged(path, "it does not begin as a SQLite file does")
        }
        func number(at offset: Int) -> Int32 {
            Int32(bitPattern: header[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
        }
        // A start that was cut short leaves one page without tables, and what it wrote in the write-ahead log.
        if number(at: 68) == 0 && number(at: 28) <= 1 { return }
        try Self.check(application: number(at: 68), version: number(at: 60), path: path)
    }

    // MARK: The file system

    private static func lock(_ path: String) throws(VectorStoreError) -> Int32 {
        let name = path + ".lock"
        let descriptor = Glibc.open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.inaccessible(name, "create") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(descriptor)
            throw VectorStoreError(.unavailable, "\(path) is in use by another process; end it or name another file")
        }
        return descriptor
    }

    private static func create(_ path: String) throws(VectorStoreError) {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.inaccessible(path, "open") }
        Glibc.close(descriptor)
    }

    /// Makes a new file's name as durable as its content.
    private static func syncFolder(of path: String) throws(VectorStoreError) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.inaccessible(folder, "open") }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.inaccessible(folder, "sync") }
    }

    private static func inaccessible(_ path: String, _ action: String) -> VectorStoreError {
        let reason = String(cString: strerror(errno))
        return VectorStoreError(
            .unavailable, "could not \(action) \(path): \(reason); its folder must exist and be this user's to write in"
        )
    }
}
