// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

@Suite struct TenantTests {
    private let acme = TenantScope(authenticated: TenantID("acme"))
    private let globex = TenantScope(authenticated: TenantID("globex"))

    private static func directory(_ policy: TenantPolicy, others: TenantPolicy? = nil) -> TenantDirectory {
        var directory = TenantDirectory(undeclared: others)
        directory.declare(TenantID("acme"), policy)
        return directory
    }

    private static func code(_ body: () async throws -> Void) async -> CacheError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? CacheError)?.code
        }
    }

    @Test func `a tenant that is not configured is refused`() async throws {
        let fixture = EngineFixture(directory: Self.directory(TenantPolicy(template: CachePolicy())))
        try await fixture.store("q", "a")
        #expect(await Self.code { _ = try await fixture.lookup("q", scope: self.globex) } == .permissionDenied)
        #expect(await Self.code { try await fixture.store("q", "a", scope: self.globex) } == .permissionDenied)
        #expect(
            await Self.code {
                _ = try await fixture.engine.statistics(cache: nil, scope: self.globex)
            } == .permissionDenied)
    }

    @Test func `a cache that is not declared is not found, unless there is a template`() async throws {
        var policy = TenantPolicy()
        policy.declare("c", CachePolicy())
        let fixture = EngineFixture(directory: Self.directory(policy))
        try await fixture.store("q", "a")
        #expect(await Self.code { try await fixture.store("q", "a", cache: "d") } == .notFound)
        #expect(await Self.code { _ = try await fixture.lookup("q", cache: "d") } == .notFound)
        #expect(await Self.code { try await fixture.invalidate(.wholeCache, cache: "d") } == .notFound)
        policy.template = CachePolicy()
        fixture.engine.replace(Self.directory(policy))
        try await fixture.store("q", "a", cache: "d")
    }

    @Test func `names that only look equal are two caches`() async throws {
        var policy = TenantPolicy()
        policy.declare("caf\u{e9}", CachePolicy())
        let fixture = EngineFixture(directory: Self.directory(policy))
        try await fixture.store("q", "a", cache: "caf\u{e9}")
        #expect(await Self.code { _ = try await fixture.lookup("q", cache: "cafe\u{301}") } == .notFound)
    }

    @Test func `the tenant's floor holds, whatever cache and request say`() async throws {
        var policy = TenantPolicy(similarityFloor: 0.9)
        policy.declare("c", CachePolicy(similarityThreshold: 0.5, similarityFloor: -1))
        let fixture = EngineFixture(directory: Self.directory(policy))
        try await fixture.store("how do I reset my password", "a")
        let miss = try await fixture.lookup("how do I reset this password", threshold: -1).miss
        #expect(miss?.similarityThreshold == 0.9)
        #expect(miss?.reason == .belowThreshold)
    }

    @Test func `the tenant's cap shortens a time to live`() async throws {
        let policy = TenantPolicy(
            maximumTimeToLive: .seconds(60), template: CachePolicy(timeToLive: .seconds(600), timeToLiveJitter: 0))
        let fixture = EngineFixture(directory: Self.directory(policy))
        let outcome = try await fixture.store("q", "a", ttl: .seconds(3600))
        #expect(outcome.expiresAt == fixture.clock.now + .seconds(60))
    }

    @Test func `a reload is in force at once, and forgives nothing`() async throws {
        let quota = TenantQuota(requestsPerSecond: 1, burst: 1)
        let fixture = EngineFixture(
            directory: Self.directory(TenantPolicy(quota: quota, template: CachePolicy(timeToLiveJitter: 0))))
        let tenant = try fixture.engine.tenant(self.acme)
        try tenant.admit(bytes: 1, at: fixture.clock.now)
        fixture.engine.replace(
            Self.directory(TenantPolicy(similarityFloor: 0.99, quota: quota, template: CachePolicy())))
        #expect(!fixture.engine.isCurrent(tenant))
        let renewed = try fixture.engine.tenant(self.acme)
        #expect(fixture.engine.isCurrent(renewed))
        #expect(throws: CacheError.self) { try renewed.admit(bytes: 1, at: fixture.clock.now) }
        #expect(try await fixture.lookup("q").miss?.similarityThreshold == 0.99)
    }

    @Test func `rate, size and calls in flight are refused with their limits, and counted`() async throws {
        let quota = TenantQuota(requestsPerSecond: 2, burst: 1, callsInFlight: 1, requestBytes: 10)
        let fixture = EngineFixture(directory: Self.directory(TenantPolicy(quota: quota, template: CachePolicy())))
        let tenant = try fixture.engine.tenant(self.acme)
        let now = fixture.clock.now
        try tenant.admit(bytes: 10, at: now)
        #expect { try tenant.admit(bytes: 10, at: now) } throws: {
            ($0 as? CacheError)?.code == .resourceExhausted && ($0 as? CacheError)?.retryAfter == .milliseconds(500)
        }
        #expect { try tenant.admit(bytes: 11, at: now + .seconds(9)) } throws: {
            // Trying again would not help.
            ($0 as? CacheError)?.code == .resourceExhausted && ($0 as? CacheError)?.retryAfter == nil
        }
        try tenant.beginCall()
        #expect { try tenant.beginCall() } throws: {
            ($0 as? CacheError)?.code == .resourceExhausted && ($0 as? CacheError)?.retryAfter != nil
        }
        tenant.account.endCall()
        try tenant.beginCall()
        let statistics = try await fixture.engine.statistics(cache: nil, scope: self.acme).tenant
        #expect(statistics.refusedByRate == 1)
        #expect(statistics.refusedByRequestBytes == 1)
        #expect(statistics.refusedByCallsInFlight == 1)
    }

    @Test func `a full quota lets the tenant's own least used entries go, out of memory too`() async throws {
        let limited = TenantPolicy(quota: TenantQuota(entries: 2), template: CachePolicy(timeToLiveJitter: 0))
        let fixture = EngineFixture(
            directory: Self.directory(limited, others: TenantPolicy(template: CachePolicy(timeToLiveJitter: 0))))
        try await fixture.store("first of all", "1", scope: self.globex)
        for (prompt, answer) in [("alpha beta", "1"), ("gamma delta", "2")] {
            try await fixture.store(prompt, answer)
            fixture.clock.advance(by: .seconds(60))
        }
        // Served from the store, then from memory, which tells the store.
        for _ in 0..<2 {
            #expect(try await fixture.lookup("alpha beta").text == "1")
            #expect(try await fixture.lookup("gamma delta", mode: .exact).text == "2")
            fixture.clock.advance(by: .seconds(60))
            #expect(try await fixture.lookup("alpha beta").text == "1")
        }
        try await fixture.store("epsilon zeta", "3")
        #expect(try await fixture.lookup("alpha beta", mode: .exact).text == "1")
        #expect(try await fixture.lookup("gamma delta", mode: .exact).text == nil)
        #expect(try await fixture.lookup("first of all", mode: .exact, scope: self.globex).text == "1")
        let statistics = try await fixture.engine.statistics(cache: nil, scope: self.acme)
        #expect(statistics.tenant.entries == 2)
        #expect(statistics.tenant.evictedEntries == 1)
        #expect(statistics.caches[0].evictedEntries == 1)
    }

    @Test func `an entry larger than the quota is refused, and nothing goes for it`() async throws {
        let policy = TenantPolicy(quota: TenantQuota(bytes: 1000), template: CachePolicy())
        let fixture = EngineFixture(directory: Self.directory(policy))
        try await fixture.store("q", "a")
        let large = String(repeating: "x", count: 1000)
        #expect(await Self.code { try await fixture.store("r", large) } == .resourceExhausted)
        #expect(try await fixture.lookup("q").text == "a")
        let statistics = try await fixture.engine.statistics(cache: nil, scope: self.acme).tenant
        #expect(statistics.refusedByQuota == 1 && statistics.evictedEntries == 0)
    }

    @Test func `the whole tenant goes with its name for confirmation only`() async throws {
        let fixture = EngineFixture()
        try await fixture.store("q", "a", cache: "c")
        try await fixture.store("q", "a", cache: "d")
        try await fixture.store("q", "other", scope: self.globex)
        for wrong in ["", "acm", "acme ", "ACME", "globex"] {
            #expect(
                await Self.code {
                    try await fixture.invalidate(.wholeTenant(confirmation: wrong), cache: "")
                } == .invalidArgument)
        }
        #expect(try await fixture.invalidate(.wholeTenant(confirmation: "acme"), cache: "", dryRun: true).count == 2)
        #expect(try await fixture.lookup("q").text == "a")
        #expect(try await fixture.invalidate(.wholeTenant(confirmation: "acme"), cache: "").count == 2)
        #expect(try await fixture.lookup("q").text == nil)
        #expect(try await fixture.lookup("q", scope: self.globex).text == "other")
    }
}
