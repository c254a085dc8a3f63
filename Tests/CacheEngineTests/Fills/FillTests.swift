// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Leases on a miss, and those who wait.
@Suite struct FillTests {
    private let fixture = EngineFixture()
    private let long = Duration.seconds(600)

    private func invited(_ outcome: LookupOutcome) throws -> LeaseToken {
        try #require(outcome.fill?.token, "\(outcome)")
    }

    private func waiters(_ count: Int) async {
        while self.fixture.engine.fills.waiterCount < count { await Task.yield() }
    }

    private func change(_ token: LeaseToken, _ action: LeaseRequest.Action) async throws -> LeaseOutcome {
        try await self.fixture.engine.lease(
            LeaseRequest(cache: "c", token: token, action: action), scope: self.fixture.scope)
    }

    @Test func `of 200 callers one gets the lease, the others are told that it is under way`() async throws {
        let outcomes = try await withThrowingTaskGroup(of: LookupOutcome.self) { group in
            for _ in 0..<200 {
                group.addTask { try await self.fixture.lookup("why?", lease: self.long) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0.fill?.token != nil } == 1)
        for outcome in outcomes where outcome.fill?.token == nil {
            guard case .underWay(let rest) = outcome.fill else {
                Issue.record("\(outcome)")
                continue
            }
            #expect(rest > .seconds(60) && rest <= self.long)
        }
        // One of them asked the store.
        #expect(self.fixture.store.count(.lease) == 1)
        let statistics = try await self.fixture.engine.statistics(cache: nil, scope: self.fixture.scope)
        #expect(statistics.caches.map(\.leasesGranted) == [1])
    }

    @Test func `of 200 callers who wait one makes the answer and all get it`() async throws {
        let token = try self.invited(try await self.fixture.lookup("why?", lease: self.long, wait: .untilDeadline))
        let outcomes = try await withThrowingTaskGroup(of: LookupOutcome.self) { group in
            for _ in 0..<199 {
                group.addTask {
                    try await self.fixture.lookup("why?", lease: self.long, wait: .untilDeadline, within: .seconds(250))
                }
            }
            await self.waiters(199)
            try await self.fixture.store("why?", "because", lease: token)
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.allSatisfy { $0.text == "because" && $0.hit?.kind == .exact && $0.fill == nil })
        let statistics = try await self.fixture.engine.statistics(cache: nil, scope: self.fixture.scope)
        let cache = try #require(statistics.caches.first)
        #expect(cache.leasesGranted == 1 && cache.waitsFilled == 199)
        #expect(self.fixture.engine.fills.waiterCount == 0)
    }

    @Test func `a lease that is given up goes to one of those who wait, at once`() async throws {
        let token = try self.invited(try await self.fixture.lookup("why?", lease: self.long))
        try await withThrowingTaskGroup(of: LookupOutcome.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    try await self.fixture.lookup("why?", lease: self.long, wait: .untilDeadline, within: .seconds(250))
                }
            }
            await self.waiters(20)
            #expect(try await self.change(token, .release).isReleased)
            let next = try self.invited(try #require(try await group.next()))
            await self.waiters(19)
            #expect(try await !self.change(token, .release).isReleased)
            let fault = await #expect(throws: CacheError.self) {
                try await self.fixture.store("why?", "late", lease: token)
            }
            #expect(fault?.code == .aborted && fault?.field == "lease_token")
            try await self.fixture.store("why?", "because", lease: next)
            while let outcome = try await group.next() { #expect(outcome.text == "because") }
        }
        let statistics = try await self.fixture.engine.statistics(cache: nil, scope: self.fixture.scope)
        #expect(statistics.caches.map(\.abortedStores) == [1])
    }

    @Test func `a holder that is gone is followed by one of those who wait when its lease has run out`() async throws {
        _ = try self.invited(try await self.fixture.lookup("why?", lease: .milliseconds(200)))
        let start = ContinuousClock.now
        let outcomes = try await withThrowingTaskGroup(of: LookupOutcome.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    let outcome = try await self.fixture.lookup(
                        "why?", lease: self.long, wait: .untilDeadline, within: .seconds(250))
                    if let token = outcome.fill?.token {
                        #expect(ContinuousClock.now - start < .seconds(60))
                        try await self.fixture.store("why?", "because", lease: token)
                    }
                    return outcome
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0.fill?.token != nil } == 1 && outcomes.count { $0.text == "because" } == 19)
    }

    @Test func `an Invalidate voids the lease and lets the next one in`() async throws {
        let selectors: [InvalidateRequest.Selector] = [
            .exactPrompt(.text(try CanonicalPrompt("why?")), vary: []), .filter(try MetadataFilter("exists(a)")),
            .wholeCache, .tags(["x"]), .wholeTenant(confirmation: "acme"),
        ]
        for selector in selectors {
            let token = try self.invited(try await self.fixture.lookup("why?", lease: self.long))
            try await withThrowingTaskGroup(of: LookupOutcome.self) { group in
                group.addTask {
                    try await self.fixture.lookup("why?", lease: self.long, wait: .untilDeadline, within: .seconds(250))
                }
                await self.waiters(1)
                var cache = "c"
                if case .wholeTenant = selector { cache = "" }
                _ = try await self.fixture.invalidate(selector, cache: cache, dryRun: true)
                #expect(self.fixture.engine.fills.waiterCount == 1)
                _ = try await self.fixture.invalidate(selector, cache: cache)
                let next = try self.invited(try #require(try await group.next()))
                let fault = await #expect(throws: CacheError.self) {
                    try await self.fixture.store("why?", "of before", lease: token)
                }
                #expect(fault?.code == .aborted)
                #expect(try await self.change(next, .release).isReleased)
            }
        }
        #expect(try await self.fixture.lookup("why?").miss != nil)
    }

    @Test func `who waits no longer than it may is told that it is under way`() async throws {
        _ = try self.invited(try await self.fixture.lookup("why?", lease: self.long))
        let short = try await self.fixture.lookup("why?", lease: self.long, wait: .atMost(.milliseconds(30)))
        guard case .underWay = short.fill else {
            Issue.record("\(short)")
            return
        }
        let start = ContinuousClock.now
        let late = try await self.fixture.lookup(
            "why?", lease: self.long, wait: .untilDeadline, within: .seconds(3))
        guard case .underWay = late.fill, case .miss(let miss) = late else {
            Issue.record("\(late)")
            return
        }
        #expect(miss.reason == .noEntry && ContinuousClock.now - start >= .milliseconds(2_900))
    }

    @Test func `one who goes away while it waits leaves nothing behind`() async throws {
        let token = try self.invited(try await self.fixture.lookup("why?", lease: self.long))
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                let fault = await #expect(throws: CacheError.self) {
                    try await self.fixture.lookup("why?", lease: self.long, wait: .untilDeadline)
                }
                #expect(fault?.code == .cancelled)
            }
            await self.waiters(1)
            group.cancelAll()
        }
        #expect(self.fixture.engine.fills.waiterCount == 0)
        try await self.fixture.store("why?", "because", lease: token)
    }

    @Test func `only what the cache has looked for and does not have is to be made`() async throws {
        // Not by meaning.
        #expect(try await self.fixture.lookup("why?", mode: .semantic, lease: self.long).fill == nil)
        #expect(try await self.fixture.lookup("why?").fill == nil)
        self.fixture.store.hook { operation, phase in
            operation == .nearest && phase == .before ? VectorStoreError(.unavailable, "gone") : nil
        }
        let degraded = try await self.fixture.lookup("why?", lease: self.long)
        #expect(degraded.miss?.reason == .degraded(.storeUnavailable) && degraded.fill == nil)
        self.fixture.store.hook { operation, phase in
            operation == .lease && phase == .before ? VectorStoreError(.overloaded, "full") : nil
        }
        #expect(try await self.fixture.lookup("why?", lease: self.long, wait: .untilDeadline).fill == nil)
        self.fixture.store.hook(nil)
        _ = try self.invited(try await self.fixture.lookup("why?", mode: .exact, lease: self.long))
    }

    @Test func `what a filter or an age refuses is to be made too`() async throws {
        let filter = try MetadataFilter("lang == \"de\"")
        try await self.fixture.store("why?", "because")
        let filtered = try await self.fixture.lookup("why?", filter: filter, lease: self.long)
        #expect(filtered.miss?.reason == .filtered)
        #expect(try await self.change(try self.invited(filtered), .release).isReleased)
        self.fixture.clock.advance(by: .seconds(10))
        let old = try await self.fixture.lookup("why?", maximumAge: .seconds(5), lease: self.long)
        #expect(old.miss?.reason == .tooOld)
        let token = try self.invited(old)
        try await self.fixture.store("why?", "now", lease: token)
        let new = try await self.fixture.lookup("why?", maximumAge: .seconds(5), lease: self.long)
        #expect(new.text == "now" && new.fill == nil)
    }

    @Test func `a Lookup that was overtaken by a Store gets its answer instead of a lease`() async throws {
        self.fixture.store.hook { [fixture] operation, phase in
            guard operation == .lease, phase == .before else { return nil }
            fixture.store.hook(nil)
            _ = try? await fixture.store("why?", "because")
            return nil
        }
        let outcome = try await self.fixture.lookup("why?", lease: self.long)
        #expect(outcome.text == "because" && outcome.hit?.kind == .exact && outcome.fill == nil)
    }

    @Test func `a lease may be prolonged`() async throws {
        let token = try self.invited(try await self.fixture.lookup("why?", lease: .seconds(2)))
        #expect(try await self.change(token, .extend(.seconds(500))).remaining > .seconds(400))
        guard case .underWay(let rest) = try await self.fixture.lookup("why?", lease: self.long).fill else {
            Issue.record("it is free")
            return
        }
        #expect(rest > .seconds(400))
        let forged = LeaseToken(for: EntryID(high: 1, low: 1))
        let fault = await #expect(throws: CacheError.self) { try await self.change(forged, .extend(.seconds(2))) }
        #expect(fault?.code == .aborted)
        let other = await #expect(throws: CacheError.self) {
            try await self.fixture.store("another", "x", lease: token)
        }
        #expect(other?.code == .aborted)
    }
}

extension LookupOutcome {
    var fill: FillStatus? {
        switch self {
        case .hit(let hit): hit.fill
        case .miss(let miss): miss.fill
        case .bypass: nil
        }
    }
}

extension FillStatus {
    var token: LeaseToken? { if case .lease(let token, _) = self { token } else { nil } }
}
