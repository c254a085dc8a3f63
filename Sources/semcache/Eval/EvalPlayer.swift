// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// What is done with a stream, beside asking its questions.
struct EvalSettings: Sendable {
    /// What is stored as the answer; `{label}` stands for the label.
    var template = "{label}"
    /// Share of Stores that carry the answer of another label, 0…1.
    var wrongLabels = 0.0
    /// Share of hits on which there is feedback, always a true one, 0…1.
    var feedback = 0.0
    /// Least similarity; the cache's own if `nil`.
    var threshold: Float?
    /// With more than one, which question comes before which is left to chance.
    var callsInFlight = 1
    var vary: [String: String] = [:]

    func answer(of label: LabelledStream.Label) -> [UInt8] {
        Array(self.template.replacing("{label}", with: label.answer).utf8)
    }
}

/// Plays a stream in one order: looks each question up, and stores its answer where there is none.
struct EvalPlayer: Sendable {
    private let client: CacheClient
    private let stream: LabelledStream
    private let settings: EvalSettings
    private let cache: String
    private let order: Int
    private let ledger: EvalLedger

    init(
        _ client: CacheClient, _ stream: LabelledStream, _ settings: EvalSettings, cache: String, order: Int,
        progress: EvalProgress
    ) {
        self.client = client
        self.stream = stream
        self.settings = settings
        self.cache = cache
        self.order = order
        self.ledger = EvalLedger(stream.order(order), progress: progress)
    }

    /// - Throws: What the first call failed with that failed for good.
    func play() async throws -> EvalResult {
        let start = ContinuousClock.now
        if self.settings.callsInFlight == 1 {
            try await self.playAll()
        } else {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<self.settings.callsInFlight { group.addTask { try await self.playAll() } }
                try await group.waitForAll()
            }
        }
        let elapsed = ContinuousClock.now - start
        return EvalResult(
            order: self.order, cache: self.cache, self.ledger.events, parts: self.stream.parts, elapsed: elapsed,
            decisions: await EvalCaches.decisions(of: self.cache, self.client))
    }

    private func playAll() async throws {
        while let (position, number) = self.ledger.next() {
            let event = try await self.play(self.stream.questions[number], at: position)
            self.ledger.record(event, at: position)
        }
    }

    private func play(_ question: LabelledStream.Question, at position: Int) async throws -> EvalEvent {
        // Drawn for each place, so that two runs do the same whatever the service answers.
        var numbers = SeededNumbers(UInt64(self.order), of: position)
        let (isMislabelled, isFeedback) = (
            numbers.chance(self.settings.wrongLabels), numbers.chance(self.settings.feedback)
        )
        var elapsed = Duration.zero
        let answer = try await Patience.call { () async throws(CacheClientError) in
            let start = ContinuousClock.now
            defer { elapsed = ContinuousClock.now - start }
            return try await self.client.lookup(
                question.text, in: self.cache, vary: self.settings.vary, similarityThreshold: self.settings.threshold)
        }
        var event: EvalEvent
        switch answer {
        case .hit(let hit):
            event = EvalEvent(outcome: hit.kind == .exact ? .exactHit : .semanticHit)
            event.isWrong = await self.isWrong(hit.best.entryID, hit.best.response, for: question)
            event.estimate = Self.estimate(hit.decision, isWrong: event.isWrong)
            if isFeedback {
                try await self.judge(hit, isWrong: event.isWrong)
                event.isJudged = true
            }
        case .miss(let miss):
            event = EvalEvent(outcome: .miss(Self.name(miss.reason)))
            if let nearest = miss.nearest, let label = await self.ledger.label(of: nearest.entryID) {
                event.estimate = Self.estimate(miss.decision, isWrong: !self.stream.agree(label, question.label))
            }
            let answered = isMislabelled ? self.other(than: question.label, &numbers) : question.label
            try await self.store(question, answered, at: position)
            event.isStored = true
        case .bypass:
            event = EvalEvent(outcome: .bypass)
        }
        event.microseconds = Int(elapsed / .microseconds(1))
        return event
    }

    /// Whether an answer is another question's: by the question that its entry was stored for, whatever was stored.
    private func isWrong(
        _ entry: CacheEntryID, _ response: [UInt8], for question: LabelledStream.Question
    ) async -> Bool {
        if let label = await self.ledger.label(of: entry) { return !self.stream.agree(label, question.label) }
        // Not stored by this run.
        return response != self.settings.answer(of: self.stream.labels[question.label])
    }

    private func store(_ question: LabelledStream.Question, _ answered: Int, at position: Int) async throws {
        let response = self.settings.answer(of: self.stream.labels[answered])
        var stored: CacheEntryID?
        self.ledger.beginStore(at: position)
        defer { self.ledger.endStore(at: position, stored, for: question.label) }
        stored = try await Patience.call { () async throws(CacheClientError) in
            try await self.client.store(
                response, for: question.text, in: self.cache, vary: self.settings.vary,
                contentType: "text/plain; charset=utf-8")
        }.entryID
    }

    private func judge(_ hit: CacheHit, isWrong: Bool) async throws {
        _ = try await Patience.call { () async throws(CacheClientError) in
            try await self.client.feedback(isWrong ? .wrong : .right, on: hit)
        }
    }

    private func other(than label: Int, _ numbers: inout SeededNumbers) -> Int {
        let count = self.stream.labels.count
        return count < 2 ? label : (label + 1 + numbers.number(below: count - 1)) % count
    }

    private static func estimate(_ decision: CacheDecision?, isWrong: Bool) -> RiskEstimate? {
        decision?.risk.map { RiskEstimate(risk: Double($0), isWrong: isWrong) }
    }

    private static func name(_ reason: CacheMiss.Reason) -> String {
        switch reason {
        case .guarded(let name): "guarded: \(name.rawValue)"
        case .degraded(let degradation): "degraded: \(Explanation.name(degradation))"
        default: Explanation.name(reason)
        }
    }
}
