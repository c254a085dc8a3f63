// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Testing

/// Random puts and uses of tenants with few entries, against a list that is sorted anew each time.
@Suite struct QuotaSequenceTests {
    struct Row {
        let id: EntryID
        let home: Partition
        let bytes: Int
        let expiresAt: Timestamp
        var use: Int64
        let order: Int

        func isLessValuable(than other: Self, at now: Timestamp) -> Bool {
            (self.expiresAt <= now ? 0 : 1, self.use, self.order) < (
                other.expiresAt <= now ? 0 : 1, other.use, other.order
            )
        }
    }

    struct Oracle {
        var rows: [Row] = []

        mutating func put(_ row: Row, quota: StoreQuota, at now: Timestamp) -> PutResult {
            let old = self.rows.firstIndex { $0.id == row.id && $0.home == row.home }.map { self.rows.remove(at: $0) }
            var evicted: [PutResult.Evicted] = []
            while true {
                let own = self.rows.filter { $0.home.cache.tenant == row.home.cache.tenant }
                let bytes = own.reduce(row.bytes) { $0 + $1.bytes }
                if own.count < quota.entries ?? .max && bytes <= quota.bytes ?? .max { break }
                guard let victim = own.min(by: { $0.isLessValuable(than: $1, at: now) }) else { break }
                self.rows.removeAll { $0.order == victim.order }
                evicted.append(.init(id: victim.id, cache: victim.home.cache.key))
            }
            self.rows.append(row)
            return PutResult(isReplacement: old.map { $0.expiresAt > now } ?? false, evicted: evicted)
        }

        mutating func use(_ id: EntryID, in home: Partition, at now: Timestamp) {
            guard let index = self.rows.firstIndex(where: { $0.id == id && $0.home == home }) else { return }
            self.rows[index].use = now.milliseconds / 1000
        }
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `a small tenant's entries go exactly in the order of their last use`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let folder = try Folder()
        let clock = ManualClock(1_000_000)
        let store = try openStore(folder.file, clock: clock)
        let homes = [
            partition(), partition(user: "a"), partition(cache("other"), user: "b"), partition(cache(of: "rival")),
        ]
        let vector = random.vector()
        var oracle = Oracle()
        for round in 0..<1500 {
            let home = homes.randomElement(using: &random)!
            let prompt = "q\(Int.random(in: 0..<40, using: &random))"
            let id = home.entryID(of: try CanonicalPrompt(prompt))
            let now = clock.now
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                // Now and then lower than what is there.
                let quota = StoreQuota(
                    entries: [nil, 12, 20, 30].randomElement(using: &random)!,
                    bytes: [6000, 9000, 15_000].randomElement(using: &random)!)
                let entry = try entry(
                    prompt, in: home, response: String(repeating: "x", count: Int.random(in: 0...2000, using: &random)),
                    created: now.milliseconds, expires: now.milliseconds + Int64.random(in: 0...60_000, using: &random),
                    attributes: random.attributes())
                let row = Row(
                    id: id, home: home, bytes: entry.quotaBytes(dimensions: dimensions), expiresAt: entry.expiresAt,
                    use: now.milliseconds / 1000, order: round)
                let expected = oracle.put(row, quota: quota, at: now)
                #expect(try await store.put(entry, embedding: vector, in: home, quota: quota) == expected)
            case 5..<7:
                store.touch(id, in: home, at: now)
                oracle.use(id, in: home, at: now)
            case 7:
                let isThere = oracle.rows.contains { $0.id == id && $0.home == home && $0.expiresAt > now }
                #expect((try await store.entry(id, in: home, at: now) != nil) == isThere)
                if isThere { oracle.use(id, in: home, at: now) }
            default: clock.now = ms(now.milliseconds + Int64.random(in: 0...3000, using: &random))
            }
            let size = try await store.sizes(of: home.cache.tenant, identity: identity.key, at: ms(0))
            let own = oracle.rows.filter { $0.home.cache.tenant == home.cache.tenant }
            #expect(size.entries == own.count && size.bytes == own.reduce(0) { $0 + $1.bytes })
        }
    }
}
