// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Testing

@testable import semcache

struct WilsonIntervalTests {
    /// As R's `prop.test(…, correct = FALSE)` and Newcombe (1998) have them.
    @Test(arguments: [
        (10, 100, 0.05523, 0.17437), (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718), (29, 29, 0.8830, 1),
    ])
    func `the interval is Wilson's`(count: Int, total: Int, low: Double, high: Double) {
        let interval = WilsonInterval(count, of: total)
        #expect(abs(interval.low - low) < 0.00006)
        #expect(abs(interval.high - high) < 0.00006)
        #expect(interval.low <= interval.share && interval.share <= interval.high)
    }

    @Test func `of nothing, anything may be true`() {
        let interval = WilsonInterval(0, of: 0)
        #expect(interval.share == 0 && interval.low == 0 && interval.high == 1)
        #expect(interval.text == "-" && interval.shareText == "-")
    }

    @Test func `an interval is written in percent`() {
        #expect(WilsonInterval(10, of: 100).text == "5.52-17.44 %")
        #expect(WilsonInterval(10, of: 100).shareText == "10.00 %")
    }
}

struct CalibrationTests {
    @Test func `risks that hold have no error`() {
        // Of each risk, as many are wrong as it says.
        let estimates = [1, 5, 9].flatMap { (wrong: Int) -> [RiskEstimate] in
            (0..<10).map { (number: Int) in RiskEstimate(risk: Double(wrong) / 10, isWrong: number < wrong) }
        }
        let calibration = Calibration(estimates.shuffled(), bins: 3)
        #expect(calibration.bins.map { $0.count } == [10, 10, 10])
        #expect(calibration.bins.map { $0.observed } == [0.1, 0.5, 0.9])
        #expect((calibration.error ?? 1) < 1e-9)
    }

    @Test func `the error is the mean distance, weighted by size`() throws {
        let estimates = [
            RiskEstimate(risk: 0.2, isWrong: false), RiskEstimate(risk: 0.4, isWrong: false),
            RiskEstimate(risk: 0.6, isWrong: true), RiskEstimate(risk: 0.7, isWrong: false),
            RiskEstimate(risk: 0.9, isWrong: true),
        ]
        let calibration = Calibration(estimates, bins: 2)
        #expect(calibration.bins.map { $0.count } == [2, 3])
        // |0.3 - 0| twice, |0.7333 - 0.6667| three times.
        #expect(abs((try #require(calibration.error)) - (0.6 + 0.2) / 5) < 1e-9)
    }

    @Test func `of estimates that are all the same there is one bin, whatever came true of which`() throws {
        let estimates = (0..<1000).map { RiskEstimate(risk: 0.1, isWrong: $0 < 100) }
        for order in [estimates, estimates.reversed(), estimates.shuffled()] {
            let calibration = Calibration(order)
            #expect(calibration.bins.map { $0.count } == [1000])
            #expect(try #require(calibration.error) < 1e-9)
        }
    }

    @Test func `what is foretold alike is never in two bins`() throws {
        let risks = [0.1, 0.1, 0.1, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.4]
        let calibration = Calibration(risks.map { RiskEstimate(risk: $0, isWrong: false) }.shuffled(), bins: 5)
        #expect(calibration.bins.map { $0.count } == [3, 1, 5, 1])
        #expect(calibration.bins.map { $0.count }.reduce(0, +) == calibration.count)
    }

    @Test func `there are no more bins than estimates, and none of nothing`() {
        let two = [RiskEstimate(risk: 0.5, isWrong: true), RiskEstimate(risk: 0.25, isWrong: false)]
        #expect(Calibration(two).bins.map { $0.predicted } == [0.25, 0.5])
        #expect(Calibration([]).bins.isEmpty && Calibration([]).error == nil)
    }
}

struct EvalResultTests {
    private static let events =
        [EvalEvent(outcome: .miss("no_entry"), isStored: true), EvalEvent(outcome: .exactHit)]
        + [EvalEvent(outcome: .semanticHit, isWrong: true), EvalEvent(outcome: .semanticHit)]

    private static func result(_ events: [EvalEvent], parts: [Range<Int>]) -> EvalResult {
        EvalResult(order: 3, cache: "c", events, parts: parts, elapsed: .seconds(1), decisions: nil)
    }

    @Test func `hits and errors are counted, of the whole and of its parts`() {
        let result = Self.result(Self.events, parts: [0..<3, 3..<4])
        #expect(result.whole.lookups == 4 && result.whole.hits == 3 && result.whole.exactHits == 1)
        #expect(result.whole.wrongPerLookup.share == 0.25)
        #expect(result.whole.wrongPerHit.share == 1.0 / 3)
        #expect(result.whole.wrongPerSemanticHit.share == 0.5)
        #expect(result.secondHalf.lookups == 2 && result.secondHalf.wrongPerHit.share == 0.5)
        #expect(result.parts.map { $0.wrong } == [1, 0])
        #expect(result.curve.reduce(EvalSummary()) { $0 + $1 } == result.whole)
        #expect(result.misses == ["no_entry": 1] && result.stored == 1)
    }

    @Test func `a percentile is by nearest rank`() {
        #expect(EvalResult.percentile(50, of: [1, 2, 3, 4]) == 2)
        #expect(EvalResult.percentile(99, of: Array(1...100)) == 99)
        #expect(EvalResult.percentile(99, of: [7]) == 7)
        #expect(EvalResult.percentile(50, of: []) == 0)
    }

    @Test func `what is required is compared, of all orders and of each`() throws {
        let good = Self.result(Array(repeating: EvalEvent(outcome: .semanticHit), count: 4), parts: [0..<4])
        let report = EvalReport(
            questions: 4, labels: 2, files: ["f"], results: [Self.result(Self.events, parts: [0..<4]), good])
        func violations(_ text: String) throws -> [String] {
            try #require(EvalRequirements(argument: text)).violations(report)
        }
        #expect(try violations("hits>=87.5%, wrong<=12.5%,wrong_per_hit<=0.15").isEmpty)
        #expect(try violations("hits>=88%") == ["required: hits >= 88.00 %; all orders: 87.50 %"])
        #expect(try violations("each.wrong<=20%") == ["required: wrong <= 20.00 %; order 3: 25.00 %"])
        #expect(try violations("calibration<=2%") == ["required: calibration <= 2.00 %; all orders has none"])
    }

    @Test(arguments: ["", "hits", "hits>64%", "hits>=", "hits>=101%", "luck>=1%", "hits>=64%,", "hits>=-1%"])
    func `a requirement that cannot be read is none`(text: String) {
        #expect(EvalRequirements(argument: text) == nil)
    }

    @Test func `the report has all its tables`() {
        let report = EvalReport(
            questions: 4, labels: 2, files: ["a/f.tsv", "g.tsv"],
            results: [Self.result(Self.events, parts: [0..<3, 3..<4])])
        let lines = EvalText(report: report).lines
        for title in ["WHOLE STREAM", "SECOND HALF", "FILES", "CURVE", "MISSES", "RUN"] {
            #expect(lines.contains { $0.hasPrefix(title) }, "\(title)")
        }
        #expect(lines.contains { $0.hasPrefix("f.tsv") })
        #expect(lines.allSatisfy { $0.count <= 120 })
        let json = JSONText.line(EvalObject(report, violations: []))
        #expect(json.contains(#""wrong_per_hit":{"count":1,"#))
    }
}

struct SharesTests {
    @Test(arguments: [("5%", 0.05), ("5 %", 0.05), ("0.05", 0.05), ("100%", 1), ("0", 0), ("1", 1), (".5%", 0.005)])
    func `a share is a number or in percent`(text: String, share: Double) {
        #expect(abs((ShareText(argument: text)?.share ?? -1) - share) < 1e-12)
    }

    @Test(arguments: ["", "%", "5", "-1%", "101%", "1e-3", "nan", "5%%", "five"])
    func `anything else is none`(text: String) {
        #expect(ShareText(argument: text) == nil)
    }
}
