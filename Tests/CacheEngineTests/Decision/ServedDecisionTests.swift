// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import CacheEngine

/// What is served besides the one answer that was decided on: further matches, and what memory and replaced answers hold.
struct ServedDecisionTests {
    private static func fixture(_ decision: DecisionPolicy = DecisionPolicy()) -> EngineFixture {
        EngineFixture(policy: Self.policy(decision), random: { 0.5 })
    }

    private static func policy(_ decision: DecisionPolicy) -> CachePolicy {
        CachePolicy(timeToLiveJitter: 0, decision: decision)
    }

    private let question = "how do I reset the password of my account"
    private let paraphrase = "how do I reset the password of our account"

    private func judgeWrong(_ fixture: EngineFixture, _ prompt: String, _ entry: EntryID) async throws {
        _ = try await fixture.engine.feedback(
            FeedbackRequest(
                cache: "c", entry: entry, question: .prompt(.text(CanonicalPrompt(prompt)), vary: [], embedding: nil),
                verdict: .wrong), scope: fixture.scope, by: .now + .seconds(30))
    }

    private func texts(_ outcome: LookupOutcome) -> [String] {
        outcome.hit?.matches.map { String(decoding: $0.entry.response, as: UTF8.self) } ?? []
    }

    @Test(arguments: [DecisionPolicy(), DecisionPolicy(kind: .threshold)])
    func `of several matches each would be served if it was alone`(policy: DecisionPolicy) async throws {
        let fixture = Self.fixture(policy)
        try await fixture.store("how do I turn on the dark mode of the app", "on")
        try await fixture.store("how do I turn off the dark mode of the app", "off")
        try await fixture.store("how can I turn on the dark mode of the app", "also on")
        let wrong = try await fixture.store("how do we turn on the dark mode of the app", "wrong")
        try await fixture.store("how do I turn on a lamp", "far")
        let asked = "how do I turn on the dark mode of the app"
        try await self.judgeWrong(fixture, asked, wrong.id)
        #expect(self.texts(try await fixture.lookup(asked, topK: 5)) == ["on", "also on"])
        #expect(self.texts(try await fixture.lookup(asked, topK: 5, mode: .semantic)).contains("wrong") == false)
        let other = "how do I please turn on the dark mode of the app"
        try await self.judgeWrong(fixture, other, wrong.id)
        let found = self.texts(try await fixture.lookup(other, threshold: 0.5, topK: 5))
        #expect(!found.isEmpty && !found.contains("off") && !found.contains("wrong"))
    }

    @Test func `in shadow mode an exact answer comes alone`() async throws {
        let fixture = Self.fixture(DecisionPolicy(isShadow: true))
        try await fixture.store(self.question, "so")
        try await fixture.store(self.paraphrase, "so too")
        #expect(self.texts(try await fixture.lookup(self.question, topK: 5)) == ["so"])
    }

    @Test func `a right answer in the place of a wrong one is served to all spellings of its question`() async throws {
        let fixture = Self.fixture()
        let stored = try await fixture.store(self.question, "wrong")
        try await self.judgeWrong(fixture, self.question, stored.id)
        #expect(try await fixture.lookup(self.question).hit == nil)
        try await fixture.store(self.question, "right")
        #expect(try await fixture.lookup("Please, " + self.question + "?").text == "right")
        // The wrong one under another question is wrong here still.
        try await fixture.store(self.paraphrase, "wrong")
        try await fixture.invalidate(.exactPrompt(.text(CanonicalPrompt(self.question)), vary: []))
        #expect(try await fixture.lookup("Please, " + self.question + "?").miss?.reason == .blocked)
    }

    @Test func `what was judged wrong stays so when its entry is stored again in other words`() async throws {
        let fixture = Self.fixture()
        let stored = try await fixture.store(self.paraphrase, "the red one, then the blue one")
        try await self.judgeWrong(fixture, self.question, stored.id)
        try await fixture.store(self.paraphrase, "first of all you take whatever is red")
        #expect(try await fixture.lookup(self.question).miss?.reason == .blocked)
    }

    @Test func `what is served for a request's low threshold is not remembered for others`() async throws {
        let fixture = Self.fixture()
        try await fixture.store("how do I reset the password of my account today", "so")
        let asked = "how do I reset the password of a machine"
        let hit = try #require(try await fixture.lookup(asked, threshold: 0.5).hit)
        #expect(hit.kind == .semantic && hit.matches[0].similarity < 0.85)
        #expect(try await fixture.lookup(asked).miss?.reason == .belowThreshold)
        #expect(try await fixture.lookup(asked, threshold: 0.5).hit?.tier == .store)
    }

    @Test func `memory forgets what was found by other rules`() async throws {
        let fixture = Self.fixture()
        try await fixture.store(self.question, "so")
        for tier in [Tier.store, .l1] { #expect(try await fixture.lookup(self.paraphrase).hit?.tier == tier) }
        let shadow = Self.policy(DecisionPolicy(isShadow: true))
        fixture.engine.replace(TenantDirectory(undeclared: TenantPolicy(template: shadow)))
        #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .shadow)
    }

    @Test func `what a tenant's caches have learnt goes with the tenant`() async throws {
        let fixture = Self.fixture()
        for number in 0..<60 {
            try await fixture.store("how does thing \(number) of the many work here now", "answer \(number % 2)")
        }
        func labels() async throws -> UInt64 {
            try await fixture.engine.statistics(cache: "c", scope: fixture.scope).caches[0].decision.labels
        }
        #expect(try await labels() >= 50)
        try await fixture.invalidate(.wholeTenant(confirmation: "acme"), cache: "")
        try await fixture.store("how does thing 1 of the many work here now", "answer 1")
        #expect(try await labels() == 0)
        let cache = CacheScope("c", of: fixture.scope)
        #expect(try await fixture.store.snapshot(of: cache) == nil)
    }

    @Test func `one tenant's many caches cost another nothing that it has learnt`() throws {
        let fixture = Self.fixture()
        let rival = TenantScope(authenticated: TenantID("rival"))
        func decider(_ cache: String, of scope: TenantScope) throws -> CacheDecider {
            try fixture.engine.deciders.decider(of: fixture.engine.route(cache: cache, vary: [], scope: scope))
        }
        let own = try decider("c", of: fixture.scope)
        weak let first = try decider("0", of: rival)
        #expect(first != nil)
        for number in 1..<Limits.maximumDeciders + 50 { _ = try decider("\(number)", of: rival) }
        #expect(try decider("c", of: fixture.scope) === own)
        #expect(first == nil, "what is not kept takes no memory")
        let latest = try decider("\(Limits.maximumDeciders + 49)", of: rival)
        #expect(try decider("\(Limits.maximumDeciders + 49)", of: rival) === latest)
    }
}
