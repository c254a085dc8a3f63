// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import FoundationEssentials
import GRDB
import Testing

@Suite struct FileTests {
    let folder: Folder
    let home = partition()
    let vector: Embedding

    init() throws {
        self.folder = try Folder()
        var random = SeededGenerator(seed: 5)
        self.vector = random.vector()
    }

    func prompts(_ range: Range<Int>, in store: EmbeddedStore) async throws -> [Bool] {
        var found: [Bool] = []
        for position in range {
            let id = self.home.entryID(of: try CanonicalPrompt("q\(position)"))
            found.append(try await store.entry(id, in: self.home, at: ms(0)) != nil)
        }
        return found
    }

    /// Opens, puts and closes.
    func fill(_ count: Int) async throws {
        let store = try openStore(self.folder.file)
        for position in 0..<count {
            _ = try await store.put(try entry("q\(position)", in: self.home), embedding: self.vector, in: self.home)
        }
        await store.close()
    }

    func change(_ sql: String) throws {
        let queue = try DatabaseQueue(path: self.folder.file)
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try queue.close()
    }

    func refusal() throws -> VectorStoreError {
        try #require(throws: VectorStoreError.self) { try openStore(self.folder.file) }
    }

    @Test func `the file is its owner's alone`() async throws {
        try await self.fill(1)
        let store = try openStore(self.folder.file)
        for name in ["cache.db", "cache.db-wal", "cache.db-shm", "cache.db.lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(self.folder.path)/\(name)")
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
        await store.close()
    }

    @Test func `what was acknowledged is in the file at that moment`() async throws {
        let store = try openStore(self.folder.file)
        for position in 0..<300 {
            _ = try await store.put(
                try entry("q\(position)", in: self.home, response: String(repeating: "x", count: 5000)),
                embedding: self.vector, in: self.home)
            if position % 3 == 0 {
                let id = self.home.entryID(of: try CanonicalPrompt("q\(position)"))
                _ = try await store.remove(.entry(id, in: self.home), dryRun: false, at: ms(0))
            }
            if position % 60 != 59 { continue }
            // What another process would find, had this one been killed now.
            let copy = try Folder()
            for suffix in ["", "-wal"] {
                try FileManager.default.copyItem(atPath: self.folder.file + suffix, toPath: copy.file + suffix)
            }
            let revived = try openStore(copy.file)
            #expect(try await self.prompts(0..<position + 1, in: revived) == (0...position).map { $0 % 3 != 0 })
            await revived.close()
        }
    }

    @Test func `changes that were acknowledged together are in the file together`() async throws {
        let store = try openStore(self.folder.file)
        let entries = try (0..<2000).map { try entry("q\($0)", in: self.home) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for entry in entries {
                group.addTask { _ = try await store.put(entry, embedding: self.vector, in: self.home) }
            }
            try await group.waitForAll()
        }
        let copy = try Folder()
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: self.folder.file + suffix, toPath: copy.file + suffix)
        }
        let revived = try openStore(copy.file)
        #expect(try await self.prompts(0..<2000, in: revived).allSatisfy { $0 })
    }

    @Test func `a full disk refuses puts, keeps what was acknowledged and takes removals`() async throws {
        let store = try openStore(self.folder.file, configuration: .init(maximumFileBytes: 1 << 20))
        var acknowledged = 0
        var refusals: [VectorStoreError] = []
        for position in 0..<200 {
            let entry = try entry("q\(position)", in: self.home, response: String(repeating: "x", count: 20_000))
            do throws(VectorStoreError) {
                _ = try await store.put(entry, embedding: self.vector, in: self.home)
                acknowledged += 1
            } catch {
                refusals.append(error)
            }
        }
        #expect(acknowledged > 20 && refusals.count > 100)
        #expect(refusals.allSatisfy { $0.code == .unavailable && $0.message.contains("free space") })
        #expect(try await self.prompts(0..<200, in: store).count { $0 } == acknowledged)
        let sizes = try await store.sizes(of: self.home.cache.tenant, at: ms(0))
        #expect(sizes.map(\.entries) == [acknowledged])
        let found = try await store.nearest(
            NearestQuery(embedding: self.vector, count: 100, threshold: 0.9), in: self.home, at: ms(0))
        #expect(found.matches.count == acknowledged)
        #expect(try await store.remove(.cache(self.home.cache), dryRun: false, at: ms(0)).count == acknowledged)
        let next = try entry("next", in: self.home)
        #expect(try await store.put(next, embedding: self.vector, in: self.home) == false)
        await store.close()
        let reopened = try openStore(self.folder.file)
        #expect(try await reopened.entry(next.id, in: self.home, at: ms(0)) == next)
    }

    @Test func `a file in use is refused`() async throws {
        let store = try openStore(self.folder.file)
        let refusal = try self.refusal()
        #expect(refusal.code == .unavailable && refusal.message.contains("in use"))
        await store.close()
        await (try openStore(self.folder.file)).close()
    }

    @Test func `a file without a folder is refused with its name`() async throws {
        let refusal = try #require(throws: VectorStoreError.self) { try openStore("\(self.folder.path)/none/cache.db") }
        #expect(refusal.code == .unavailable && refusal.message.contains("none/cache.db"))
    }

    @Test func `a file of a newer version is refused and left alone`() async throws {
        try await self.fill(1)
        try self.change("PRAGMA user_version = 1000")
        let before = try Data(contentsOf: URL(filePath: self.folder.file))
        let refusal = try self.refusal()
        #expect(refusal.code == .unavailable && refusal.message.contains("newer version"))
        #expect(try Data(contentsOf: URL(filePath: self.folder.file)) == before)
    }

    @Test func `another program's database is refused and left alone`() async throws {
        try self.change("CREATE TABLE notes (note TEXT)")
        let before = try Data(contentsOf: URL(filePath: self.folder.file))
        let refusal = try self.refusal()
        #expect(refusal.code == .unavailable && refusal.message.contains("another program"))
        #expect(try Data(contentsOf: URL(filePath: self.folder.file)) == before)
    }

    @Test(arguments: [1, 99, 100, 5000])
    func `what is not a database is refused as damaged`(count: Int) async throws {
        try Data(repeating: 7, count: count).write(to: URL(filePath: self.folder.file))
        let refusal = try self.refusal()
        #expect(refusal.code == .corrupt && refusal.message.contains(self.folder.file))
    }

    @Test func `a file that was cut is refused as damaged`() async throws {
        try await self.fill(300)
        let data = try Data(contentsOf: URL(filePath: self.folder.file))
        for share in [0.2, 0.5, 0.9] {
            let pages = Int(Double(data.count / 8192) * share)
            try data.prefix(pages * 8192).write(to: URL(filePath: self.folder.file))
            let refusal = try self.refusal()
            #expect(refusal.code == .corrupt && refusal.message.contains(self.folder.file))
        }
    }

    @Test func `a file with pages overwritten is refused as damaged`() async throws {
        try await self.fill(300)
        let data = try Data(contentsOf: URL(filePath: self.folder.file))
        for page in [2, data.count / 8192 / 3, data.count / 8192 / 2] {
            var damaged = data
            damaged.replaceSubrange(page * 8192..<(page + 1) * 8192, with: Data(repeating: 0xa5, count: 8192))
            try damaged.write(to: URL(filePath: self.folder.file))
            let refusal = try self.refusal()
            #expect(refusal.code == .corrupt && refusal.message.contains(self.folder.file), "page \(page)")
        }
    }

    @Test(arguments: [
        "UPDATE entries SET vector = x'00' WHERE row = 3", "UPDATE entries SET vector = zeroblob(192) WHERE row = 3",
        "UPDATE entries SET partition = 99 WHERE row = 3", "UPDATE entries SET attributes = '{' WHERE row = 3",
        "UPDATE entries SET quota_bytes = -1 WHERE row = 3",
    ])
    func `a row that cannot be is named`(sql: String) async throws {
        try await self.fill(5)
        try self.change(sql)
        let refusal = try self.refusal()
        #expect(refusal.code == .corrupt && refusal.message.contains("row 3"))
    }

    @Test func `a row after which there can be no other is named`() async throws {
        try await self.fill(5)
        try self.change("UPDATE entries SET row = 9223372036854775807 WHERE row = 3")
        let refusal = try self.refusal()
        #expect(refusal.code == .corrupt && refusal.message.contains("row 9223372036854775807"))
    }

    @Test func `a prompt that was damaged in the file is an error, not an answer`() async throws {
        try await self.fill(3)
        try self.change("UPDATE entries SET prompt = '' WHERE row = 2")
        let store = try openStore(self.folder.file)
        let id = self.home.entryID(of: try CanonicalPrompt("q1"))
        let fault = try await #require(throws: VectorStoreError.self) {
            try await store.entry(id, in: self.home, at: ms(0))
        }
        #expect(fault.code == .corrupt && fault.message.contains("row 2"))
        #expect(try await self.prompts(2..<3, in: store) == [true])
    }

    @Test func `a start that was cut short is started again`() async throws {
        try Data().write(to: URL(filePath: self.folder.file))
        try await self.fill(1)
        let store = try openStore(self.folder.file)
        #expect(try await self.prompts(0..<2, in: store) == [true, false])
    }
}
