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
            file: self.file, tables: tables, maximumQueuedBytes: 1 << 20, clock: { ms(0) }, logger: silent)
        var random = SeededGenerator(seed: 6)
        self.vector = random.vector()
    }

    func put(_ prompt: String) throws {
        let refusal = self.writer.submit(
            .put(try entry(prompt, in: self.home), self.vector, self.home) { [answers] in
                answers.add($0) { $0 ? "replaced" : "new" }
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
        #expect(self.catalogue.caches(of: self.home.cache.tenant).isEmpty)
        #expect(self.catalogue.indexBytes == 0)
        let revived = try DatabaseFile(path: self.folder.file, readers: 1, maximumBytes: nil)
        #expect(try Loading.run(revived).entries == 0)
    }
}
