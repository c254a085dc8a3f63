// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct GuardTests {
    @Test(arguments: [
        ("How do I reset my password?", "how do i reset my password"),
        ("where's the closest car wash", "where is the closest automobile wash"),
        ("I need a refund", "I need a refnud"), ("what organization is it", "what organisation is it"),
        ("when did the usa join world war one", "when did the united states join world war one"),
        ("who won the nfl draft", "who won the national football league draft"),
        ("order a checkbook", "order a check book"),
        ("why is my card not working", "why isn't my card working"), ("the rate is wrong", "the rate is not correct"),
        ("I am unable to log in to the app", "I can not log in to the app"),
        ("are cats or dogs better", "are dogs or cats better"), ("", "how are you"), ("how", "how"),
    ])
    func `what means the same is let through`(_ asked: String, _ stored: String) throws {
        let (one, two) = (Wording(asked), Wording(stored))
        #expect(refusal(between: one, and: two, by: .all) == nil)
        #expect(refusal(between: two, and: one, by: .all) == nil)
    }

    @Test func `of a text that is not read to its end only the same text passes`() throws {
        let long = String(repeating: "word and word ", count: 300)
        #expect(try guardBetween(long + "one", long + "two") == .wordSwap)
        #expect(try guardBetween(long + "one", long + "ONE") == nil)
        #expect(try guardBetween(long, "word and word") == .wordSwap)
        let many = String(repeating: "a ", count: 300)
        #expect(try guardBetween(many + "one", many + "two") == .wordSwap)
        #expect(try guardBetween(many + "one", many + "One?") == nil)
        #expect(try guardBetween(many + "one", many + "two", by: GuardSet(.unit)) == .unit)
        #expect(try guardBetween(many + "one", many + "two", by: .none) == nil)
    }

    @Test func `a guard that is switched off does not refuse`() throws {
        let (one, two) = ("sound the alarm at 6 am", "sound the alarm at 9 am")
        #expect(try guardBetween(one, two) == .number)
        #expect(try guardBetween(one, two, by: GuardSet.all.subtracting(GuardSet(.number))) == nil)
        #expect(try guardBetween(one, two, by: .none) == nil)
        #expect(try guardBetween(one, two, by: GuardSet(.number)) == .number)
    }

    @Test func `names are those of settings and explanations`() {
        #expect(
            Guard.allCases.map(\.rawValue) == [
                "number", "unit", "negation", "antonym", "direction", "word_swap", "roles", "question_type",
            ])
        #expect(GuardSet.all.members == Guard.allCases)
        #expect(GuardSet([GuardSet(.roles), GuardSet(.unit)]).members == [.unit, .roles])
    }

    @Test func `whether a pair is refused does not depend on which was asked`() throws {
        let words = [
            "not", "on", "off", "buy", "sell", "2", "3", "mg", "$5", "from", "to", "paris", "rome", "who", "when",
            "card", "in", "out", "log", "5!", "2 * (3", "-", "II", "thanks", "one", "3.10", "2/3", "A-", "hypotension",
            "hypertension", "gray", "grey", "never", "always", "b",
        ]
        var generator = SplitMix(state: 3)
        func text() -> String {
            (0..<Int(generator.next() % 7 + 1)).map { _ in words[Int(generator.next() % UInt64(words.count))] }
                .joined(separator: " ")
        }
        for _ in 0..<20_000 {
            let (one, two) = (text(), text())
            let (a, b) = (Wording(one), Wording(two))
            #expect(
                refusal(between: a, and: b, by: .all) == refusal(between: b, and: a, by: .all), "\(one) | \(two)")
            #expect(refusal(between: a, and: a, by: .all) == nil, "\(one)")
        }
    }

    @Test(arguments: hostileTexts)
    func `hostile texts are read and compared without harm`(_ text: String) throws {
        let wording = Wording(try CanonicalPrompt(text))
        #expect(wording.words.count <= Wording.maximumWords)
        for other in try hostileTexts.map({ Wording(try CanonicalPrompt($0)) }) {
            #expect(Likeness(wording, other).values.allSatisfy { (0...1).contains($0) })
            #expect(refusal(between: wording, and: other, by: .all) == refusal(between: other, and: wording, by: .all))
        }
        #expect(refusal(between: wording, and: wording, by: .all) == nil)
    }
}
