// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Testing

@Suite struct QuotaTests {
    let folder: Folder
    let clock = ManualClock(0)
    let store: EmbeddedStore
    let home = partition()
    let vector: Embedding

    init() throws {
        self.folder = try Folder()
        self.store = try openStore(self.folder.file, clock: self.clock)
        var random = SeededGenerator(seed: 31)
        self.vector = random.vector()
    }

    /// Puts with the clock's time, then lets a second pass.
    @discardableResult
    func put(
        _ prompt: String, in home: Partition? = nil, response: String = "r", quota: StoreQuota = .unlimited,
        expires: Int64 = 1 << 40, store: EmbeddedStore? = nil
    ) async throws -> PutResult {
        let home = home ?? self.home
        let entry = try entry(
            prompt, in: home, response: response, created: self.clock.now.milliseconds, expires: expires)
        let result = try await (store ?? self.store).put(entry, embedding: self.vector, in: home, quota: quota)
        self.clock.now = ms(self.clock.now.milliseconds + 1000)
        return result
    }

    func evicted(_ prompt: String, in home: Partition? = nil) throws -> PutResult.Evicted {
        let home = home ?? self.home
        return PutResult.Evicted(id: home.entryID(of: try CanonicalPrompt(prompt)), cache: home.cache.key)
    }

    func size(of home: Partition? = nil) async throws -> TenantSize {
        let tenant = (home ?? self.home).cache.tenant
        return try await self.store.sizes(of: tenant, identity: identity.key, at: self.clock.now)
    }

    func contains(_ prompt: String, in home: Partition? = nil) async throws -> Bool {
        let home = home ?? self.home
        let id = home.entryID(of: try CanonicalPrompt(prompt))
        return try await self.store.entry(id, in: home, at: self.clock.now) != nil
    }

    @Test func `what was not served for the longest time goes, whatever served it`() async throws {
        let other = partition(cache("other"), user: "x")
        for prompt in ["exact", "similar", "touched", "idle"] { try await self.put(prompt) }
        try await self.put("elsewhere", in: other)
        #expect(try await self.contains("exact"))
        self.store.touch(try self.evicted("touched").id, in: self.home, at: self.clock.now)
        let similar = try self.evicted("similar").id
        let query = NearestQuery(embedding: self.vector, count: 4, threshold: 0.9)
        let found = try await self.store.nearest(query, in: self.home, at: self.clock.now)
        #expect(found.matches.contains { $0.entry.id == similar })
        self.clock.now = ms(self.clock.now.milliseconds + 1000)
        for prompt in ["exact", "touched"] {
            self.store.touch(try self.evicted(prompt).id, in: self.home, at: self.clock.now)
        }
        let quota = StoreQuota(entries: 5, bytes: nil)
        #expect(try await self.put("1", quota: quota).evicted == [try self.evicted("elsewhere", in: other)])
        // Both were served at once: the one that was stored first.
        #expect(try await self.put("2", quota: quota).evicted == [try self.evicted("similar")])
        #expect(try await self.put("3", quota: quota).evicted == [try self.evicted("idle")])
        #expect(try await self.put("4", quota: quota).evicted == [try self.evicted("exact")])
        #expect(try await self.put("5", quota: quota).evicted == [try self.evicted("touched")])
        #expect(try await self.put("6", quota: quota).evicted == [try self.evicted("1")])
    }

    @Test func `expired entries go first`() async throws {
        try await self.put("old")
        try await self.put("expired", expires: 2000)
        try await self.put("new")
        let result = try await self.put("next", quota: StoreQuota(entries: 3, bytes: nil))
        #expect(result.evicted == [try self.evicted("expired")])
    }

    @Test func `nothing of another tenant goes`() async throws {
        let rival = partition(cache(of: "rival"))
        for position in 0..<40 {
            try await self.put("q\(position)", in: rival, expires: position % 2 == 0 ? 1 : 1 << 40)
        }
        let before = try await self.size(of: rival)
        let quota = StoreQuota(entries: 2, bytes: 2000)
        for position in 0..<30 {
            let result = try await self.put("q\(position)", quota: quota)
            #expect(result.evicted == (position < 2 ? [] : [try self.evicted("q\(position - 2)")]))
        }
        #expect(try await self.size().entries == 2)
        #expect(try await self.size(of: rival) == before)
        for position in 0..<40 { #expect(try await self.contains("q\(position)", in: rival) == (position % 2 == 1)) }
    }

    @Test func `bytes count, and a replaced entry gives its own back`() async throws {
        let bytes = try entry("q1", in: self.home, response: "r").quotaBytes(dimensions: dimensions)
        let quota = StoreQuota(entries: nil, bytes: 3 * bytes)
        for position in 1...3 { #expect(try await self.put("q\(position)", quota: quota).evicted == []) }
        #expect(try await self.size().bytes == 3 * bytes)
        #expect(try await self.put("q1", quota: quota) == PutResult(isReplacement: true))
        // One byte more: the oldest of the others goes, never the one that is being replaced.
        let more = try await self.put("q2", response: "rr", quota: quota)
        #expect(more == PutResult(isReplacement: true, evicted: [try self.evicted("q3")]))
        #expect(try await self.size().bytes == 2 * bytes + 1)
        let large = String(repeating: "x", count: 2 * bytes + 1)
        #expect(try await self.put("q1", response: large, quota: quota).evicted == [try self.evicted("q2")])
        #expect(try await self.size().bytes == 3 * bytes)
        let refusal = try await #require(throws: VectorStoreError.self) {
            try await self.put("q9", response: large + "x", quota: quota)
        }
        #expect(refusal.code == .overQuota)
        #expect(try await self.contains("q1"))
        #expect(try await self.size().bytes == 3 * bytes)
        _ = try await self.store.remove(.tenant(self.home.cache.tenant), dryRun: false, at: ms(0))
        #expect(try await self.size() == TenantSize(caches: [], entries: 0, bytes: 0, orphanedEntries: 0))
    }

    @Test func `a large entry takes the place of as many small ones as it needs`() async throws {
        let bytes = try entry("q100", in: self.home, response: "r").quotaBytes(dimensions: dimensions)
        let quota = StoreQuota(entries: nil, bytes: 200 * bytes)
        for position in 100..<300 { try await self.put("q\(position)", quota: quota) }
        let large = String(repeating: "x", count: 150 * bytes)
        let evicted = try await self.put("q999", response: large, quota: quota).evicted
        #expect(evicted.count == 151 && Set(evicted.map(\.id)).count == 151)
        #expect(try await self.size().entries == 50)
        #expect(try await self.size().bytes <= 200 * bytes)
        #expect(try await self.contains("q999"))
    }

    @Test func `a quota that was lowered is reached step by step`() async throws {
        for position in 0..<300 { try await self.put("q\(position)") }
        let quota = StoreQuota(entries: 10, bytes: nil)
        for expected in [237, 174, 111, 48, 10, 10] {
            let before = try await self.size().entries
            let evicted = try await self.put("new \(expected) \(before)", quota: quota).evicted
            #expect(evicted.count <= Limits.maximumEvictionsPerPut && Set(evicted.map(\.id)).count == evicted.count)
            #expect(try await self.size().entries == expected)
        }
    }

    @Test func `a restart keeps what counts and goes by when entries were stored`() async throws {
        for position in [3, 1, 2] { try await self.put("q\(position)", expires: position == 2 ? 1 << 41 : 1 << 40) }
        let size = try await self.size()
        await self.store.close()
        let store = try openStore(self.folder.file, clock: self.clock)
        let again = try await store.sizes(of: self.home.cache.tenant, identity: identity.key, at: self.clock.now)
        #expect(again == size)
        let quota = StoreQuota(entries: 3, bytes: nil)
        for prompt in ["q3", "q1", "q2"] {
            let result = try await self.put("after \(prompt)", quota: quota, store: store)
            #expect(result.evicted == [try self.evicted(prompt)])
        }
    }

    @Test func `of many entries those that are served stay`() async throws {
        let homes = (0..<50).map { partition(user: "\($0)") }
        for prompt in 0..<20 { try await self.put("hot \(prompt)", in: homes[prompt]) }
        let quota = StoreQuota(entries: 200, bytes: nil)
        for position in 0..<1000 {
            for prompt in 0..<20 {
                let id = try self.evicted("hot \(prompt)", in: homes[prompt]).id
                self.store.touch(id, in: homes[prompt], at: self.clock.now)
            }
            let evicted = try await self.put("q\(position)", in: homes[position % 50], quota: quota).evicted
            #expect(evicted.count == (position < 180 ? 0 : 1))
        }
        for prompt in 0..<20 { #expect(try await self.contains("hot \(prompt)", in: homes[prompt])) }
        var recent = 0
        for position in 500..<1000 {
            recent += try await self.contains("q\(position)", in: homes[position % 50]) ? 1 : 0
        }
        #expect(recent > 150)
    }

    @Test func `many puts and searches at once neither exceed the quota nor fail`() async throws {
        let quota = StoreQuota(entries: 10, bytes: 5000)
        let evicted = try await withThrowingTaskGroup(of: [PutResult.Evicted].self) { group in
            for position in 0..<600 {
                let home = partition(user: "\(position % 7)")
                let entry = try entry("q\(position)", in: home, expires: 1 << 40)
                group.addTask {
                    let result = try await self.store.put(entry, embedding: self.vector, in: home, quota: quota)
                    self.store.touch(entry.id, in: home, at: self.clock.now)
                    let query = NearestQuery(embedding: self.vector, count: 5, threshold: 0)
                    _ = try await self.store.nearest(query, in: home, at: self.clock.now)
                    return result.evicted
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let size = try await self.size()
        #expect(size.entries <= 10 && size.bytes <= 5000 && size.entries > 5)
        #expect(evicted.count == 600 - size.entries && Set(evicted.map(\.id)).count == evicted.count)
    }
}
