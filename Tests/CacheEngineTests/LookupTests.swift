// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

@Suite struct LookupTests {
    private let fixture = EngineFixture()
    // The hashing embedder sums the words' directions: one word of nine changed is a similarity of about 0.89.
    private let question = "how do I reset the password of my account"
    private let paraphrase = "how do I reset the password of our account"

    @Test func `the same prompt is an exact hit, from the store and then from memory`() async throws {
        try await self.fixture.store(self.question, "so")
        let first = try #require(try await self.fixture.lookup("  how do I reset\tthe password of my account ").hit)
        #expect(first.kind == .exact && first.tier == .store && first.matches[0].similarity == 1)
        let second = try #require(try await self.fixture.lookup(self.question).hit)
        #expect(second.kind == .exact && second.tier == .l1)
    }

    @Test func `a similar prompt is a semantic hit with its similarity, and stays semantic in memory`() async throws {
        let stored = try await self.fixture.store(self.question, "so")
        for tier in [Tier.store, .l1, .l1] {
            let hit = try #require(try await self.fixture.lookup(self.paraphrase).hit)
            #expect(hit.kind == .semantic && hit.tier == tier)
            #expect(hit.matches[0].similarity < 0.999 && hit.matches[0].similarity >= 0.85)
            #expect(hit.matches[0].entry.id == stored.id)
        }
        #expect(try await self.fixture.lookup(self.paraphrase, mode: .exact).miss?.reason == .notStored)
    }

    @Test func `a miss says the nearest similarity, the threshold and why`() async throws {
        #expect(try await self.fixture.lookup("anything").miss?.reason == .noEntry)
        try await self.fixture.store(self.question, "so")
        let miss = try #require(try await self.fixture.lookup("quite another matter").miss)
        #expect(miss.reason == .belowThreshold && miss.similarityThreshold == 0.85)
        #expect(try #require(miss.nearest).similarity < 0.85)
    }

    @Test func `a request's threshold counts, 0 included, but never below the floor`() async throws {
        try await self.fixture.store(self.question, "so")
        #expect(try await self.fixture.lookup(self.paraphrase, threshold: 0.99).hit == nil)
        let miss = try #require(try await self.fixture.lookup("quite another matter", threshold: 0).miss)
        #expect(miss.similarityThreshold == 0.5)
        _ = try await self.fixture.lookup(self.paraphrase)
        #expect(try await self.fixture.lookup(self.paraphrase, threshold: 0.99).hit == nil, "memory ignores it")
    }

    @Test func `tenants, caches and vary parts do not meet`() async throws {
        let other = TenantScope(authenticated: TenantID("other"))
        try await self.fixture.store(self.question, "so", vary: [VaryPart(name: "model", value: "a")])
        #expect(try await self.fixture.lookup(self.question).hit == nil)
        let varied = [VaryPart(name: "model", value: "b")]
        #expect(try await self.fixture.lookup(self.question, vary: varied).hit == nil)
        let same = [VaryPart(name: "model", value: "a")]
        #expect(try await self.fixture.lookup(self.question, cache: "d", vary: same).hit == nil)
        #expect(try await self.fixture.lookup(self.question, vary: same, scope: other).hit == nil)
        #expect(try await self.fixture.lookup(self.question, vary: same).text == "so")
    }

    @Test func `a stored response replaces the one in memory`() async throws {
        try await self.fixture.store(self.question, "old")
        for _ in 0..<2 { _ = try await self.fixture.lookup(self.question) }
        for _ in 0..<2 { _ = try await self.fixture.lookup(self.paraphrase) }
        #expect(try await self.fixture.store(self.question, "new").isReplacement)
        #expect(try await self.fixture.lookup(self.question).text == "new")
        #expect(try await self.fixture.lookup(self.paraphrase).text == "new")
    }

    @Test func `a nearer entry stored later is found although memory knows an answer`() async throws {
        try await self.fixture.store(self.question, "near")
        for _ in 0..<2 { #expect(try await self.fixture.lookup(self.paraphrase).text == "near") }
        try await self.fixture.store(self.paraphrase, "nearest")
        #expect(try await self.fixture.lookup(self.paraphrase).text == "nearest")
    }

    @Test func `what has expired is served by no tier, to the millisecond`() async throws {
        try await self.fixture.store(self.question, "so", ttl: .seconds(60))
        self.fixture.clock.advance(by: .milliseconds(59_999))
        for _ in 0..<2 { #expect(try await self.fixture.lookup(self.question).text == "so") }
        #expect(try await self.fixture.lookup(self.paraphrase).text == "so")
        self.fixture.clock.advance(by: .milliseconds(1))
        #expect(try await self.fixture.lookup(self.question).hit == nil)
        #expect(try await self.fixture.lookup(self.paraphrase).hit == nil)
    }

    @Test func `a hit does not move the expiry or the age`() async throws {
        try await self.fixture.store(self.question, "so", ttl: .seconds(60))
        self.fixture.clock.advance(by: .seconds(40))
        for tier in [Tier.store, .l1] {
            let hit = try #require(try await self.fixture.lookup(self.question).hit)
            #expect(hit.tier == tier && hit.at - hit.matches[0].entry.createdAt == .seconds(40))
            #expect(hit.matches[0].entry.expiresAt - hit.at == .seconds(20))
        }
    }

    @Test func `an entry older than max_age is not served, in memory or by meaning`() async throws {
        try await self.fixture.store(self.question, "so")
        _ = try await self.fixture.lookup(self.question)
        self.fixture.clock.advance(by: .seconds(10))
        #expect(try await self.fixture.lookup(self.question, maximumAge: .seconds(10)).text == "so")
        self.fixture.clock.advance(by: .milliseconds(1))
        #expect(try await self.fixture.lookup(self.question, maximumAge: .seconds(10)).miss?.reason == .tooOld)
        #expect(try await self.fixture.lookup(self.paraphrase, maximumAge: .seconds(10)).miss?.reason == .tooOld)
        let exact = try await self.fixture.lookup(self.question, maximumAge: .seconds(10), mode: .exact)
        #expect(exact.miss?.reason == .tooOld)
    }

    @Test func `top_k returns the nearest, best first, the exact one leading`() async throws {
        try await self.fixture.store(self.question, "exact")
        try await self.fixture.store(self.paraphrase, "near")
        try await self.fixture.store("a b c d e f", "far")
        let hit = try #require(try await self.fixture.lookup(self.question, topK: 10).hit)
        #expect(hit.kind == .exact)
        #expect(hit.matches.map { String(decoding: $0.entry.response, as: UTF8.self) } == ["exact", "near"])
    }

    @Test func `top_k has the exact entry first, also if its vector is the caller's own and far away`() async throws {
        let far = HashingEmbedder.embedding(of: "words unlike").values
        _ = try await self.fixture.engine.store(
            StoreRequest(cache: "c", prompt: .text(CanonicalPrompt(self.question)), response: [1], embedding: far),
            scope: self.fixture.scope, by: .now + .seconds(30))
        try await self.fixture.store(self.paraphrase, "near")
        let hit = try #require(try await self.fixture.lookup(self.question, topK: 2).hit)
        #expect(hit.kind == .exact && hit.matches.map { $0.similarity == 1 } == [true, false])
    }

    @Test func `an entry that expires while the prompt is embedded is not served`() async throws {
        let embedder = ControlledEmbedder(isHeld: { $0 == self.paraphrase })
        let fixture = EngineFixture(embedder: embedder)
        try await fixture.store(self.question, "so", ttl: .seconds(3))
        async let late = fixture.lookup(self.paraphrase)
        let held = await embedder.nextHeld()
        fixture.clock.advance(by: .seconds(16))
        held.succeed()
        #expect(try await late.hit == nil)
    }

    @Test func `a given embedding is checked, normalised and spares the embedder`() async throws {
        let controlled = EngineFixture(embedder: ControlledEmbedder())
        var vector = HashingEmbedder.embedding(of: self.question).values.map { $0 * 7 }
        _ = try await controlled.engine.store(
            StoreRequest(cache: "c", prompt: .text(CanonicalPrompt(self.question)), response: [1], embedding: vector),
            scope: controlled.scope, by: .now + .seconds(30))
        let hit = try #require(try await controlled.lookup("words unlike", mode: .semantic, embedding: vector).hit)
        #expect(abs(hit.matches[0].similarity - 1) < 1e-5)
        await #expect { _ = try await controlled.lookup("x", embedding: [1, 2]) } throws: {
            ($0 as? CacheError)?.message == "embedding has 2 dimensions, the cache's model has 64"
        }
        vector[3] = .nan
        await #expect { _ = try await controlled.lookup("x", embedding: vector) } throws: {
            ($0 as? CacheError)?.code == .invalidArgument
        }
    }

    @Test func `what a given embedding found is not remembered as the prompt's own answer`() async throws {
        try await self.fixture.store(self.question, "so")
        let near = HashingEmbedder.embedding(of: self.question).values
        for _ in 0..<2 {
            let hit = try #require(try await self.fixture.lookup("words unlike", embedding: near).hit)
            #expect(hit.kind == .semantic && hit.tier == .store)
        }
        #expect(try await self.fixture.lookup("words unlike").hit == nil)
        // Nor the other way round.
        for _ in 0..<2 { #expect(try await self.fixture.lookup(self.paraphrase).hit != nil) }
        let far = HashingEmbedder.embedding(of: "words unlike").values
        #expect(try await self.fixture.lookup(self.paraphrase, embedding: far).hit == nil)
    }

    @Test func `times to live are the request's, capped, and vary by the jitter`() async throws {
        let policy = CachePolicy(timeToLive: .seconds(100), maximumTimeToLive: .seconds(1000), timeToLiveJitter: 0.1)
        #expect(policy.timeToLive(requested: nil, random: 0.5) == .seconds(100))
        #expect(policy.timeToLive(requested: nil, random: 0) == .seconds(90))
        #expect(policy.timeToLive(requested: .seconds(10), random: 0.999_999_9) <= .seconds(11))
        #expect(policy.timeToLive(requested: .seconds(5000), random: 0.999_999_9) == .seconds(1000))
        #expect(policy.timeToLive(requested: .milliseconds(1), random: 0) == .milliseconds(1))
    }
}
