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
        self.store = try openStore(self.folder.file)
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
        return try await self.store.sizes(of: tenant, identities: [identity.key], at: self.clock.now)
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
        let store = try openStore(self.folder.file)
        let again = try await store.sizes(of: self.home.cache.tenant, identities: [identity.key], at: self.clock.now)
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
}
