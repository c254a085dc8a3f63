// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// What became of one question of a stream.
struct EvalEvent: Sendable, Equatable {
    enum Outcome: Sendable, Equatable {
        case exactHit
        case semanticHit
        /// With the reason's name.
        case miss(String)
        case bypass
    }

    let outcome: Outcome
    /// The answer that was served is another question's.
    var isWrong = false
    /// What the service foretold of the candidate that it decided on, served or not.
    var estimate: RiskEstimate?
    var microseconds: Int = 0
    /// Whether the question was stored afterwards.
    var isStored = false
    /// Whether the service was told what the answer was.
    var isJudged = false

    var isHit: Bool { self.outcome == .exactHit || self.outcome == .semanticHit }
}

/// What a part of a stream comes to.
struct EvalSummary: Sendable, Equatable {
    private(set) var lookups = 0
    private(set) var exactHits = 0
    private(set) var semanticHits = 0
    /// Of all hits.
    private(set) var wrong = 0
    private(set) var wrongSemantic = 0

    init() {}

    init(_ events: some Sequence<EvalEvent>) { for event in events { self.add(event) } }

    private mutating func add(_ event: EvalEvent) {
        self.lookups += 1
        if event.outcome == .exactHit { self.exactHits += 1 }
        if event.outcome == .semanticHit { self.semanticHits += 1 }
        guard event.isWrong else { return }
        self.wrong += 1
        if event.outcome == .semanticHit { self.wrongSemantic += 1 }
    }

    static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum.lookups += right.lookups
        sum.exactHits += right.exactHits
        sum.semanticHits += right.semanticHits
        sum.wrong += right.wrong
        sum.wrongSemantic += right.wrongSemantic
        return sum
    }

    var hits: Int { self.exactHits + self.semanticHits }
    var hitRate: WilsonInterval { WilsonInterval(self.hits, of: self.lookups) }
    var exactRate: WilsonInterval { WilsonInterval(self.exactHits, of: self.lookups) }
    var semanticRate: WilsonInterval { WilsonInterval(self.semanticHits, of: self.lookups) }
    var wrongPerLookup: WilsonInterval { WilsonInterval(self.wrong, of: self.lookups) }
    var wrongPerHit: WilsonInterval { WilsonInterval(self.wrong, of: self.hits) }
    var wrongPerSemanticHit: WilsonInterval { WilsonInterval(self.wrongSemantic, of: self.semanticHits) }
}

struct EvalSummaryObject: Encodable {
    let lookups: Int
    let hits: WilsonObject
    let exactHits: WilsonObject
    let semanticHits: WilsonObject
    let wrongPerLookup: WilsonObject
    let wrongPerHit: WilsonObject
    let wrongPerSemanticHit: WilsonObject

    enum CodingKeys: String, CodingKey {
        case lookups
        case hits
        case exactHits = "exact_hits"
        case semanticHits = "semantic_hits"
        case wrongPerLookup = "wrong_per_lookup"
        case wrongPerHit = "wrong_per_hit"
        case wrongPerSemanticHit = "wrong_per_semantic_hit"
    }

    init(_ summary: EvalSummary) {
        self.lookups = summary.lookups
        self.hits = WilsonObject(summary.hitRate)
        self.exactHits = WilsonObject(summary.exactRate)
        self.semanticHits = WilsonObject(summary.semanticRate)
        self.wrongPerLookup = WilsonObject(summary.wrongPerLookup)
        self.wrongPerHit = WilsonObject(summary.wrongPerHit)
        self.wrongPerSemanticHit = WilsonObject(summary.wrongPerSemanticHit)
    }
}

/// What a stream comes to in one order.
struct EvalResult: Sendable {
    /// Pieces of the curve.
    static let pieces = 10

    let order: Int
    let cache: String
    let whole: EvalSummary
    let secondHalf: EvalSummary
    /// One for each file.
    let parts: [EvalSummary]
    /// One for each tenth of the stream.
    let curve: [EvalSummary]
    let misses: [String: Int]
    /// Of all that the service decided on with an estimate.
    let calibration: Calibration
    /// Of what it served.
    let servedCalibration: Calibration
    let stored: Int
    let judged: Int
    /// Of lookups, in microseconds, as the client sees them.
    let median: Int
    let percentile99: Int
    let elapsed: Duration
    /// What the service says of itself; `nil` if it may not be asked.
    let decisions: ServerStatistics.Decisions?

    /// - Parameter events: Of all questions, in the order in which they were asked.
    init(
        order: Int, cache: String, _ events: [EvalEvent], parts: [Range<Int>], elapsed: Duration,
        decisions: ServerStatistics.Decisions?
    ) {
        self.order = order
        self.cache = cache
        self.whole = EvalSummary(events)
        self.secondHalf = EvalSummary(events[(events.count / 2)...])
        self.parts = parts.map { EvalSummary(events[$0]) }
        self.curve = (0..<Self.pieces).map { piece in
            EvalSummary(events[events.count * piece / Self.pieces..<events.count * (piece + 1) / Self.pieces])
        }
        var misses: [String: Int] = [:]
        for case .miss(let reason) in events.lazy.map({ $0.outcome }) { misses[reason, default: 0] += 1 }
        self.misses = misses
        self.calibration = Calibration(events.compactMap { $0.estimate })
        self.servedCalibration = Calibration(events.filter { $0.isHit }.compactMap { $0.estimate })
        self.stored = events.count { $0.isStored }
        self.judged = events.count { $0.isJudged }
        let times = events.map { $0.microseconds }.sorted()
        self.median = Self.percentile(50, of: times)
        self.percentile99 = Self.percentile(99, of: times)
        self.elapsed = elapsed
        self.decisions = decisions
    }

    /// By nearest rank.
    ///
    /// - Parameter sorted: Ascending; 0 if empty.
    static func percentile(_ percent: Int, of sorted: [Int]) -> Int {
        guard !sorted.isEmpty else { return 0 }
        return sorted[max(0, (sorted.count * percent + 99) / 100 - 1)]
    }
}
