// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

struct RiskWindowTests {
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

    @Test func `a risk that is the limit itself is served`() {
        for risk in [0.0020000001, 0.0021, 0.0022, 0.0023] {
            var ledger = DecisionLedger(DecisionPolicy(), threshold: 0.85)
            for _ in 0..<1000 { ledger.note(risk, nearest: 0.9) }
            ledger.phase = .calibrated
            #expect(ledger.serves(similarity: 0.7, risk: risk))
            #expect(!ledger.serves(similarity: 0.7, risk: risk + 1e-6))
        }
    }

    @Test func `half of the budget is used while few labels speak for the estimates`() {
        let record = DecisionRecord(
            isRight: true, source: .store, similarity: 0.7, risk: 0.005, isGuarded: false,
            cluster: AnswerCluster(high: 1, low: 1), features: Scaling.shipped.means.map { Float($0) })
        let shares = [0, 1_500].map { labels in
            var ledger = DecisionLedger(DecisionPolicy(errorBudget: 0.01, wrongHitLimit: 0.03), threshold: 0.85)
            for _ in 0..<labels { ledger.recall(record) }
            for number in 0..<1000 { ledger.note(number % 2 == 0 ? 0.002 : Double(number) / 1000, nearest: 0.9) }
            return ledger.window.expected.perLookup
        }
        #expect(0.004 < shares[0] && shares[0] <= 0.005)
        #expect(0.009 < shares[1] && shares[1] <= 0.01)
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
