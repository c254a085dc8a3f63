// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

struct PolicyTests {
    private static let one = AnswerCluster(high: 1, low: 1)
    private static let two = AnswerCluster(high: 2, low: 2)

    private static func features(_ signal: Float) -> [Float] {
        var features = Scaling.shipped.means.map { Float($0) }
        features[0] += signal * Float(Scaling.shipped.deviations[0])
        return features
    }

    private static func record(
        right: Bool, risk: Float, similarity: Float = 0.8, source: DecisionRecord.Source = .store, signal: Float = 0
    ) -> DecisionRecord {
        DecisionRecord(
            isRight: right, source: source, similarity: similarity, risk: risk, isGuarded: false, cluster: Self.one,
            features: Self.features(signal))
    }

    // MARK: Neighbourhood

    @Test func `the leader is the answer that most of the neighbourhood has, the nearer the heavier`() {
        func leader(_ members: [(Float, AnswerCluster)]) -> AnswerCluster? {
            Neighbourhood(members.map { .init(similarity: $0.0, cluster: $0.1) }).leader
        }
        #expect(leader([]) == nil)
        #expect(leader([(0.9, Self.one), (0.88, Self.two), (0.87, Self.two)]) == Self.two)
        #expect(leader([(0.9, Self.one), (0.6, Self.two), (0.6, Self.two)]) == Self.one)
    }

    @Test func `features have a name each, and are finite whoever is there`() {
        #expect(RiskModel.prior.weights.count == RiskModel.featureNames.count + 1)
        let some: [[(Float, AnswerCluster)]] = [
            [], [(0.9, Self.one)], [(0.9, Self.two)], [(-1, Self.one), (-1, Self.two)],
        ]
        for members in some {
            let features = Neighbourhood(members.map { .init(similarity: $0.0, cluster: $0.1) })
                .features(of: Self.one, history: .init(right: 3, wrong: 1))
            #expect(features.count == Neighbourhood.featureNames.count)
            let areFinite = features.allSatisfy(\.isFinite)
            #expect(areFinite)
        }
    }

    // MARK: Model

    @Test func `a fit finds which feature tells right from wrong, and never goes astray`() {
        var labels: [LabelledFeatures] = []
        for number in 0..<400 {
            let signal = Float(number % 20) / 5 - 2
            labels.append(.init(features: Self.features(signal), isRight: signal > 0, weight: 1))
        }
        let model = RiskModel.fitted(to: labels, prior: .prior)
        #expect(model.risk(of: Self.features(2)) < 0.2)
        #expect(model.risk(of: Self.features(-2)) > 0.8)
        // What can be told apart completely, with heavy labels: weights without bounds would fit best.
        let heavy = labels.map { LabelledFeatures(features: $0.features, isRight: $0.isRight, weight: 1000) }
        let steep = RiskModel.fitted(to: heavy, prior: .prior)
        let areFinite = steep.weights.allSatisfy(\.isFinite)
        #expect(areFinite)
        #expect(steep.risk(of: Self.features(2)) >= RiskModel.leastRisk)
        #expect(RiskModel.fitted(to: [], prior: .prior) == .prior)
    }

    // MARK: Records

    @Test func `a record is read as it was written, and nothing else is`() throws {
        let record = Self.record(right: true, risk: 0.25, source: .audit, signal: 0.5)
        let bytes = record.bytes(origin: 7)
        #expect(bytes.count <= Limits.maximumDecisionRecordBytes)
        #expect(DecisionRecord(bytes: bytes) == record)
        #expect(DecisionRecord.origin(of: bytes) == 7)
        for count in 0..<bytes.count { #expect(DecisionRecord(bytes: Array(bytes[..<count])) == nil) }
        #expect(DecisionRecord(bytes: bytes + [0]) == nil)
        for position in bytes.indices {
            var changed = bytes
            changed[position] = 0xff
            let areFinite = DecisionRecord(bytes: changed)?.features.allSatisfy(\.isFinite)
            #expect(areFinite != false)
        }
    }

    // MARK: Ledger

    private static func ledger() -> DecisionLedger {
        var ledger = DecisionLedger(DecisionPolicy(), threshold: 0.85)
        // Half of what is asked has an answer that is nearly sure.
        for number in 0..<1000 { ledger.note(number % 2 == 0 ? 0.005 : 0.9, nearest: 0.9) }
        return ledger
    }

    @Test func `estimates decide once enough labels have shown that they hold, and not before`() {
        var ledger = Self.ledger()
        #expect(ledger.phase == .learning)
        for number in 0..<Int(DecisionLedger.labelsNeeded) - 1 {
            ledger.learn(Self.record(right: number % 2 == 0, risk: number % 2 == 0 ? 0.005 : 0.9, similarity: 0.7))
            #expect(ledger.phase == .learning)
        }
        #expect(!ledger.serves(similarity: 0.7, risk: 0.004))
        ledger.learn(Self.record(right: true, risk: 0.005, similarity: 0.7))
        #expect(ledger.phase == .calibrated)
        #expect(ledger.serves(similarity: 0.7, risk: 0.004))
        #expect(!ledger.serves(similarity: 0.99, risk: 0.9))
    }

    @Test func `estimates that are wrong are never trusted`() {
        var ledger = Self.ledger()
        for number in 0..<2000 {
            ledger.learn(Self.record(right: number % 4 == 0, risk: 0.005, similarity: 0.7))
            #expect(ledger.phase != .calibrated)
        }
    }

    @Test func `where what the threshold serves is wrong too often, only exact matches are served`() {
        var ledger = Self.ledger()
        for number in 0..<10 {
            ledger.learn(Self.record(right: number % 2 == 0, risk: 0.9, similarity: 0.9, source: .audit))
        }
        #expect(ledger.phase == .exactOnly)
        #expect(!ledger.serves(similarity: 0.99, risk: 0.001))
        #expect(ledger.statistics.phase == .exactOnly)
    }

    @Test func `labels that are far worse than estimated end the trust`() {
        var ledger = Self.ledger()
        for number in 0..<300 {
            ledger.learn(Self.record(right: number % 2 == 0, risk: number % 2 == 0 ? 0.005 : 0.9, similarity: 0.7))
        }
        #expect(ledger.phase == .calibrated)
        var count = 0
        while ledger.phase == .calibrated, count < 150 {
            ledger.learn(Self.record(right: false, risk: 0.05, similarity: 0.7))
            count += 1
        }
        #expect(ledger.phase == .steppedBack)
        #expect(ledger.isFitDue)
        #expect(ledger.labels.count <= DecisionLedger.keptAfterSurprise)
    }

    @Test func `a static policy never leaves its threshold`() {
        var ledger = DecisionLedger(DecisionPolicy(kind: .threshold), threshold: 0.85)
        for _ in 0..<500 { ledger.learn(Self.record(right: false, risk: 0.9, similarity: 0.9)) }
        #expect(ledger.phase == .threshold && ledger.auditRate == 0)
        #expect(ledger.serves(similarity: 0.85, risk: 1) && !ledger.serves(similarity: 0.84, risk: 0))
        #expect(ledger.serves(similarity: 0.6, risk: 1, requested: 0.5))
    }

    @Test func `another life goes on from a snapshot`() {
        var ledger = Self.ledger()
        for number in 0..<300 {
            ledger.learn(Self.record(right: number % 2 == 0, risk: number % 2 == 0 ? 0.005 : 0.9, similarity: 0.7))
        }
        ledger.adopt(ledger.fittedModel())
        let bytes = ledger.snapshot
        #expect(bytes.count <= Limits.maximumDecisionSnapshotBytes)
        var next = DecisionLedger(DecisionPolicy(), threshold: 0.85)
        let isRead = next.adopt(snapshot: bytes)
        #expect(isRead)
        #expect(next.phase == .calibrated && next.model == ledger.model && next.total == ledger.total)
        // By the limit that was found before, until it has seen itself what is asked.
        #expect(next.window.limit == ledger.window.limit && next.window.limit > 0)
        #expect(next.serves(similarity: 0.7, risk: 0.003) && !next.serves(similarity: 0.99, risk: 0.9))
        for _ in 0..<100 { next.note(0.9, nearest: 0.9) }
        #expect(!next.serves(similarity: 0.7, risk: 0.003))
        for count in 0..<bytes.count {
            var other = DecisionLedger(DecisionPolicy(), threshold: 0.85)
            let isReadToo = other.adopt(snapshot: Array(bytes[..<count]))
            #expect(!isReadToo)
        }
    }

    @Test func `numbers that no cache can have reached are no snapshot`() {
        let bytes = Self.ledger().snapshot
        for place in stride(from: 2, to: 58, by: 8) {
            var damaged = bytes
            for byte in 0..<8 { damaged[place + byte] = 0xff }
            var ledger = DecisionLedger(DecisionPolicy(), threshold: 0.85)
            let isRead = ledger.adopt(snapshot: damaged)
            #expect(!isRead, "at \(place)")
            ledger.learn(Self.record(right: true, risk: 0.1))
        }
    }

    /// On similarities of all kinds.
    private static func calibrated() -> DecisionLedger {
        var ledger = Self.ledger()
        for number in 0..<1000 { ledger.note(number % 2 == 0 ? 0.005 : 0.9, nearest: 0.7 + Float(number % 30) / 100) }
        for number in 0..<300 {
            ledger.learn(Self.record(right: number % 2 == 0, risk: number % 2 == 0 ? 0.005 : 0.9, similarity: 0.7))
        }
        return ledger
    }

    @Test func `when far more questions than before are unlike all others, trust ends until it is earned again`() {
        var ledger = Self.calibrated()
        #expect(ledger.phase == .calibrated)
        let trusting = ledger.snapshot
        var count = 0
        while ledger.phase == .calibrated, count < 200 {
            ledger.note(0.9, nearest: 0.6)
            count += 1
        }
        #expect(ledger.phase == .steppedBack && count <= 100)
        // Its labels may still be true, and another that has not noticed yet does not talk it out of it.
        #expect(ledger.labels.count == 300)
        let isRead = ledger.adopt(snapshot: trusting)
        #expect(isRead && ledger.phase == .steppedBack)
        for number in 0..<1000 { ledger.note(number % 2 == 0 ? 0.005 : 0.9, nearest: 0.9) }
        for number in 0..<Int(DecisionLedger.labelsNeeded) {
            #expect(ledger.phase == .steppedBack)
            ledger.learn(Self.record(right: number % 2 == 0, risk: number % 2 == 0 ? 0.005 : 0.9, similarity: 0.7))
        }
        #expect(ledger.phase == .calibrated)
    }

    @Test(arguments: UInt64(0)..<20)
    func `chance alone does not end the trust`(seed: UInt64) {
        var ledger = Self.calibrated()
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            ledger.note(0.5, nearest: 0.7 + 0.3 * Float(state >> 40 & 0xff) / 256)
        }
        #expect(ledger.phase == .calibrated)
    }

    @Test func `a threshold that serves wrong answers after a step back is given up as well`() {
        var ledger = Self.calibrated()
        while ledger.phase == .calibrated { ledger.note(0.9, nearest: 0.6) }
        for _ in 0..<20 { ledger.learn(Self.record(right: false, risk: 0.9, similarity: 0.9, source: .audit)) }
        #expect(ledger.phase == .exactOnly)
    }

    @Test func `a record whose numbers are no similarity or risk is none`() {
        let good = Self.record(right: true, risk: 0.5)
        #expect(DecisionRecord(bytes: good.bytes(origin: 1)) != nil)
        for (risk, similarity) in [(-0.1, 0.8), (1.1, 0.8), (-1e30, 0.8), (0.5, 1.1), (0.5, -1e30)] as [(Float, Float)]
        {
            let bad = Self.record(right: true, risk: risk, similarity: similarity)
            #expect(DecisionRecord(bytes: bad.bytes(origin: 1)) == nil)
        }
    }

    // MARK: Answers

    @Test(
        arguments: [
            ("Your card is on its way.", "your card is on its way", true),
            ("card_arrival", "card_delivery_estimate", false),
            ("yes", "no", false),
            ("42", "43", false),
            (
                "To reset your password open the settings page, choose security and follow the link sent by mail.",
                "To reset your password open the settings page, choose security, then follow the link sent by mail.",
                true
            ),
            (
                "To reset your password open the settings page, choose security and follow the link sent by mail.",
                "Parcels to Norway take between four and nine working days depending on customs and weather.", false
            ),
            (
                "The fee for a transfer abroad is 12 euros and it is taken from the account at once.",
                "The fee for a transfer abroad is 15 euros and it is taken from the account at once.", nil
            ),
        ] as [(String, String, Bool?)])
    func `answers are compared by bytes, by text and by words, and else it is uncertain`(
        one: String, other: String, same: Bool?
    ) {
        #expect(AnswerComparison.areSame(Array(one.utf8), Array(other.utf8)) == same)
        #expect(AnswerComparison.areSame(Array(other.utf8), Array(one.utf8)) == same)
    }

    @Test func `answers that are no text say the same only if they are the same`() {
        #expect(AnswerComparison.areSame([0xff, 0], [0xff, 0]) == true)
        #expect(AnswerComparison.areSame([0xff, 0], [0xff, 1]) == nil)
    }
}
