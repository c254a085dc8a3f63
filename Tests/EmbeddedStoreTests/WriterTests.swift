// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB
import Synchronization
import Testing

@testable import EmbeddedStore

/// The writer with changes that were all waiting before it began, so that they are of one batch.
@Suite struct WriterTests {
    let folder: Folder
    let file: DatabaseFile
    let catalogue: Catalogue
    let writer: StoreWriter
    let answers = Answers()
    let home = partition()
    let vector: Embedding

    /// What the callers were told, in order.
    final class Answers: Sendable {
        private let texts = Mutex<[String]>([])

        var all: [String] { self.texts.withLock { $0 } }

        func add<Value>(_ result: Result<Value, VectorStoreError>, _ text: (Value) -> String) {
            let answer: String
            switch result {
            case .success(let value): answer = text(value)
            case .failure(let error): answer = error.code.rawValue
            }
            self.texts.withLock { $0.append(answer) }
        }
    }

    init() throws {
        self.folder = try Folder()
        self.file = try DatabaseFile(path: self.folder.file, readers: 2, maximumBytes: nil)
        let (tables, _) = try Loading.run(self.file)
        self.catalogue = tables.catalogue
        self.writer = StoreWriter(
            file: self.file, tables: tables, vectors: VectorRows(maximumBytes: 1 << 20),
            maximumQueuedBytes: 1 << 20, logger: silent)
        var random = SeededGenerator(seed: 6)
        self.vector = random.vector()
    }

    func put(_ prompt: String, quota: StoreQuota = .unlimited) throws {
        let refusal = self.writer.submit(
            .put(try entry(prompt, in: self.home), self.vector, self.home, quota, nil) { [answers] in
                answers.add($0) { result in
                    let evicted = result.evicted.isEmpty ? "" : ", evicted \(result.evicted.count)"
                    return (result.isReplacement ? "replaced" : "new") + evicted
                }
            })
        #expect(refusal == nil)
    }

    func remove(_ selector: RemovalSelector) {
        let refusal = self.writer.submit(
            .remove(selector, isDryRun: false, now: ms(0)) { [answers] in answers.add($0) { "removed \($0.count)" } })
        #expect(refusal == nil)
    }

    func mayContain(_ prompt: String) throws -> Bool {
        let id = self.home.entryID(of: try CanonicalPrompt(prompt))
        return self.catalogue.partition(self.home.key)?.mayContain(id) ?? false
    }

    @Test func `removals see the puts before them in the batch and not those after`() throws {
        let radius = RemovalSelector.radius(self.vector, similarity: 0.9, in: self.home)
        let id = self.home.entryID(of: try CanonicalPrompt("a"))
        try self.put("a")
        try self.put("b")
        self.remove(radius)
        try self.put("a")
        self.remove(.ids([id], in: self.home.cache))
        try self.put("a")
        try self.put("a")
        self.remove(.cache(self.home.cache))
        try self.put("a")
        self.remove(.entry(id, in: self.home))
        try self.put("b")
        try self.put("a")
        self.remove(radius)
        try self.put("c")
        self.writer.close()
        self.writer.run()
        #expect(
            self.answers.all == [
                "new", "new", "removed 2", "new", "removed 1", "new", "replaced", "removed 1", "new", "removed 1",
                "new", "new", "removed 2", "new",
            ])
        #expect(try [self.mayContain("a"), self.mayContain("b"), self.mayContain("c")] == [false, false, true])
    }

    @Test func `a batch larger than the quota never exceeds it and refuses nobody`() throws {
        for position in 0..<10 { try self.put("q\(position)", quota: StoreQuota(entries: 3, bytes: nil)) }
        try self.put("q9", quota: StoreQuota(entries: 3, bytes: nil))
        // No transaction leaves more than the quota in the file.
        try self.file.pool.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE parents (id INTEGER PRIMARY KEY);
                    CREATE TABLE children (parent REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
                    CREATE TRIGGER doom AFTER INSERT ON entries WHEN (SELECT count(*) FROM entries) > 3
                        BEGIN INSERT INTO children VALUES (1); END;
                    """)
        }
        self.writer.close()
        self.writer.run()
        let expected = Array(repeating: "new", count: 3) + Array(repeating: "new, evicted 1", count: 7) + ["replaced"]
        #expect(self.answers.all == expected)
        #expect(try (0..<10).map { try self.mayContain("q\($0)") } == (0..<10).map { $0 > 6 })
    }

    @Test func `an entry that comes back in the batch that evicted it is there`() throws {
        for prompt in ["a", "b", "c", "a", "b", "c", "a"] {
            try self.put(prompt, quota: StoreQuota(entries: 2, bytes: nil))
        }
        self.writer.close()
        self.writer.run()
        #expect(self.answers.all == ["new", "new"] + Array(repeating: "new, evicted 1", count: 5))
        #expect(try ["a", "b", "c"].map(self.mayContain) == [true, false, true])
    }

    @Test func `a commit that fails leaves file and memory as they were`() throws {
        // What a trigger writes breaks a foreign key that is looked at when the transaction is committed.
        try self.file.pool.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE parents (id INTEGER PRIMARY KEY);
                    CREATE TABLE children (parent REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
                    CREATE TRIGGER doom AFTER INSERT ON entries WHEN NEW.created_ms = 0
                        BEGIN INSERT INTO children VALUES (1); END;
                    """)
        }
        try self.put("a")
        try self.put("b")
        self.writer.close()
        self.writer.run()
        #expect(self.answers.all == ["unavailable", "unavailable"])
        #expect(try self.mayContain("a") == false)
        #expect(self.catalogue.tenant(self.home.cache.tenant)?.caches.isEmpty != false)
        #expect(self.catalogue.indexBytes == 0)
        let revived = try DatabaseFile(path: self.folder.file, readers: 1, maximumBytes: nil)
        #expect(try Loading.run(revived).entries == 0)
    }
}
