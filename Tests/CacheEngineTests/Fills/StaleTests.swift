// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Answers past their time to live.
@Suite struct StaleTests {
    private let fixture = EngineFixture()
    private let long = Duration.seconds(600)

    @Test func `in the stale window everybody gets the answer, and one the lease to make it anew`() async throws {
        let stored = try await self.fixture.store("why?", "because", ttl: .seconds(10), stale: .seconds(20))
        #expect(stored.expiresAt - stored.freshUntil == .seconds(20))
        let fresh = try await self.fixture.lookup("why?", lease: self.long)
        #expect(fresh.hit?.isStale == false && fresh.fill == nil)
        self.fixture.clock.advance(by: .seconds(10))
        let outcomes = try await withThrowingTaskGroup(of: LookupOutcome.self) { group in
            for _ in 0..<50 {
                group.addTask { try await self.fixture.lookup("why?", lease: self.long, wait: .untilDeadline) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.allSatisfy { $0.text == "because" && $0.hit?.isStale == true && $0.hit?.kind == .exact })
        let tokens = outcomes.compactMap { $0.fill?.token }
        #expect(tokens.count == 1 && outcomes.allSatisfy { $0.fill != nil })
        // Who does not ask for a lease is not told.
        #expect(try await self.fixture.lookup("why?").fill == nil)
        try await self.fixture.store("why?", "now", ttl: .seconds(10), lease: tokens[0])
        let new = try await self.fixture.lookup("why?", lease: self.long)
        #expect(new.text == "now" && new.hit?.isStale == false && new.fill == nil)
        let statistics = try await self.fixture.engine.statistics(cache: nil, scope: self.fixture.scope)
        #expect(statistics.caches.map(\.staleHits) == [51])
        // Without a window it ends.
        self.fixture.clock.advance(by: .seconds(10))
        #expect(try await self.fixture.lookup("why?").miss != nil)
    }

    @Test func `after the stale window there is no answer`() async throws {
        try await self.fixture.store("why?", "because", ttl: .seconds(10), stale: .seconds(20))
        self.fixture.clock.advance(by: .seconds(29))
        #expect(try await self.fixture.lookup("why?").text == "because")
        #expect(try await self.fixture.lookup("why?", maximumAge: .seconds(28)).miss?.reason == .tooOld)
        self.fixture.clock.advance(by: .seconds(1))
        #expect(try await self.fixture.lookup("why?").miss != nil)
    }

    @Test func `one found by meaning is marked, and its lease is for those who ask its own prompt`() async throws {
        try await self.fixture.store("how do I reset my password", "so", ttl: .seconds(10), stale: .seconds(20))
        self.fixture.clock.advance(by: .seconds(15))
        let outcome = try await self.fixture.lookup(
            "how do I reset my password please", lease: self.long)
        #expect(outcome.hit?.kind == .semantic && outcome.hit?.isStale == true && outcome.fill == nil)
        let own = try await self.fixture.lookup("how do I reset my password", lease: self.long)
        #expect(own.fill?.token != nil)
    }

    @Test func `the window is the cache's own unless the Store says, and within what the tenant may keep`() async throws
    {
        let policy = CachePolicy(
            timeToLive: .seconds(10), staleTimeToLive: .seconds(5), maximumTimeToLive: .seconds(12), timeToLiveJitter: 0
        )
        #expect(policy.staleTimeToLive(requested: nil, after: .seconds(10)) == .seconds(2))
        #expect(policy.staleTimeToLive(requested: nil, after: .seconds(3)) == .seconds(5))
        #expect(policy.staleTimeToLive(requested: .seconds(100), after: .seconds(3)) == .seconds(9))
        #expect(policy.staleTimeToLive(requested: .zero, after: .seconds(3)) == .zero)
        let fixture = EngineFixture(policy: policy)
        let outcome = try await fixture.store("why?", "because", ttl: .seconds(8))
        #expect(outcome.expiresAt - outcome.freshUntil == .seconds(4))
    }
}
