// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Logging
import Synchronization
import TestSupport
import Testing
import Tracing

@testable import CacheEngine
@testable import CacheModel
@testable import Decisions

/// When a judge is asked, and what its opinion decides.
struct JudgedDecisionTests {
    private let question = "how do I reset the password of my account"
    private let paraphrase = "how do I reset the password of our account"
    /// What `Limits/answerTime` leaves of a call's time, if there is enough.
    private let answerTime = Duration.milliseconds(50)

    private static func policy(
        _ kind: DecisionPolicy.Kind = .threshold, isShadow: Bool = false, guards: Set<Guard> = Set(Guard.allCases)
    ) -> DecisionPolicy {
        DecisionPolicy(kind: kind, isShadow: isShadow, guards: guards, judge: "judge")
    }

    /// A cache in which estimates decide, all of the same risk.
    private func calibrated(
        risk: Double, _ judge: ScriptedJudge, phase: DecisionStatistics.Phase = .calibrated
    ) async throws -> EngineFixture {
        let fixture = EngineFixture(Self.policy(.calibrated), judge)
        // The constant alone has a weight.
        let logits: [Double: Double] = [0.002: 20, 0.2: 1.38, 0.5: 0]
        var ledger = DecisionLedger(Self.policy(.calibrated), threshold: 0.8)
        ledger.phase = phase
        ledger.adopt(RiskModel(weights: [logits[risk] ?? 0] + Array(repeating: 0, count: RiskModel.count - 1)))
        let snapshot = DecisionSnapshot(upTo: 1, bytes: ledger.snapshot)
        #expect(try await fixture.store.save(snapshot, of: CacheScope("c", of: fixture.scope)))
        try await fixture.store(self.question, "so")
        return fixture
    }

    private func thresholded(
        _ judge: ScriptedJudge, _ policy: DecisionPolicy = policy()
    ) async throws -> EngineFixture {
        let fixture = EngineFixture(policy, judge)
        try await fixture.store(self.question, "so")
        return fixture
    }

    // MARK: Where a threshold decides

    @Test func `below what is sure, a yes is a hit and a no is a miss that says so`() async throws {
        let judge = ScriptedJudge(true)
        let fixture = try await self.thresholded(judge)
        #expect(try await fixture.lookup(self.paraphrase).hit?.kind == .semantic)
        #expect(judge.asked == [ScriptedJudge.Question(asked: self.paraphrase, stored: self.question)])
        let other = try await self.thresholded(ScriptedJudge(false))
        #expect(try await other.lookup(self.paraphrase).miss?.reason == .judged)
    }

    @Test func `no opinion is a miss, and is counted`() async throws {
        let judge = ScriptedJudge(nil)
        let fixture = try await self.thresholded(judge)
        #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .judged)
        let figures = try await fixture.engine.statistics(cache: "c", scope: fixture.scope).caches[0].decision
        #expect(figures.judgeCalls == 1 && figures.judgeFailures == 1 && figures.judgeTokens == 7)
        #expect(figures.refusals == ["judge": 1])
    }

    @Test func `what is sure, and the same question in other spelling, is not judged`() async throws {
        let judge = ScriptedJudge(false, JudgeBand(sureFrom: 0.5))
        let fixture = try await self.thresholded(judge)
        #expect(try await fixture.lookup(self.paraphrase).hit?.kind == .semantic)
        let strict = ScriptedJudge(false, JudgeBand(sureFrom: 1))
        let same = try await self.thresholded(strict)
        #expect(try await same.lookup("How do I reset the password of my account?").hit?.kind == .semantic)
        #expect(judge.asked.isEmpty && strict.asked.isEmpty)
    }

    @Test func `what the threshold refuses is not judged`() async throws {
        let judge = ScriptedJudge(true)
        let fixture = try await self.thresholded(judge)
        #expect(try await fixture.lookup(self.paraphrase, threshold: 0.999).miss?.reason == .belowThreshold)
        #expect(judge.asked.isEmpty)
    }

    @Test func `a cache that serves nothing by meaning has nothing judged`() async throws {
        let judge = ScriptedJudge(true)
        let fixture = try await self.calibrated(risk: 0.2, judge, phase: .exactOnly)
        #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .tooRisky)
        #expect(judge.asked.isEmpty)
    }

    // MARK: Where estimates decide

    @Test func `a risk over the limit and within the band is for the judge to say`() async throws {
        for opinion in [true, false, nil] as [Bool?] {
            let judge = ScriptedJudge(opinion)
            let fixture = try await self.calibrated(risk: 0.2, judge)
            let outcome = try await fixture.lookup(self.paraphrase)
            #expect((outcome.hit?.kind == .semantic) == (opinion == true))
            #expect(outcome.miss?.reason == (opinion == true ? nil : .judged))
            #expect(outcome.hit?.decision?.kind ?? .calibrated == .calibrated)
            #expect(judge.asked.count == 1)
        }
    }

    @Test func `a risk beyond the band is refused whatever a judge would say`() async throws {
        let judge = ScriptedJudge(true)
        let fixture = try await self.calibrated(risk: 0.5, judge)
        #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .tooRisky)
        #expect(judge.asked.isEmpty)
        let wide = ScriptedJudge(true, JudgeBand(riskUpTo: 0.9))
        let patient = try await self.calibrated(risk: 0.5, wide)
        #expect(try await patient.lookup(self.paraphrase).hit?.kind == .semantic)
        #expect(wide.asked.count == 1)
    }

    @Test func `a risk within the limit is served without being judged, once the limit is known`() async throws {
        let judge = ScriptedJudge(false)
        let fixture = try await self.calibrated(risk: 0.002, judge)
        var misses = 0
        while try await fixture.lookup(self.paraphrase).hit == nil, misses < 1000 { misses += 1 }
        #expect(misses > 0 && misses < 1000)
        #expect(judge.asked.count == misses)
    }

    // MARK: The order

    @Test func `what a guard or a verdict refuses is not judged`() async throws {
        let judge = ScriptedJudge(true)
        let fixture = try await self.thresholded(judge)
        try await fixture.store("how do I turn off the dark mode", "no")
        let miss = try await fixture.lookup("how do I turn on the dark mode", threshold: 0.5).miss
        guard case .guarded = miss?.reason else {
            Issue.record("\(String(describing: miss))")
            return
        }
        #expect(judge.asked.isEmpty)
        let id = try #require(try await fixture.lookup(self.question).hit?.matches.first?.entry.id)
        try await self.block(id, fixture)
        #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .blocked)
        #expect(judge.asked.isEmpty)
    }

    @Test func `what is found wrong while it is judged is not served`() async throws {
        let judge = ScriptedJudge(true)
        let fixture = try await self.thresholded(judge)
        let id = try #require(try await fixture.lookup(self.question).hit?.matches.first?.entry.id)
        judge.meanwhile { try? await self.block(id, fixture) }
        #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .blocked)
        #expect(judge.asked.count == 1)
    }

    @Test func `in shadow mode a yes is recorded and not served, and a no is a no`() async throws {
        let judge = ScriptedJudge(true)
        let fixture = try await self.thresholded(judge, Self.policy(isShadow: true))
        #expect(try await fixture.lookup(self.paraphrase).miss?.reason == .shadow)
        #expect(judge.asked.count == 1)
        let other = try await self.thresholded(ScriptedJudge(false), Self.policy(isShadow: true))
        #expect(try await other.lookup(self.paraphrase).miss?.reason == .judged)
        let figures = try await fixture.engine.statistics(cache: "c", scope: fixture.scope).caches[0].decision
        #expect(figures.shadowHits == 1 && figures.judgeCalls == 1)
    }

    // MARK: What it is told

    @Test func `each tenant's questions are judged by themselves`() async throws {
        let judge = ScriptedJudge(true)
        let fixture = try await self.thresholded(judge)
        let other = TenantScope(authenticated: TenantID("other"))
        try await fixture.store(self.question, "so", scope: other)
        #expect(try await fixture.lookup(self.paraphrase).hit != nil)
        #expect(try await fixture.lookup(self.paraphrase, scope: other).hit != nil)
        #expect(judge.partitions.count == 2 && Set(judge.partitions).count == 2)
    }

    @Test func `a judge has a little less time than the call, so that its lateness is a no`() async throws {
        let judge = ScriptedJudge(nil)
        let fixture = try await self.thresholded(judge)
        let deadline = ContinuousClock.now + .seconds(60)
        let request = LookupRequest(cache: "c", prompt: .text(try CanonicalPrompt(self.paraphrase)))
        let outcome = try await fixture.engine.lookup(request, scope: fixture.scope, by: deadline)
        #expect(outcome.miss?.reason == .judged)
        #expect(judge.deadlines == [deadline - self.answerTime])
        let now = ContinuousClock.now
        #expect((now + .milliseconds(100)).leavingTimeToAnswer(from: now) == now + .milliseconds(90))
        #expect(now.leavingTimeToAnswer(from: now + .seconds(1)) == now)
    }

    private func block(_ entry: EntryID, _ fixture: EngineFixture) async throws {
        _ = try await fixture.engine.feedback(
            FeedbackRequest(
                cache: "c", entry: entry,
                question: .prompt(.text(CanonicalPrompt(self.paraphrase)), vary: [], embedding: nil), verdict: .wrong),
            scope: fixture.scope, by: .now + .seconds(30))
    }
}

/// Says the same of all questions, and keeps what it was asked.
private final class ScriptedJudge: AnswerJudge {
    struct Question: Equatable {
        let asked: String
        let stored: String
    }

    private struct State {
        var asked: [Question] = []
        var partitions: [Digest] = []
        var deadlines: [ContinuousClock.Instant] = []
        var meanwhile: @Sendable () async -> Void = {}
    }

    let band: JudgeBand
    private let isSame: Bool?
    private let state = Mutex(State())

    init(_ isSame: Bool?, _ band: JudgeBand = JudgeBand()) {
        self.isSame = isSame
        self.band = band
    }

    var asked: [Question] { self.state.withLock { $0.asked } }
    var partitions: [Digest] { self.state.withLock { $0.partitions } }
    var deadlines: [ContinuousClock.Instant] { self.state.withLock { $0.deadlines } }

    /// What happens while it thinks.
    func meanwhile(_ body: @escaping @Sendable () async -> Void) { self.state.withLock { $0.meanwhile = body } }

    func opinion(
        on asked: CanonicalPrompt, and stored: CanonicalPrompt, of partition: Digest,
        by deadline: ContinuousClock.Instant
    ) async -> JudgeOpinion {
        let meanwhile = self.state.withLock { state in
            state.asked.append(Question(asked: asked.text, stored: stored.text))
            state.partitions.append(partition)
            state.deadlines.append(deadline)
            return state.meanwhile
        }
        await meanwhile()
        return JudgeOpinion(isSame: self.isSame, tokens: 7)
    }
}

extension EngineFixture {
    /// With a judge, of the name that a policy says.
    fileprivate init(_ decision: DecisionPolicy, _ judge: ScriptedJudge) {
        let (metrics, tracer) = (NOOPMetricsHandler.instance, NoOpTracer())
        let pool = EmbeddingPool(embedder: HashingEmbedder(), metrics: metrics, tracer: tracer)
        let policy = CachePolicy(timeToLiveJitter: 0, decision: decision)
        self.engine = CacheEngine(
            store: self.store, pools: EmbeddingPools([pool.name: pool], default: pool.name),
            memory: MemoryTier(limit: 64 << 20), judges: [decision.judge ?? "": judge],
            directory: TenantDirectory(undeclared: TenantPolicy(template: policy)), logger: Logger(label: "test"),
            clock: self.clock.read, random: { 0.5 }, metrics: metrics, tracer: tracer)
    }
}
