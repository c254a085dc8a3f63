// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheModel
import Testing

@testable import CacheClient
@testable import semcache

struct FeedbackTests {
    private static let entry = EntryID(high: 1, low: 2).description

    @Test(arguments: [
        [], ["right"], ["maybe", "q", "--entry", entry], ["right", "q"], ["right", "--entry", entry],
        ["right", "q", "--entry", "abc"], ["right", "q", "--entry", entry, "--lookup-id", "0a"],
        ["right", "--entry", entry, "--lookup-id", "0"], ["right", "--entry", entry, "--lookup-id", "xy"],
        ["right", "--entry", entry, "--lookup-id", "0a", "--vary", "m=1"],
        ["right", "q", "--entry", entry, "--message", "user=q"],
    ])
    func `a command that names no answer, or no one question, is refused`(arguments: [String]) {
        #expect(throws: (any Error).self) { try FeedbackCommand.parse(arguments) }
    }

    @Test func `a command names verdict, entry and question`() throws {
        let byPrompt = try FeedbackCommand.parse(["wrong", "why?", "--entry", Self.entry, "--vary", "m=1"])
        #expect(byPrompt.verdict.verdict == .wrong && byPrompt.entry.id.description == Self.entry)
        #expect(byPrompt.prompt == "why?" && byPrompt.lookupId == nil)
        let byLookup = try FeedbackCommand.parse(["right", "--entry", Self.entry, "--lookup-id", "00fF0a"])
        #expect(byLookup.lookupId?.id.bytes == [0, 255, 10] && byLookup.lookupId?.text == "00ff0a")
    }

    @Test func `what feedback did is told`() {
        #expect(
            FeedbackCommand.text(FeedbackReceipt(isBlocked: true, isLearnt: true))
                == "blocked: the entry is not served for this question any more; the cache learns from it")
        #expect(
            FeedbackCommand.text(FeedbackReceipt(isBlocked: false, isLearnt: false))
                == "not blocked; nothing is learnt from it")
        let object = JSONText.line(FeedbackObject(FeedbackReceipt(isBlocked: false, isLearnt: true)))
        #expect(object == #"{"blocked":false,"learnt":true}"#)
    }
}

struct DecisionOutputTests {
    private static func miss(_ reason: CacheMiss.Reason, _ decision: CacheDecision? = nil) -> CacheMiss {
        CacheMiss(
            reason: reason, nearest: nil, similarityThreshold: 0.85, lease: nil, fillUnderWay: nil, decision: decision)
    }

    @Test(
        arguments: [
            (.guarded(.wordSwap), "but the guard word_swap refuses it", "guarded"),
            (.tooRisky, "but too likely to be wrong", "risk"),
            (.blocked, "but was said to be wrong for this question", "blocked"),
            (.judged, "but the judge refuses it", "judged"),
            (.shadow, "it would be a hit, but the cache is in shadow mode", "shadow"),
            (.audited, "it would be a hit, but is left out so that the answers can be compared", "audited"),
        ] as [(CacheMiss.Reason, String, String)])
    func `a refusal says by whom`(reason: CacheMiss.Reason, text: String, name: String) {
        #expect(Explanation.line(Self.miss(reason)).contains(text))
        let object = JSONText.line(AnswerObject(.miss(Self.miss(reason)), elapsed: .milliseconds(2)))
        #expect(object.contains(#""reason":"\#(name)""#))
        #expect(object.contains(#""guard":"word_swap""#) == (name == "guarded"))
    }

    @Test func `the risk and its limit are shown`() {
        let decision = CacheDecision(policy: .calibrated, risk: 0.0625, riskLimit: 0.03125)
        let miss = Self.miss(.tooRisky, decision)
        #expect(
            Explanation.line(miss) == "miss: what is stored is similar enough, but too likely to be wrong; "
                + "threshold 0.8500; risk 6.3 % of at most 3.1 %")
        let object = JSONText.line(AnswerObject(.miss(miss), elapsed: .milliseconds(2)))
        #expect(object.contains(#""decision":{"policy":"calibrated","risk":0.0625,"risk_limit":0.03125}"#))
        let silent = Self.miss(.tooRisky, CacheDecision(policy: .threshold, risk: nil, riskLimit: nil))
        #expect(!Explanation.line(silent).contains("risk "))
    }

    @Test func `a hit by meaning shows its risk and the name of its lookup`() throws {
        let entry = CacheEntry(
            id: EntryID(high: 1, low: 2), prompt: nil, response: [0x61], contentType: "text/plain", attributes: [],
            usage: nil, createdAt: Timestamp(milliseconds: 0), expiresAt: Timestamp(milliseconds: 9000))
        var found = LookupHit(
            kind: .semantic, tier: .store, matches: [LookupMatch(entry: entry, similarity: 0.9)],
            at: Timestamp(milliseconds: 1000))
        found.decision = DecisionExplanation(kind: .calibrated, risk: 0.0625, riskLimit: 0.125)
        found.lookup = LookupID(bytes: [1, 0xab])
        let request = LookupRequest(cache: "c", prompt: .text(try CanonicalPrompt("why?")))
        let hit = CacheHit(found, to: AskedQuestion(request))
        #expect(
            Explanation.line(hit, hit.best, position: 0)
                == "semantic hit from store: similarity 0.9000, age 1s, entry \(entry.id.description); "
                + "risk 6.3 % of at most 12.5 %")
        #expect(Explanation.line(hit.lookupID) == "lookup: 01ab; give it to feedback --lookup-id")
        let object = JSONText.line(AnswerObject(.hit(hit), elapsed: .milliseconds(2)))
        #expect(object.contains(#""lookup_id":"01ab""#) && object.contains(#""risk_limit":0.125"#))
        #expect(!object.contains("why?"))
    }
}

struct DecisionsTextTests {
    private static func cache(_ change: (inout DecisionStatistics) -> Void) -> ServerStatistics.Cache {
        var statistics = CacheStatistics(cache: "faq")
        change(&statistics.decision)
        return ServerStatistics.Cache(statistics)
    }

    @Test func `a cache with a static threshold that refused nothing has no block`() {
        #expect(DecisionsText.lines(Self.cache { _ in }).isEmpty)
        #expect(DecisionsText.lines(Self.cache { $0.refusals = ["number": 0] }).isEmpty)
    }

    @Test func `the block has phase, labels, estimates and refusals`() {
        let lines = DecisionsText.lines(
            Self.cache { decision in
                decision.phase = .learning
                decision.labels = 1234
                decision.labelsNeeded = 2000
                decision.rightLabels = 900
                decision.errorBudget = 0.01
                decision.wrongHitLimit = 0.03
                decision.wrongPerLookup = 0.0025
                decision.wrongPerHit = 0.02
                decision.audits = 12
                decision.wrongAudits = 1
                decision.feedbackWrong = 2
                decision.shadowHits = 7
                decision.refusals = ["number": 3, "risk": 40, "negation": 3, "roles": 0]
                decision.judgeCalls = 5
                decision.judgeFailures = 1
                decision.judgeTokens = 1500
            })
        #expect(
            lines == [
                "decisions   faq: learning, a threshold decides",
                "  labels    1,234 of 2,000 needed, 900 right",
                "  wrong     about 0.25 % of lookups (allowed 1.00 %), about 2.00 % of semantic hits (allowed 3.00 %)",
                "  audits    12, 1 wrong", "  feedback  0 right, 2 wrong", "  shadow    7 would have been served",
                "  refused   40 by risk, 3 by negation, 3 by number", "  judge     5 asked, 1 failed, 1,500 tokens",
            ])
    }

    @Test(arguments: ServerStatistics.Decisions.Phase.allCases)
    func `every phase fits into 120 columns with large figures`(phase: ServerStatistics.Decisions.Phase) {
        let cache = Self.cache { decision in
            decision.phase = DecisionStatistics.Phase(rawValue: phase.rawValue) ?? .threshold
            decision.riskLimit = 1
            let counters: [WritableKeyPath<DecisionStatistics, UInt64>] = [
                \.labels, \.labelsNeeded, \.rightLabels, \.audits, \.wrongAudits, \.feedbackRight, \.feedbackWrong,
                \.shadowHits, \.judgeCalls, \.judgeFailures, \.judgeTokens,
            ]
            for counter in counters { decision[keyPath: counter] = .max }
            for name in Guard.allCases { decision.refusals[name.rawValue] = .max }
        }
        let lines = DecisionsText.lines(cache)
        #expect(lines.allSatisfy { $0.count <= 120 }, "\(lines)")
        #expect(lines.joined().contains("question_type"))
    }

    @Test func `JSON has the estimates per lookup and per hit`() {
        let object = JSONText.line(
            DecisionsObject(
                Self.cache { decision in
                    decision.phase = .exactOnly
                    decision.wrongPerLookup = 0.5
                    decision.wrongPerHit = 0.25
                    decision.refusals = ["number": 1]
                }.decisions))
        #expect(object.contains(#""phase":"exact_only""#) && object.contains(#""refusals":{"number":1}"#))
        #expect(object.contains(#""wrong_per_hit":0.25"#) && object.contains(#""wrong_per_lookup":0.5"#))
    }
}
