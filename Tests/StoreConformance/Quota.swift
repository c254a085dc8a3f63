// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// What a full quota takes away. Uses are whole seconds apart, as a store may know them no finer.
extension StoreConformance {
    static let quotaBehaviours = [
        Behaviour("what was not served for the longest time goes, whatever served it", needsOnePlace: true) {
            try await $0.leastRecentlyServedGoes()
        },
        Behaviour("expired entries go first", needsOnePlace: true) { try await $0.expiredGoFirst() },
        Behaviour("nothing of another tenant goes", needsOnePlace: true) { try await $0.othersStay() },
        Behaviour("bytes count, and a replaced entry gives its own back", needsOnePlace: true) {
            try await $0.bytesCount()
        },
        Behaviour("a large entry takes the place of as many small ones as it needs", needsOnePlace: true) {
            try await $0.largeTakesMany()
        },
        Behaviour("many puts and searches at once neither exceed the quota nor fail", needsOnePlace: true) {
            try await $0.quotaHoldsUnderLoad()
        },
    ]

    /// A store, and a clock that a put moves on by a second.
    private struct Tenancy {
        let store: Store
        let vector: Embedding
        let home: Partition
        let flush: @Sendable (Store) async -> Void
        var now = ms(0)

        @discardableResult
        mutating func put(
            _ prompt: String, in home: Partition? = nil, response: String = "r", quota: StoreQuota = .unlimited,
            expires: Int64 = 1 << 40
        ) async throws -> PutResult {
            let home = home ?? self.home
            let entry = try entry(
                prompt, in: home, response: response, created: self.now.milliseconds, expires: expires)
            let (store, vector) = (self.store, self.vector)
            let result = try await store.put(entry, embedding: vector, in: home, quota: quota)
            self.pass()
            return result
        }

        mutating func pass() { self.now = ms(self.now.milliseconds + 1000) }

        mutating func touch(_ prompt: String, in home: Partition? = nil) async throws {
            let home = home ?? self.home
            self.store.touch(home.entryID(of: try CanonicalPrompt(prompt)), in: home, at: self.now)
            let (store, flush) = (self.store, self.flush)
            await flush(store)
            self.pass()
        }

        mutating func get(_ prompt: String, in home: Partition? = nil) async throws -> Bool {
            let home = home ?? self.home
            let id = home.entryID(of: try CanonicalPrompt(prompt))
            let (store, flush, now) = (self.store, self.flush, self.now)
            let isThere = try await store.contains(id, in: home, at: now)
            await flush(store)
            self.pass()
            return isThere
        }

        func evicted(_ prompt: String, in home: Partition? = nil) throws -> PutResult.Evicted {
            let home = home ?? self.home
            return PutResult.Evicted(id: home.entryID(of: try CanonicalPrompt(prompt)), cache: home.cache.key)
        }

        func size(of home: Partition? = nil) async throws -> TenantSize {
            let (store, now) = (self.store, self.now)
            return try await store.sizes(of: (home ?? self.home).cache.tenant, at: now)
        }
    }

    private func tenancy(seed: UInt64) async throws -> Tenancy {
        var random = SeededGenerator(seed)
        return Tenancy(
            store: try await self.makeStore(), vector: random.vector(), home: self.partition(), flush: self.flush)
    }

    func leastRecentlyServedGoes() async throws {
        var tenancy = try await self.tenancy(seed: 70)
        let other = self.partition("other", user: "x")
        for prompt in ["exact", "touched", "idle", "replaced"] { try await tenancy.put(prompt) }
        try await tenancy.put("elsewhere", in: other)
        // Alone in its partition, so that it is the one that a search serves.
        let apart = self.partition(user: "y")
        try await tenancy.put("similar", in: apart)
        try await tenancy.put("last")
        try await tenancy.put("replaced", response: "again")
        #expect(try await tenancy.get("exact"))
        let query = NearestQuery(embedding: tenancy.vector, count: 1, threshold: 0.9)
        let (store, now) = (tenancy.store, tenancy.now)
        #expect(try await store.nearest(query, in: apart, at: now).matches.count == 1)
        await self.flush(store)
        tenancy.pass()
        try await tenancy.touch("touched")
        let quota = StoreQuota(entries: 7, bytes: nil)
        for (position, prompt) in ["idle", "elsewhere", "last", "replaced", "exact", "similar", "touched"].enumerated()
        {
            let home = prompt == "elsewhere" ? other : prompt == "similar" ? apart : tenancy.home
            let expected = try tenancy.evicted(prompt, in: home)
            #expect(try await tenancy.put("new \(position)", quota: quota).evicted == [expected], "\(prompt)")
        }
        let first = try tenancy.evicted("new 0")
        #expect(try await tenancy.put("newer", quota: quota).evicted == [first])
    }

    func expiredGoFirst() async throws {
        var tenancy = try await self.tenancy(seed: 71)
        try await tenancy.put("old")
        try await tenancy.put("expired", expires: 2000)
        try await tenancy.put("new")
        let expired = try tenancy.evicted("expired")
        let result = try await tenancy.put("next", quota: StoreQuota(entries: 3, bytes: nil))
        #expect(result == PutResult(isReplacement: false, evicted: [expired]))
        #expect(try await tenancy.get("old"))
    }

    func othersStay() async throws {
        var tenancy = try await self.tenancy(seed: 72)
        let rival = self.partition(of: "rival")
        for position in 0..<30 {
            try await tenancy.put("q\(position)", in: rival, expires: position % 2 == 0 ? 1 : 1 << 40)
        }
        let before = try await tenancy.size(of: rival)
        let quota = StoreQuota(entries: 2, bytes: 2000)
        for position in 0..<20 {
            let expected = position < 2 ? [] : [try tenancy.evicted("q\(position - 2)")]
            #expect(try await tenancy.put("q\(position)", quota: quota).evicted == expected)
        }
        #expect(try await tenancy.size().entries == 2)
        #expect(try await tenancy.size(of: rival) == before)
        for position in 0..<30 { #expect(try await tenancy.get("q\(position)", in: rival) == (position % 2 == 1)) }
    }

    func bytesCount() async throws {
        var tenancy = try await self.tenancy(seed: 73)
        let bytes = try entry("q1", in: tenancy.home, response: "r").quotaBytes(dimensions: dimensions)
        let quota = StoreQuota(entries: nil, bytes: 3 * bytes)
        for position in 1...3 { #expect(try await tenancy.put("q\(position)", quota: quota).evicted == []) }
        #expect(try await tenancy.size().bytes == 3 * bytes)
        #expect(try await tenancy.put("q1", quota: quota) == PutResult(isReplacement: true))
        // One byte more: the oldest of the others goes, never the one that is being replaced.
        let q2 = try tenancy.evicted("q2"), q3 = try tenancy.evicted("q3")
        let more = try await tenancy.put("q2", response: "rr", quota: quota)
        #expect(more == PutResult(isReplacement: true, evicted: [q3]))
        #expect(try await tenancy.size().bytes == 2 * bytes + 1)
        let large = String(repeating: "x", count: 2 * bytes + 1)
        #expect(try await tenancy.put("q1", response: large, quota: quota).evicted == [q2])
        #expect(try await tenancy.size().bytes == 3 * bytes)
        let before = tenancy
        let refusal = await #expect(throws: VectorStoreError.self) {
            var tenancy = before
            try await tenancy.put("q9", response: large + "x", quota: quota)
        }
        #expect(refusal?.code == .overQuota)
        #expect(try await tenancy.get("q1"))
        #expect(try await tenancy.size().bytes == 3 * bytes)
        let store = tenancy.store
        _ = try await store.remove(.tenant(self.tenant()))
        #expect(try await tenancy.size() == .nothing)
        // What is gone gives its own back too.
        #expect(try await tenancy.put("q1", response: large, quota: quota) == PutResult(isReplacement: false))
    }

    func largeTakesMany() async throws {
        var tenancy = try await self.tenancy(seed: 74)
        let bytes = try entry("q10", in: tenancy.home, response: "r").quotaBytes(dimensions: dimensions)
        let quota = StoreQuota(entries: nil, bytes: 60 * bytes)
        for position in 10..<70 { try await tenancy.put("q\(position)", quota: quota) }
        let large = String(repeating: "x", count: 40 * bytes)
        let expected = try (10..<51).map { try tenancy.evicted("q\($0)") }
        #expect(try await tenancy.put("q99", response: large, quota: quota).evicted == expected)
        #expect(try await tenancy.size().entries == 20)
        #expect(try await tenancy.size().bytes <= 60 * bytes)
        #expect(try await tenancy.get("q99"))
    }

    func quotaHoldsUnderLoad() async throws {
        let tenancy = try await self.tenancy(seed: 75)
        let (store, vector) = (tenancy.store, tenancy.vector)
        let quota = StoreQuota(entries: 10, bytes: 5000)
        let evicted = try await withThrowingTaskGroup(of: [PutResult.Evicted].self) { group in
            for position in 0..<300 {
                let home = self.partition(user: "\(position % 7)")
                let entry = try entry("q\(position)", in: home, expires: 1 << 40)
                group.addTask {
                    let result = try await store.put(entry, embedding: vector, in: home, quota: quota)
                    store.touch(entry.id, in: home, at: ms(0))
                    let query = NearestQuery(embedding: vector, count: 5, threshold: 0)
                    _ = try await store.nearest(query, in: home, at: ms(0))
                    return result.evicted
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let size = try await tenancy.size()
        #expect(size.entries <= 10 && size.bytes <= 5000 && size.entries > 5)
        #expect(evicted.count == 300 - size.entries && Set(evicted.map(\.id)).count == evicted.count)
    }
}
