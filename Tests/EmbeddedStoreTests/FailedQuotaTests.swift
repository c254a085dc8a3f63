// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import GRDB
import Testing

extension QuotaTests {
    /// Makes every commit fail that stores or removes an entry created at these milliseconds.
    private func failCommits(storing stored: Int64 = -1, removing removed: Int64 = -1) throws {
        // What a trigger writes breaks a foreign key that is looked at when the transaction is committed.
        try DatabaseQueue(path: self.folder.file).write { database in
            try database.execute(
                sql: """
                    CREATE TABLE parents (id INTEGER PRIMARY KEY);
                    CREATE TABLE children (parent REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
                    CREATE TRIGGER stored AFTER INSERT ON entries WHEN NEW.created_ms = \(stored)
                        BEGIN INSERT INTO children VALUES (1); END;
                    CREATE TRIGGER removed AFTER DELETE ON entries WHEN OLD.created_ms = \(removed)
                        BEGIN INSERT INTO children VALUES (1); END;
                    """)
        }
    }

    @Test func `a commit that fails gives back what it evicted and replaced`() async throws {
        let quota = StoreQuota(entries: 3, bytes: nil)
        for prompt in ["a", "b", "c"] { try await self.put(prompt, quota: quota) }
        let before = try await self.size()
        try self.failCommits(storing: self.clock.now.milliseconds)
        for prompt in ["d", "b"] {
            await #expect {
                try await self.put(prompt, response: "another response", quota: quota)
            } throws: {
                ($0 as? VectorStoreError)?.code == .unavailable
            }
            #expect(try await self.size() == before)
            for stored in ["a", "b", "c"] { #expect(try await self.contains(stored)) }
            #expect(try await !self.contains("d"))
        }
        let query = NearestQuery(embedding: self.vector, count: 9, threshold: 0.9)
        #expect(try await self.store.nearest(query, in: self.home, at: self.clock.now).matches.count == 3)
        // The next one finds everything as it was.
        self.clock.now = ms(self.clock.now.milliseconds + 60_000)
        let victims = try await self.put("e", quota: quota).evicted
        #expect(victims.count == 1)
        #expect(try await self.size().entries == 3)
    }

    @Test func `a removal whose commit fails removes nothing`() async throws {
        for prompt in ["a", "b", "c"] { try await self.put(prompt) }
        let before = try await self.size()
        let version = try await self.store.version(of: self.home.cache)
        try self.failCommits(removing: 1000)
        let tenant = self.home.cache.tenant
        let selectors: [RemovalSelector] = [
            .filter(try MetadataFilter("not exists(x)"), in: self.home.cache), .cache(self.home.cache),
            .tenant(tenant), .ids([try self.evicted("a").id, try self.evicted("b").id], in: self.home.cache),
        ]
        for selector in selectors {
            await #expect(throws: VectorStoreError.self) {
                try await self.store.remove(selector, dryRun: false, at: self.clock.now)
            }
            #expect(try await self.size() == before)
            #expect(try await self.store.version(of: self.home.cache) == version)
            for stored in ["a", "b", "c"] { #expect(try await self.contains(stored)) }
        }
        #expect(
            try await self.store.remove(.entry(self.evicted("c").id, in: self.home), dryRun: false, at: ms(0)).count
                == 1)
        #expect(try await self.size().entries == 2)
    }
}
