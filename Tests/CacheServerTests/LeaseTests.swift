// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

/// Leases over the wire.
@Suite(.timeLimit(.minutes(2))) struct LeaseTests {
    private static func asking(_ text: String, wait: LookupRequest.Wait = .none) -> LookupRequest {
        var request = CacheServerTests.lookup(text)
        request.lease = .seconds(600)
        request.wait = wait
        return request
    }

    private static func fill(_ outcome: LookupOutcome) -> FillStatus? {
        switch outcome {
        case .hit(let hit): hit.fill
        case .miss(let miss): miss.fill
        case .bypass: nil
        }
    }

    private static func token(_ outcome: LookupOutcome) throws -> LeaseToken {
        guard case .lease(let token, _) = self.fill(outcome) else { throw CacheError(.internal, "\(outcome)") }
        return token
    }

    @Test func `one connection makes the answer, another waits for it, and a third lease is voided`() async throws {
        try await TestServer.run { server in
            let (holder, waiter) = (try await server.open(), try await server.open())
            let token = try Self.token(try await holder.lookup(Self.asking("why?")))
            guard case .underWay = Self.fill(try await waiter.lookup(Self.asking("why?"))) else {
                Issue.record("two have the lease")
                return
            }
            try await waiter.send(.lookup(Self.asking("why?", wait: .untilDeadline)), id: 5)
            while server.engine.fills.waiterCount == 0 { await Task.yield() }
            var request = CacheServerTests.store("why?", "because")
            request.lease = token
            try await holder.store(request)
            #expect(try await waiter.nextReply().lookup?.response == "because")
            let again = try await holder.ask(.store(request))
            guard case .failure(let refusal) = again else {
                Issue.record("stored twice under one lease")
                return
            }
            #expect(refusal.code == .aborted && refusal.field == "lease_token")
            let second = try Self.token(try await holder.lookup(Self.asking("who?")))
            let extended = try await holder.ask(
                .lease(LeaseRequest(cache: "support", token: second, action: .extend(.seconds(60)))))
            #expect(extended == .success(.lease(LeaseOutcome(remaining: .seconds(60), isReleased: false))))
            _ = try await waiter.ask(.invalidate(InvalidateRequest(cache: "support", selector: .wholeCache))).get()
            let over = try await holder.ask(
                .lease(LeaseRequest(cache: "support", token: second, action: .extend(.seconds(60)))))
            guard case .failure(let end) = over else {
                Issue.record("an Invalidate has left a lease")
                return
            }
            #expect(end.code == .aborted)
            let released = try await holder.ask(
                .lease(LeaseRequest(cache: "support", token: second, action: .release)))
            #expect(released == .success(.lease(LeaseOutcome(remaining: .zero, isReleased: false))))
        }
    }

    @Test func `memory serves what is stale, and leaves to the slow lane who makes it anew`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            var request = CacheServerTests.store("why?", "because")
            (request.timeToLive, request.staleTimeToLive) = (.seconds(10), .seconds(100))
            try await client.store(request)
            _ = try await client.lookup(CacheServerTests.lookup("why?"))
            let fresh = try #require(try await client.lookup(Self.asking("why?")).hit)
            #expect(fresh.tier == .l1 && !fresh.isStale && fresh.fill == nil)
            server.clock.advance(by: .seconds(20))
            let stale = try #require(try await client.lookup(CacheServerTests.lookup("why?")).hit)
            #expect(stale.tier == .l1 && stale.isStale && stale.fill == nil)
            let first = try await client.lookup(Self.asking("why?"))
            #expect(first.hit?.isStale == true)
            request.lease = try Self.token(first)
            guard case .underWay = Self.fill(try await client.lookup(Self.asking("why?"))) else {
                Issue.record("two make it anew")
                return
            }
            try await client.store(request)
            #expect(try await client.lookup(Self.asking("why?")).hit?.isStale == false)
        }
    }
}
