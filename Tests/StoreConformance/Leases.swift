// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Leases on making an answer.
extension StoreConformance {
    static let leaseBehaviours = [
        Behaviour("of many callers one gets the lease, and the next when it is given up") {
            try await $0.oneGetsTheLease()
        },
        Behaviour("a put ends the lease, and is refused under one that has ended") { try await $0.putEndsLease() },
        Behaviour("a put that is refused ends no lease", needsOnePlace: true) { try await $0.refusedPutEndsNoLease() },
        Behaviour("a removal voids the leases of what it is from, found or not, and no others") {
            try await $0.removalVoidsLeases()
        },
        Behaviour("a lease runs out by itself, and later if it is prolonged") { try await $0.leaseRunsOut() },
        Behaviour("no lease is granted to one who has not seen what is there") { try await $0.leaseNeedsSight() },
        Behaviour("any sequence of leases, puts and removals is as one by one") {
            try await $0.leasesAsOneByOne(seed: 1, rounds: 400)
        },
        Behaviour("a stale window is kept with its entry") { try await $0.keepsStaleWindow() },
    ]

    static let long = Duration.seconds(600)

    private func acquire(
        _ prompt: String, in home: Partition, of store: Store, for time: Duration = Self.long, seen: Int64? = nil
    ) async throws -> LeaseGrant {
        let id = home.entryID(of: try CanonicalPrompt(prompt))
        return try await store.acquireLease(on: id, in: home, for: time, seen: seen.map { ms($0) }, at: ms(0))
    }

    /// A lease that must be free.
    private func lease(
        _ prompt: String, in home: Partition, of store: Store, for time: Duration = Self.long, seen: Int64? = nil
    ) async throws -> LeaseToken {
        let grant = try await self.acquire(prompt, in: home, of: store, for: time, seen: seen)
        return try #require(grant.token, "\(grant)")
    }

    private func put(
        _ prompt: String, in home: Partition, of store: Store, created: Int64 = 0, under lease: LeaseToken?,
        quota: StoreQuota = .unlimited
    ) async throws(VectorStoreError) -> PutResult {
        var random = SeededGenerator(60)
        // A prompt of our own is never refused.
        let entry = try! entry(prompt, in: home, created: created, expires: 1 << 40)
        return try await store.put(entry, embedding: random.vector(), in: home, quota: quota, lease: lease)
    }

    func oneGetsTheLease() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        let grants = try await withThrowingTaskGroup(of: LeaseGrant.self) { group in
            for _ in 0..<40 { group.addTask { try await self.acquire("a", in: home, of: store) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let tokens = grants.compactMap(\.token)
        #expect(tokens.count == 1)
        for case .held(let rest) in grants { #expect(rest > Self.long - .seconds(60) && rest <= Self.long) }
        // Of another prompt, partition and tenant there is another.
        for other in [self.partition(user: "x"), self.partition("other"), self.partition(of: "rival")] {
            _ = try await self.lease("a", in: other, of: store)
        }
        _ = try await self.lease("b", in: home, of: store)
        let token = try #require(tokens.first)
        #expect(token.bytes.count <= LeaseToken.maximumBytes)
        for stranger in [self.cache("other"), self.cache(of: "rival")] {
            #expect(try await !store.releaseLease(token, in: stranger))
        }
        #expect(try await store.releaseLease(token, in: home.cache))
        #expect(try await !store.releaseLease(token, in: home.cache))
        #expect(try await self.lease("a", in: home, of: store) != token)
    }

    func putEndsLease() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        let first = try await self.lease("a", in: home, of: store)
        #expect(try await !self.put("a", in: home, of: store, created: 1, under: first).isReplacement)
        try await self.expectOver(first, "a", in: home, of: store)
        // Nor by another's put.
        let second = try await self.lease("a", in: home, of: store, seen: 1)
        _ = try await self.put("a", in: home, of: store, created: 2, under: nil)
        try await self.expectOver(second, "a", in: home, of: store)
        // One is of one prompt, cache and tenant.
        let third = try await self.lease("a", in: home, of: store, seen: 2)
        for (prompt, other) in [("b", home), ("a", self.partition("other")), ("a", self.partition(of: "rival"))] {
            try await self.expectOver(third, prompt, in: other, of: store, isReleasable: nil)
        }
        #expect(try await self.put("a", in: home, of: store, created: 3, under: third).isReplacement)
        let kept = try await store.entry(home.entryID(of: try CanonicalPrompt("a")), in: home, at: ms(0))
        #expect(kept?.createdAt == ms(3))
        let forged = LeaseToken(for: home.entryID(of: try CanonicalPrompt("c")))
        try await self.expectOver(forged, "c", in: home, of: store)
    }

    /// - Parameter isReleasable: `nil` if it may be a lease of something else.
    private func expectOver(
        _ token: LeaseToken, _ prompt: String, in home: Partition, of store: Store, isReleasable: Bool? = false
    ) async throws {
        let fault = await #expect(throws: VectorStoreError.self) {
            try await self.put(prompt, in: home, of: store, created: 99, under: token)
        }
        #expect(fault?.code == .aborted)
        guard let isReleasable else { return }
        let other = await #expect(throws: VectorStoreError.self) {
            try await store.extendLease(token, in: home.cache, for: Self.long)
        }
        #expect(other?.code == .aborted)
        #expect(try await store.releaseLease(token, in: home.cache) == isReleasable)
    }

    func refusedPutEndsNoLease() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        let token = try await self.lease("a", in: home, of: store)
        let fault = await #expect(throws: VectorStoreError.self) {
            try await self.put("a", in: home, of: store, under: token, quota: StoreQuota(entries: nil, bytes: 1))
        }
        #expect(fault?.code == .overQuota)
        _ = try await self.put("a", in: home, of: store, under: token)
    }

    func removalVoidsLeases() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(61)
        let (sibling, cousin, rival) = (
            self.partition(user: "x"), self.partition("other"), self.partition(of: "rival")
        )
        let id = home.entryID(of: try CanonicalPrompt("a"))
        let places = [("a", home), ("b", home), ("a", sibling), ("a", cousin), ("a", rival)]
        let selectors: [(RemovalSelector, [Bool])] = [
            (.ids([id], in: home.cache), [true, false, false, false, false]),
            (.ids([id], in: cousin.cache), [false, false, false, false, false]),
            (.entry(id, in: home), [true, false, false, false, false]),
            (.radius(random.vector(), similarity: 0.99, in: home), [true, true, true, false, false]),
            (.filter(try MetadataFilter("exists(none)"), in: home.cache), [true, true, true, false, false]),
            (.cache(home.cache), [true, true, true, false, false]),
            (.tenant(self.tenant()), [true, true, true, true, false]),
        ]
        for (selector, voided) in selectors {
            var tokens: [LeaseToken] = []
            for (prompt, place) in places { tokens.append(try await self.lease(prompt, in: place, of: store)) }
            _ = try await store.remove(selector, dryRun: true, at: ms(0))
            for (token, (_, place)) in zip(tokens, places) {
                #expect(try await store.extendLease(token, in: place.cache, for: Self.long) > .zero)
            }
            _ = try await store.remove(selector)
            for ((token, isVoid), (prompt, place)) in zip(zip(tokens, voided), places) {
                if isVoid {
                    try await self.expectOver(token, prompt, in: place, of: store)
                    // The next is as good as any.
                    let next = try await self.lease(prompt, in: place, of: store)
                    #expect(try await store.releaseLease(next, in: place.cache))
                } else {
                    #expect(try await store.releaseLease(token, in: place.cache), "\(selector)")
                }
            }
        }
    }

    func leaseRunsOut() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        let start = ContinuousClock.now
        let first = try await self.lease("a", in: home, of: store, for: .milliseconds(150))
        var next = try await self.acquire("a", in: home, of: store)
        while case .held(let rest) = next {
            #expect(rest <= .milliseconds(150))
            next = try await self.acquire("a", in: home, of: store)
        }
        #expect(ContinuousClock.now - start >= .milliseconds(149))
        try await self.expectOver(first, "a", in: home, of: store)
        let second = try #require(next.token)
        #expect(try await store.extendLease(second, in: home.cache, for: .milliseconds(1)) <= .milliseconds(1))
        while try await self.acquire("a", in: home, of: store).token == nil {}
        try await self.expectOver(second, "a", in: home, of: store)
        let third = try await self.lease("b", in: home, of: store, for: .milliseconds(500))
        #expect(try await store.extendLease(third, in: home.cache, for: Self.long) > .seconds(60))
        guard case .held(let rest) = try await self.acquire("b", in: home, of: store) else {
            Issue.record("a lease that was prolonged is free")
            return
        }
        #expect(rest > .seconds(60))
    }

    func leaseNeedsSight() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(62)
        try await store.put(try entry("a", in: home, created: 5, expires: 100), random.vector(), in: home)
        #expect(try await self.acquire("a", in: home, of: store) == .changed)
        #expect(try await self.acquire("a", in: home, of: store, seen: 4) == .changed)
        let token = try await self.lease("a", in: home, of: store, seen: 5)
        #expect(try await store.releaseLease(token, in: home.cache))
        // What has expired is not there.
        let id = home.entryID(of: try CanonicalPrompt("a"))
        let grant = try await store.acquireLease(on: id, in: home, for: Self.long, seen: nil, at: ms(100))
        #expect(grant.token != nil)
    }

    func keepsStaleWindow() async throws {
        var store = try await self.makeStore()
        let home = self.partition()
        var random = SeededGenerator(63)
        let plain = try entry("plain", in: home)
        let stale = CacheEntry(
            id: home.entryID(of: try CanonicalPrompt("stale")), prompt: try CanonicalPrompt("stale"), response: [1, 2],
            contentType: "text/plain", attributes: [Attribute(name: "n", value: .number(1))],
            usage: Usage(promptTokens: 1, completionTokens: 2, cost: 3), createdAt: ms(1), freshUntil: ms(400),
            expiresAt: ms(1000))
        let vector = random.vector()
        try await store.put(plain, vector, in: home)
        try await store.put(stale, vector, in: home)
        for _ in 0..<(self.reopen == nil ? 1 : 2) {
            for entry in [plain, stale] {
                #expect(try await store.entry(entry.id, in: home, at: ms(500)) == entry)
            }
            #expect(try await store.entry(stale.id, in: home, at: ms(1000)) == nil)
            let query = NearestQuery(embedding: vector, count: 2, threshold: self.same)
            let found = try await store.nearest(query, in: home, at: ms(500)).matches.map(\.entry)
            #expect(found.contains(stale) && found.contains(plain))
            #expect(try await store.scanAll(home, at: ms(500)).map(\.entry).contains(stale))
            if let reopen { store = try await reopen(store) }
        }
    }
}

extension LeaseGrant {
    var token: LeaseToken? { if case .granted(let token, _) = self { token } else { nil } }
}
