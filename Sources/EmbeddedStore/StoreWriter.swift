// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB
import Logging
import Synchronization

/// The one thread that changes the store.
///
/// It takes what changes are waiting, applies them in one transaction, commits it with one sync of the disk, lets
/// memory follow, and only then answers the callers. So no reader meets an entry whose commit failed, memory is never
/// ahead of the file, and removals are in line with puts. If the commit fails, every caller of the batch learns it and
/// both file and memory are as before.
final class StoreWriter: @unchecked Sendable {
    // `@unchecked`: `tables` and `vectors` belong to the writer's thread alone, from `run` on.

    typealias Completion<Value> = @Sendable (Result<Value, VectorStoreError>) -> Void

    enum Change: Sendable {
        case put(CacheEntry, Embedding, Partition, StoreQuota, LeaseToken?, Completion<PutResult>)
        case remove(RemovalSelector, isDryRun: Bool, now: Timestamp, Completion<RemovalResult>)
        /// A step of removing what has expired; the next one goes to the end of the queue.
        case sweep(now: Timestamp, removed: Int, Completion<Int>)
        /// Keeps texts' vectors.
        case remember([KeptVector], identity: Digest, Completion<Void>)
        case decision(DecisionChange)

        /// Whether it looks at memory, which must have followed all changes before.
        var needsMemory: Bool {
            switch self {
            case .remove(.ids, _, _, _), .remove(.entry, _, _, _), .put, .remember, .decision: false
            case .remove, .sweep: true
            }
        }

        /// Bytes that it holds while it waits, roughly.
        var bytes: Int {
            switch self {
            case .put(let entry, let embedding, _, _, _, _): entry.approximateBytes + embedding.dimensions * 4
            case .remove(.ids(let ids, _), _, _, _): ids.count * MemoryLayout<EntryID>.stride
            case .remove(.radius(let embedding, _, _), _, _, _): embedding.dimensions * 4
            case .remember(let vectors, _, _): vectors.reduce(0) { $0 + $1.vector.dimensions * 4 }
            case .decision(let change): change.bytes
            case .remove, .sweep: 0
            }
        }

        func fail(_ error: VectorStoreError) {
            switch self {
            case .put(_, _, _, _, _, let completion): completion(.failure(error))
            case .remove(_, _, _, let completion): completion(.failure(error))
            case .sweep(_, _, let completion): completion(.failure(error))
            case .remember(_, _, let completion): completion(.failure(error))
            case .decision(let change): change.fail(error)
            }
        }
    }

    private let file: DatabaseFile
    private let logger: Logger
    private let queue = BlockingQueue<Change>(limit: Limits.storeQueue)
    private let maximumQueuedBytes: Int
    private let queuedBytes = Atomic<Int>(0)
    private let closing = Mutex(Closing())
    /// Of this process alone. Checked and made void in line with the changes.
    let leases = Mutex(LeaseTable())
    private(set) var tables: WriterTables
    private var vectors: VectorRows
    /// Vectors that were read since the last ones were kept.
    private let uses = Mutex<[Digest]>([])
    /// Steps of a sweep that found the queue full.
    private var postponed: [Change] = []

    private struct Closing {
        var isBegun = false
        var isDone = false
        var waiting: [@Sendable () -> Void] = []
    }

    init(
        file: DatabaseFile, tables: WriterTables, vectors: VectorRows, maximumQueuedBytes: Int, logger: Logger
    ) {
        self.file = file
        self.tables = tables
        self.vectors = vectors
        self.maximumQueuedBytes = maximumQueuedBytes
        self.logger = logger
    }

    // MARK: For callers

    /// Hands over a change.
    ///
    /// - Returns: Why it was not taken; its completion will then not be called.
    func submit(_ change: Change) -> VectorStoreError? {
        let bytes = change.bytes
        let total = self.queuedBytes.wrappingAdd(bytes, ordering: .relaxed).newValue
        // A change that is larger than the limit by itself is taken when nothing else waits.
        if total <= max(self.maximumQueuedBytes, bytes), self.queue.append(change) { return nil }
        self.queuedBytes.wrappingSubtract(bytes, ordering: .relaxed)
        return self.isClosed ? Self.closed : VectorStoreError(.overloaded, "too many changes wait to be written")
    }

    var isClosed: Bool { self.closing.withLock { $0.isBegun } }

    static let closed = VectorStoreError(.unavailable, "the store is closed")

    /// Notes that vectors were read; told to the file with the next ones that are kept. Above a limit uses are forgotten.
    func noteUses(_ keys: [Digest]) {
        self.uses.withLock { $0 += keys.prefix(Limits.keptVectorUses - $0.count) }
    }

    /// Finishes what was handed over, then closes the file.
    func close(_ completion: @escaping @Sendable () -> Void = {}) {
        let isDone = self.closing.withLock { closing in
            closing.isBegun = true
            if !closing.isDone { closing.waiting.append(completion) }
            return closing.isDone
        }
        self.queue.close()
        if isDone { completion() }
    }

    // MARK: The thread

    /// Writes until the store is closed.
    func run() {
        while true {
            let taken = self.queue.next(atMost: Limits.storeBatch)
            self.queuedBytes.wrappingSubtract(taken.reduce(0) { $0 + $1.bytes }, ordering: .relaxed)
            if taken.isEmpty { break }
            var changes = (self.postponed + taken)[...]
            self.postponed = []
            while let first = changes.first {
                let together = first.needsMemory ? changes.prefix(1) : changes.prefix { !$0.needsMemory }
                changes = changes.dropFirst(self.write(together))
            }
        }
        for case .sweep(_, let removed, let completion) in self.postponed { completion(.success(removed)) }
        self.shutDown()
    }

    /// Writes changes in one transaction, up to the first that must wait until memory has followed those before it.
    ///
    /// - Parameter changes: Not empty.
    /// - Returns: How many it has answered, with success or not; at least one.
    private func write(_ changes: ArraySlice<Change>) -> Int {
        var draft = Draft()
        var answers: [() -> Void] = []
        answers.reserveCapacity(changes.count)
        do {
            try self.file.pool.writeWithoutTransaction { database in
                try database.beginTransaction(.immediate)
                do {
                    for change in changes {
                        guard let answer = try self.apply(change, isFirst: answers.isEmpty, in: database, &draft) else {
                            break
                        }
                        answers.append(answer)
                    }
                    try VersionRows.add(draft.versions, in: database)
                    try self.tables.catalogue.gate.writing {
                        try database.commit()
                        self.tables.follow(draft)
                    }
                } catch {
                    // Fails if the fault has rolled back already.
                    try? database.rollback()
                    throw error
                }
            }
        } catch {
            self.vectors.distrust()
            let fault = VectorStoreError(error, while: "write to", path: self.file.path)
            self.logger.error("store: \(changes.count) changes failed", metadata: ["reason": "\(fault.message)"])
            for change in changes { change.fail(fault) }
            return changes.count
        }
        for answer in answers { answer() }
        self.tables.tend(draft)
        return answers.count
    }

    /// Applies a change to the file and notes in the draft what memory must do.
    ///
    /// - Parameter isFirst: Whether memory has followed all changes before.
    /// - Returns: What tells the caller, once the change is committed; `nil` if memory must follow before it.
    /// - Throws: What makes the whole transaction void. A fault of this change alone is in the answer instead.
    private func apply(
        _ change: Change, isFirst: Bool, in database: Database, _ draft: inout Draft
    ) throws -> (() -> Void)? {
        switch change {
        case .put(let entry, let embedding, let partition, let quota, let lease, let completion):
            do {
                let result = try self.alone {
                    if let lease { try self.check(lease, on: entry.id, in: partition) }
                    return try self.tables.put(entry, embedding, in: partition, quota: quota, database, &draft)
                }
                return {
                    if case .success = result { self.leases.withLock { $0.end(entry.id, in: partition) } }
                    completion(result)
                }
            } catch is MemoryLags {
                if !isFirst { return nil }
                let path = self.file.path
                return { completion(.failure(.damaged(path, "memory has entries of a tenant that it does not have"))) }
            }
        case .remove(let selector, let isDryRun, let now, let completion):
            var removal = Removal(isDryRun: isDryRun, now: now)
            // Also if it fails: what it meant to remove must not be stored again.
            if !isDryRun { self.leases.withLock { $0.void(selector) } }
            let result = try self.alone {
                try self.tables.remove(selector, &removal, database, &draft)
                if !isDryRun {
                    if case .tenant(let scope) = selector { try self.forget(scope, in: database, &draft) }
                    draft.countRemoval(from: selector.scope)
                }
                return RemovalResult(count: removal.count, sample: removal.sample)
            }
            return { completion(result) }
        case .remember(let vectors, let identity, let completion):
            let uses = self.uses.withLock { uses in
                defer { uses = [] }
                return uses
            }
            let result = try self.alone {
                try self.vectors.remember(vectors, identity: identity, uses: uses, in: database)
            }
            return { completion(result) }
        case .decision(let change): return try self.apply(change, in: database, &draft)
        case .sweep(let now, let removed, let completion):
            let (count, isDone) = try self.tables.sweepStep(at: now, database, &draft)
            return {
                if isDone { return completion(.success(removed + count)) }
                let next = Change.sweep(now: now, removed: removed + count, completion)
                if !self.queue.append(next) { self.postponed.append(next) }
            }
        }
    }

    /// Removes what is kept of a tenant beside its entries.
    private func forget(_ tenant: TenantScope, in database: Database, _ draft: inout Draft) throws {
        try self.vectors.removeAll(of: tenant.tenant, in: database)
        try DecisionRows.removeAll(of: tenant.tenant, in: database)
        draft.tenantsToForget.append(tenant)
    }

    private func check(_ lease: LeaseToken, on id: EntryID, in partition: Partition) throws(VectorStoreError) {
        let isHeld = self.leases.withLock { $0.holds(lease, on: id, in: partition.cache, at: .now) }
        if !isHeld { throw .leaseIsOver }
    }

    /// Turns a fault that voids only one statement into a result; the transaction goes on.
    func alone<Value>(_ body: () throws -> Value) throws -> Result<Value, VectorStoreError> {
        do {
            return .success(try body())
        } catch let fault as VectorStoreError {
            return .failure(fault)
        } catch let fault as DatabaseError {
            switch fault.resultCode {
            case .SQLITE_CONSTRAINT, .SQLITE_TOOBIG, .SQLITE_MISMATCH:
                return .failure(VectorStoreError(fault, while: "write an entry to", path: self.file.path))
            default: throw fault
            }
        }
    }

    private func shutDown() {
        do {
            try self.file.close()
        } catch {
            self.logger.error("store: \(VectorStoreError(error, while: "close", path: self.file.path).message)")
        }
        let waiting = self.closing.withLock { closing in
            closing.isDone = true
            defer { closing.waiting = [] }
            return closing.waiting
        }
        for completion in waiting { completion() }
    }
}
