// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Random puts and uses of tenants with few entries, against a list that is sorted anew each time.
extension StoreConformance {
    private struct Row {
        let id: EntryID
        let home: Partition
        let bytes: Int
        let expiresAt: Timestamp
        /// No two rows have the same.
        var use: Timestamp

        var evicted: PutResult.Evicted { .init(id: self.id, cache: self.home.cache.key) }
    }

    private struct Ledger {
        var rows: [Row] = []

        func index(of id: EntryID, in home: Partition) -> Int? {
            self.rows.firstIndex { $0.id == id && $0.home == home }
        }

        private func index(of evicted: PutResult.Evicted, among own: [Row]) -> Int? {
            own.first { $0.evicted == evicted }.flatMap { self.index(of: $0.id, in: $0.home) }
        }

        func own(_ tenant: TenantScope) -> [Row] { self.rows.filter { $0.home.cache.tenant == tenant } }

        mutating func use(_ id: EntryID, in home: Partition, at now: Timestamp) {
            if let index = self.index(of: id, in: home) { self.rows[index].use = now }
        }

        /// Expired ones go in any order, but before the others; those go in the order of their last use; and none goes
        /// that need not.
        mutating func check(_ result: PutResult, of row: Row, quota: StoreQuota, at now: Timestamp) {
            let old = self.index(of: row.id, in: row.home).map { self.rows.remove(at: $0) }
            #expect(result.isReplacement == (old.map { $0.expiresAt > now } ?? false))
            let live = self.own(row.home.cache.tenant).filter { $0.expiresAt > now }.sorted { $0.use < $1.use }
            let leastUsed = live.map(\.evicted)[...]
            var evictedLive = 0
            for evicted in result.evicted {
                let own = self.own(row.home.cache.tenant)
                let bytes = own.reduce(row.bytes) { $0 + $1.bytes }
                let isFull = own.count >= quota.entries ?? .max || bytes > quota.bytes ?? .max
                #expect(isFull, "something went though there was room")
                guard let index = self.index(of: evicted, among: own)
                else {
                    Issue.record("something went that was not there")
                    continue
                }
                if self.rows[index].expiresAt > now {
                    #expect(!own.contains { $0.expiresAt <= now }, "a live entry went before an expired one")
                    #expect(leastUsed.dropFirst(evictedLive).first == evicted, "another was used less recently")
                    evictedLive += 1
                }
                self.rows.remove(at: index)
            }
            let own = self.own(row.home.cache.tenant)
            #expect(own.count < quota.entries ?? .max)
            #expect(own.reduce(row.bytes) { $0 + $1.bytes } <= quota.bytes ?? .max)
            self.rows.append(row)
        }
    }

    /// - Parameter rounds: Of which about half are puts.
    package func evictsInOrderOfUse(seed: UInt64, rounds: Int) async throws {
        var random = SeededGenerator(seed)
        let store = try await self.makeStore()
        let homes = [
            self.partition(), self.partition(user: "a"), self.partition("other", user: "b"),
            self.partition(of: "rival"),
        ]
        let vector = random.vector()
        var ledger = Ledger()
        var now = ms(1_000_000)
        for _ in 0..<rounds {
            let home = random.pick(homes)
            let prompt = "q\(random.int(0...19))"
            let id = home.entryID(of: try CanonicalPrompt(prompt))
            switch random.int(0...9) {
            case 0..<6:
                // Now and then lower than what is there.
                let quota = StoreQuota(
                    entries: random.pick([nil, 12, 20, 30]), bytes: random.pick([6000, 9000, 15_000]))
                let entry = try entry(
                    prompt, in: home, response: String(repeating: "x", count: random.int(0...2000)),
                    created: now.milliseconds, expires: now.milliseconds + Int64(random.int(0...60_000)),
                    attributes: random.fewAttributes())
                let row = Row(
                    id: id, home: home, bytes: entry.quotaBytes(dimensions: dimensions), expiresAt: entry.expiresAt,
                    use: now)
                let result = try await store.put(entry, embedding: vector, in: home, quota: quota)
                ledger.check(result, of: row, quota: quota, at: now)
            case 6..<8:
                store.touch(id, in: home, at: now)
                await self.flush(store)
                ledger.use(id, in: home, at: now)
            default:
                let index = ledger.index(of: id, in: home)
                let isThere = index.map { ledger.rows[$0].expiresAt > now } ?? false
                #expect(try await store.contains(id, in: home, at: now) == isThere)
                await self.flush(store)
                if isThere { ledger.use(id, in: home, at: now) }
            }
            let size = try await store.sizes(of: home.cache.tenant, at: now)
            let live = ledger.own(home.cache.tenant).filter { $0.expiresAt > now }
            #expect(size.entries == live.count && size.bytes == live.reduce(0) { $0 + $1.bytes })
            now = ms(now.milliseconds + 1000 * Int64(random.int(1...3)))
        }
    }
}
