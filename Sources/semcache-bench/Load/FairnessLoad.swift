// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire

/// Lookups of new questions by tenant B, alone and while tenant A sends far more than its share.
///
/// A is two tenants of the configuration, one with a rate quota and one without. All have an embedder of one thread
/// between them, which is what they compete for.
struct FairnessLoad {
    let options: Load
    private static let cache = "bench"
    /// Requests per second that A may make, and how many times as many it makes.
    private static let allowedRate = 50.0
    private static let excess = 20.0
    /// More than one thread embeds: the flood must not end before B does.
    private static let floodRate = 5000.0
    /// Seconds for which A has requests after B's last one is due.
    private static let margin = 5.0
    /// At most so many times B's p99 alone, for A over its rate.
    private static let goal = 2.0

    private enum Phase: String, CaseIterable {
        case alone = "B alone"
        case limited = "A over its rate"
        case flooded = "A without a rate"
    }

    /// What a phase gave, all rounds together.
    private struct Outcome {
        var b = Flow.Result()
        var a = Flow.Result()
        /// Lookups of B that were answered without a search.
        var degraded: UInt64 = 0
        var seconds = 0.0
        /// Of the rounds, nanoseconds.
        var p99s: [Double] = []
    }

    /// A tenant's connection and the questions that it has not asked yet.
    private struct Tenant {
        let session: WireSession
        var questions: NewQuestions
    }

    init(options: Load) { self.options = options }

    private var rateOfB: Double { self.options.rate ?? 50 }
    private var seconds: Double { 10 * self.options.seconds }

    func run() throws {
        let pairs = try Corpus.read(self.options.questions ?? "")
        let stored = pairs.prefix(self.options.entries).map(\.prompt)
        let questions = try NewQuestions(pairs.dropFirst(self.options.entries).map(\.prompt), besides: stored)
        let rate = String(Int(Self.allowedRate))
        let limited = BenchTenant(name: "a-limited", quota: [("requests_per_second", rate), ("burst", rate)])
        let configured = [BenchTenant(name: "b"), limited, BenchTenant(name: "a-unlimited")]
        let target = try self.options.target(settings: ["server.threads=1", "embedder.threads=1"], tenants: configured)
        var tenants = try configured.map { tenant in
            Tenant(
                session: try WireSession(target, credential: tenant.credential),
                questions: questions)
        }
        // The limited A could not store as many; its Lookups search an empty cache.
        for position in [0, 2] { try self.store(stored, tenants[position].session) }
        try self.report(try self.measure(&tenants))
    }

    private func store(_ prompts: [CanonicalPrompt], _ session: WireSession) throws {
        let response = [UInt8](repeating: UInt8(ascii: "a"), count: self.options.responseBytes)
        try session.callAll(prompts.count, window: self.options.window) { number in
            .store(StoreRequest(cache: Self.cache, prompt: .text(prompts[number]), response: response))
        } reply: { _, _ in
        }
    }

    // MARK: Measuring

    /// Takes turns; round 0 is a short one that warms up and is not counted.
    private func measure(_ tenants: inout [Tenant]) throws -> [Phase: Outcome] {
        var outcomes: [Phase: Outcome] = [:]
        for round in 0...self.options.rounds {
            for phase in round.isMultiple(of: 2) ? Phase.allCases : Phase.allCases.reversed() {
                var outcome = outcomes[phase] ?? Outcome()
                let seconds = round == 0 ? min(1, self.seconds) : self.seconds
                try self.measure(phase, seconds: seconds, round: round, &tenants, into: &outcome)
                if round > 0 { outcomes[phase] = outcome }
            }
        }
        return outcomes
    }

    private func measure(
        _ phase: Phase, seconds: Double, round: Int, _ tenants: inout [Tenant], into outcome: inout Outcome
    ) throws {
        let b = try self.flow(
            &tenants[0], count: Int(self.rateOfB * seconds), pace: .uneven(self.rateOfB, seed: 2 * UInt64(round)))
        var a: Flow?
        switch phase {
        case .alone: break
        case .limited:
            let rate = Self.excess * Self.allowedRate
            a = try self.flow(
                &tenants[1], count: Int(rate * (seconds + Self.margin)),
                pace: .uneven(rate, seed: 2 * UInt64(round) + 1), mayBeRefused: true)
        case .flooded:
            a = try self.flow(
                &tenants[2], count: Int(Self.floodRate * (seconds + Self.margin)),
                pace: .inFlight(self.options.window), mayBeRefused: true)
        }
        let degradedBefore = try self.degraded(tenants[0].session)
        outcome.seconds += try Flow.run(b, beside: a.map { [$0] } ?? [])
        outcome.degraded += try self.degraded(tenants[0].session) - degradedBefore
        outcome.b.add(b.result)
        outcome.p99s.append(b.result.sinceDue.p99)
        if let a {
            guard !a.isAllSent else { throw BenchError("B was not answered while A was sending") }
            outcome.a.add(a.result)
        }
    }

    private func flow(_ tenant: inout Tenant, count: Int, pace: Flow.Pace, mayBeRefused: Bool = false) throws -> Flow {
        let encoder = ClientMessageEncoder()
        let frames = try (0..<count).map { number in
            let lookup = LookupRequest(cache: Self.cache, prompt: .text(try tenant.questions.next()))
            return WireSession.frame(UInt64(number + 1), .lookup(lookup), encoder: encoder)
        }
        return Flow(socket: tenant.session.socket, frames: frames, pace: pace, mayBeRefused: mayBeRefused)
    }

    private func degraded(_ session: WireSession) throws -> UInt64 {
        try session.statistics().caches.reduce(0) { $0 + $1.missesDegraded }
    }

    // MARK: Reporting

    private func report(_ outcomes: [Phase: Outcome]) throws {
        var table = Table(
            """
            semantic Lookups\(self.options.transport) of new questions by tenant B, \(self.rateOfB.grouped) per second, beside tenant A: \
            \((Self.excess * Self.allowedRate).grouped) per second of which \(Self.allowedRate.grouped) are allowed, \
            or \(self.options.window) in flight without a rate quota; \(self.options.entries) entries, server and its \
            one embedding thread on core \(self.options.setup.serverCores), generator on core \(self.options.setup.clientCore); \
            \(self.options.rounds) interleaved rounds of \(self.seconds) s, all rounds together. B's latencies since \
            a request was due, µs.
            """,
            columns: [
                "phase", "B answered", "degraded", "p50", "p99", "max", "A answered/s", "A refused/s", "p50 ÷ alone",
                "p99 ÷ alone", "median of rounds", "goal",
            ])
        guard let alone = outcomes[.alone] else { return }
        for phase in Phase.allCases {
            guard let outcome = outcomes[phase] else { continue }
            let times = outcome.b.sinceDue
            let ratio = times.p99 / alone.b.sinceDue.p99
            let ofRounds = zip(outcome.p99s, alone.p99s).map { $0 / $1 }.median
            let goal = phase == .limited ? "p99 ≤ \(Self.goal.text(0))×: \(ratio <= Self.goal ? "met" : "missed")" : ""
            table.add(
                phase.rawValue, String(outcome.b.answers), String(outcome.degraded), times.p50.microseconds,
                times.p99.microseconds, times.maximum.microseconds,
                (Double(outcome.a.answers) / outcome.seconds).grouped,
                (Double(outcome.a.refusals) / outcome.seconds).grouped,
                (times.p50 / alone.b.sinceDue.p50).text(2) + "×", ratio.text(2) + "×", ofRounds.text(2) + "×", goal)
        }
        try table.print(asJSON: self.options.common.json)
    }
}

/// Questions, none of which comes twice: when all were asked, they come again with a number behind them.
private struct NewQuestions {
    private let questions: [CanonicalPrompt]
    private var asked = 0

    /// - Parameter known: What is none of them.
    init(_ questions: [CanonicalPrompt], besides known: [CanonicalPrompt]) throws(BenchError) {
        var seen = Set(known)
        self.questions = questions.filter { seen.insert($0).inserted }
        guard !self.questions.isEmpty else { throw BenchError("the file has too few questions") }
    }

    mutating func next() throws -> CanonicalPrompt {
        let (pass, position) = self.asked.quotientAndRemainder(dividingBy: self.questions.count)
        self.asked += 1
        let question = self.questions[position]
        return pass == 0 ? question : try CanonicalPrompt("\(question.text) \(pass)")
    }
}
