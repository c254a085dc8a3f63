// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

struct RiskWindowTests {
    private static let record = DecisionRecord(
        isRight: true, source: .store, similarity: 0.7, risk: 0.005, isGuarded: false,
        cluster: AnswerCluster(high: 1, low: 1), features: Scaling.shipped.means.map { Float($0) })

    @Test func `the limit keeps the expected share of wrong answers within budget and cap`() {
        var window = RiskWindow()
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<3000 {
            window.note(Double.random(in: 0...1, using: &generator), budget: 0.01, cap: 0.03)
            #expect(window.expected.perLookup <= 0.01 && window.expected.perHit <= 0.03)
        }
        // Of uniform risks, those up to x are x of the lookups and wrong x / 2 of the time: 0.03 is the cap's half share.
        #expect(window.limit > 0.03 && window.limit < 0.1)
        for _ in 0..<3000 { window.note(0.9, budget: 0.01, cap: 0.03) }
        #expect(window.limit == 0)
    }

    @Test func `of equal risks all are served or none, and what is served is within the budget`() {
        var window = RiskWindow()
        for _ in 0..<1000 { window.note(0.02, budget: 0.0097, cap: 0.03) }
        #expect(window.limit == 0)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var (window, risks) = (RiskWindow(), [Double]())
            for _ in 0..<1000 {
                risks.append(Double(Float([0.002, 0.003, 0.01, 0.02, 0.05, 0.9].randomElement(using: &generator)!)))
                window.note(risks[risks.count - 1], budget: 0.01, cap: 0.03)
            }
            let served = risks.filter { $0 <= window.limit }
            #expect(served.count >= 300 && served.reduce(0, +) / 1000 <= 0.01)
        }
    }

    @Test(arguments: [0.0005, 0.005, 0.01, 0.02, 0.1])
    func `the estimated shares are never above budget and cap`(budget: Double) {
        var ledger = DecisionLedger(DecisionPolicy(errorBudget: budget, wrongHitLimit: 2 * budget), threshold: 0.85)
        for _ in 0..<2_000 { ledger.recall(Self.record) }
        for number in 0..<1000 { ledger.note(Double(number) / 250 * budget, nearest: 0.9) }
        #expect(ledger.window.expected.perLookup <= budget && ledger.window.expected.perHit <= 2 * budget)
        #expect(ledger.window.expected.perLookup > 0.2 * budget)
    }

    @Test func `a risk that is the limit itself is served`() {
        for risk in [0.0020000001, 0.0021, 0.0022, 0.0023] {
            var ledger = DecisionLedger(DecisionPolicy(), threshold: 0.85)
            for _ in 0..<1000 { ledger.note(risk, nearest: 0.9) }
            ledger.phase = .calibrated
            #expect(ledger.serves(similarity: 0.7, risk: risk))
            #expect(!ledger.serves(similarity: 0.7, risk: risk + 1e-6))
        }
    }

    @Test func `half of the budget is used while few labels speak for the estimates, and after a step back`() throws {
        var ledger = DecisionLedger(DecisionPolicy(errorBudget: 0.01, wrongHitLimit: 0.03), threshold: 0.85)
        func expectShare(_ range: ClosedRange<Double>, sourceLocation: SourceLocation = #_sourceLocation) {
            for number in 0..<1000 { ledger.note(number % 2 == 0 ? 0.002 : Double(number) / 1000, nearest: 0.9) }
            let share = ledger.window.expected.perLookup
            #expect(range.contains(share), sourceLocation: sourceLocation)
        }
        expectShare(0.0043...0.005)
        for _ in 0..<750 { ledger.recall(Self.record) }
        expectShare(0.0065...0.0075)
        for _ in 0..<750 { ledger.recall(Self.record) }
        expectShare(0.0087...0.01)
        for _ in 0..<750 { ledger.recall(Self.record) }
        expectShare(0.0087...0.01)
        ledger.stepBack(keeping: .max)
        expectShare(0.0043...0.005)
        // Nor does another replica, or a later life, trust them more.
        let snapshot = ledger.snapshot
        ledger = DecisionLedger(ledger.policy, threshold: 0.85)
        let isAdopted = ledger.adopt(snapshot: snapshot)
        #expect(isAdopted)
        expectShare(0.0043...0.005)
    }

    @Test func `of many numbers the last are kept, in their order`() {
        var recent = RecentNumbers(limit: 5)
        for number in 0..<23 {
            recent.append(Float(number))
            #expect(recent.inOrder == (max(0, number - 4)...number).map { Float($0) })
            #expect(recent.all.sorted() == recent.inOrder && recent.isFull == (number >= 4))
        }
        recent.keep(latest: 2)
        #expect(recent.inOrder == [21, 22] && !recent.isFull)
        for number in 30..<37 { recent.append(Float(number)) }
        #expect(recent.inOrder == [32, 33, 34, 35, 36])
    }
}
