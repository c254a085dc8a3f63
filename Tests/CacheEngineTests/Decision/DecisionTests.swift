// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

@testable import Decisions

/// Decisions, verdicts and shadow mode as a Lookup shows them.
struct DecisionTests {
    private static func fixture(_ decision: DecisionPolicy = DecisionPolicy(), random: Double = 0.5) -> EngineFixture {
        EngineFixture(policy: CachePolicy(timeToLiveJitter: 0, decision: decision), random: { random })
    }

    private let question = "how do I reset the password of my account"
    private let paraphrase = "how do I reset the password of our account"

    private func feedback(
        _ fixture: EngineFixture, _ verdict: FeedbackRequest.Verdict, on prompt: String, entry: EntryID
    ) async throws -> FeedbackOutcome {
        try await fixture.engine.feedback(
            FeedbackRequest(
                cache: "c", entry: entry, question: .prompt(.text(CanonicalPrompt(prompt)), vary: [], embedding: nil),
                verdict: verdict), scope: fixture.scope, by: .now + .seconds(30))
    }

    @Test func `a new cache answers by threshold, and says the risk`() async throws {
        let fixture = Self.fixture()
        try await fixture.store(self.question, "so")
        let hit = try #require(try await fixture.lookup(self.paraphrase).hit)
        #expect(hit.kind == .semantic)
        let decision = try #require(hit.decision)
        #expect(decision.kind == .threshold && decision.risk != nil && decision.riskLimit == nil)
        #expect(hit.lookup != nil)
    }

    @Test(arguments: [
        ("how do I turn on the dark mode", "how do I turn off the dark mode", Guard.direction),
        ("can I take 2 bags on the flight", "can I take 3 bags on the flight", .number),
    ])
    func `a guard refuses the opposite question, by its name`(asked: String, stored: String, name: Guard) async throws {
        let fixture = Self.fixture()
        try await fixture.store(stored, "no")
        let miss = try #require(try await fixture.lookup(asked, threshold: 0.5).miss)
        guard case .guarded(let found) = miss.reason else {
            Issue.record("refused as \(miss.reason)")
            return
        }
        #expect(found == name || [.antonym, .wordSwap].contains(found))
        #expect(miss.nearest != nil)
        let off = Self.fixture(DecisionPolicy(kind: .threshold, guards: []))
        try await off.store(stored, "no")
        #expect(try await off.lookup(asked, threshold: 0.5).hit?.kind == .semantic)
    }

    @Test func `the same question in other spelling and politeness is served, and stays exact for its own`()
        async throws
    {
        let fixture = Self.fixture(random: 0)
        try await fixture.store("What's the price of 1,000 screws?", "12")
        for prompt in ["what is the price of 1000 screws", "Please tell me, what's the price of 1,000 screws?"] {
            let hit = try #require(try await fixture.lookup(prompt).hit)
            #expect(hit.kind == .semantic)
        }
        #expect(try await fixture.lookup("What's the price of 1,000 screws?").hit?.kind == .exact)
    }

    @Test func `an answer that was judged wrong is not served for that question again, out of memory neither`()
        async throws
    {
        let fixture = Self.fixture()
        let stored = try await fixture.store(self.question, "so")
        #expect(try await fixture.lookup(self.paraphrase).hit != nil)
        #expect(try await fixture.lookup(self.paraphrase).hit?.tier == .l1)
        let outcome = try await self.feedback(fixture, .wrong, on: self.paraphrase, entry: stored.id)
        #expect(outcome.isBlocked && outcome.isLearnt)
        for _ in 0..<2 { #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .blocked) }
        // Nor to the same question in other letters; others go on.
        #expect(try await fixture.lookup(self.paraphrase.uppercased() + "?").miss?.reason == .blocked)
        #expect(try await fixture.lookup(self.question).hit?.kind == .exact)
        let other = try await fixture.lookup("how can I reset the password of my account")
        #expect(other.hit?.kind == .semantic)
    }

    @Test func `a Lookup that named itself is judged without its prompt`() async throws {
        let fixture = Self.fixture()
        let stored = try await fixture.store(self.question, "so")
        let hit = try #require(try await fixture.lookup(self.paraphrase).hit)
        let id = try #require(hit.lookup)
        #expect(id.bytes.count <= Limits.maximumLookupIDBytes)
        func judge(_ id: LookupID, cache: String = "c", entry: EntryID) async throws -> FeedbackOutcome {
            try await fixture.engine.feedback(
                FeedbackRequest(cache: cache, entry: entry, question: .lookup(id), verdict: .wrong),
                scope: fixture.scope, by: .now + .seconds(30))
        }
        await #expect(throws: CacheError.self) { try await judge(id, cache: "other", entry: stored.id) }
        await #expect(throws: CacheError.self) { try await judge(id, entry: EntryID(high: 1, low: 1)) }
        for count in stride(from: 0, to: id.bytes.count, by: 7) {
            await #expect(throws: CacheError.self) {
                try await judge(LookupID(bytes: Array(id.bytes[..<count])), entry: stored.id)
            }
        }
        #expect(try await judge(id, entry: stored.id) == FeedbackOutcome(isBlocked: true, isLearnt: true))
        #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .blocked)
    }

    @Test func `a verdict on an entry that is not there is refused`() async throws {
        let fixture = Self.fixture()
        await #expect(throws: CacheError.self) {
            try await self.feedback(fixture, .wrong, on: self.question, entry: EntryID(high: 1, low: 2))
        }
    }

    @Test func `a cache in shadow mode records what it would have served, and serves what is exact`() async throws {
        let fixture = Self.fixture(DecisionPolicy(isShadow: true))
        try await fixture.store(self.question, "so")
        #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .shadow)
        #expect(try await fixture.lookup(self.question).hit?.kind == .exact)
        let statistics = try await fixture.engine.statistics(cache: "c", scope: fixture.scope)
        #expect(statistics.caches[0].decision.shadowHits == 1)
        #expect(statistics.caches[0].missesRefused == 1)
    }

    @Test func `fresh answers after misses become labels, which another process finds in the store`() async throws {
        let fixture = Self.fixture()
        for number in 0..<40 {
            // Near each other, below the threshold.
            try await fixture.store("how does thing \(number) of the many work here now", "answer \(number % 2)")
        }
        let labels = try await fixture.engine.labels(LabelsRequest(cache: "c"), scope: fixture.scope)
        #expect(labels.decisions.count >= Limits.labelBatch)
        #expect(Set(labels.decisions.map(\.source)) == [.store])
        let statistics = try await fixture.engine.statistics(cache: "c", scope: fixture.scope)
        #expect(statistics.caches[0].decision.labels >= UInt64(labels.decisions.count))
        #expect(statistics.caches[0].decision.phase == .learning)
    }
}
