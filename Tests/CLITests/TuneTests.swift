// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import FoundationXML
import Testing

@testable import semcache

struct QuestionPairTests {
    @Test func `a pair has two questions and a verdict, and a kind before, perhaps`() throws {
        let three = try QuestionPair(line: Array("a\tb\t1".utf8))
        let four = try QuestionPair(line: Array("neg-num\ta\tb\t0\r".utf8))
        #expect(three.asked == "a" && three.stored == "b" && three.isSame)
        #expect(four.asked == "a" && four.stored == "b" && !four.isSame)
    }

    @Test(arguments: [
        ("", "is empty"), ("a\tb", "has not 3 or 4 columns: two questions and 0 or 1, after a kind, perhaps"),
        ("k\ta\tb\t1\tx", "has not 3 or 4 columns: two questions and 0 or 1, after a kind, perhaps"),
        ("a\tb\tyes", "does not end with 0 or 1"),
        ("a\t \t1", "has a question that no lookup takes: prompt is empty"), ("a\u{0}\tb\t1", "has a NUL"),
    ])
    func `a hostile line is refused by its number`(line: String, fault: String) async throws {
        let error = await #expect(throws: CommandFault.self) {
            _ = try await StreamTests.withFile(Array("one\tother\tsame\n\(line)\n".utf8)) { path in
                try await QuestionPair.read(path)
            }
        }
        #expect(error?.text.hasSuffix(", line 2: \(fault)") == true, "\(error?.text ?? "")")
    }
}

struct PairSweepTests {
    private static let pairs = [
        ScoredPair(similarity: 0.95, isSame: true, isRefused: false),
        ScoredPair(similarity: 0.80, isSame: true, isRefused: true),
        ScoredPair(similarity: 0.90, isSame: false, isRefused: true),
        ScoredPair(similarity: 0.60, isSame: false, isRefused: false),
    ]

    private func row(_ threshold: Double) throws -> PairSweep.Row {
        try #require(PairSweep(Self.pairs).rows.first { $0.threshold == threshold })
    }

    @Test func `each threshold says what is served, with and without guards`() throws {
        let low = try self.row(0.7)
        #expect(low.plain.right.share == 1 && low.plain.wrong.share == 0.5)
        #expect(low.plain.wrongOfServed.share == 1.0 / 3 && low.plain.wrongOfAll.share == 0.25)
        #expect(low.guarded.right.share == 0.5 && low.guarded.wrongOfServed.share == 0)
        let high = try self.row(0.92)
        #expect(high.plain.right.share == 0.5 && high.plain.wrong.share == 0)
        #expect(PairSweep(Self.pairs).rows.map { $0.threshold }.first == 0.7)
        #expect(PairSweep(Self.pairs).rows.map { $0.threshold }.last == 0.99)
    }

    @Test func `few pairs prove no small budget, many do`() {
        #expect(PairSweep(Self.pairs).recommended(for: 0.01) { $0.plain } == nil)
        let many = Array(repeating: Self.pairs, count: 1000).flatMap { $0 }
        // What is similar by 0.90 is served up to there, as fp32 compares.
        #expect(PairSweep(many).recommended(for: 0.01) { $0.plain }?.threshold == 0.91)
        #expect(PairSweep(many).recommended(for: 0.01) { $0.guarded }?.threshold == 0.7)
    }

    @Test func `the recommendation is said in words`() {
        let lines = TuneText.lines(PairSweep(Self.pairs), pairs: 4, budget: 0.01)
        #expect(lines.first == "4 pairs")
        #expect(lines.contains { $0.contains("no threshold is shown to keep 1.00 %") })
        #expect(lines.allSatisfy { $0.count <= 130 })
    }
}

struct LabelSweepTests {
    static func decision(
        _ similarity: Float, _ risk: Float?, right: Bool, serve: Bool, guarded: Bool = false
    ) -> CacheLabelledDecision {
        CacheLabelledDecision(
            number: 1, similarity: similarity, risk: risk, isRight: right, wouldServe: serve, source: .store,
            isGuarded: guarded)
    }

    private static let decisions = [
        decision(0.95, 0.01, right: true, serve: true), decision(0.85, 0.4, right: false, serve: false),
        decision(0.75, nil, right: true, serve: false), decision(0.72, 0.002, right: true, serve: true),
    ]

    @Test func `each threshold and each risk limit says what would be served`() throws {
        let sweep = LabelSweep(Self.decisions)
        let threshold = try #require(sweep.thresholds.first { $0.bound == 0.8 })
        #expect(threshold.served.share == 0.5 && threshold.wrongOfAll.share == 0.25)
        #expect(threshold.wrongOfServed.share == 0.5)
        // Of the same decisions: one without an estimate is not served.
        let limit = try #require(sweep.riskLimits.first { $0.bound == 0.01 })
        #expect(limit.served.share == 0.5 && limit.wrongOfAll.share == 0)
        #expect(limit.served.total == threshold.served.total && sweep.unestimated == 1)
        #expect(sweep.asDecided.served.share == 0.5 && sweep.asDecided.wrongOfAll.share == 0)
    }

    @Test func `what a guard refuses is served by no threshold and no risk limit`() throws {
        let guarded = Self.decision(0.98, 0.002, right: false, serve: false, guarded: true)
        let sweep = LabelSweep(Self.decisions + Array(repeating: guarded, count: 4))
        #expect(sweep.guarded == 4)
        for row in sweep.thresholds + sweep.riskLimits { #expect(row.served.total == 8 && row.served.count <= 4) }
        let threshold = try #require(sweep.thresholds.first { $0.bound == 0.9 })
        #expect(threshold.served.count == 1 && threshold.wrongOfAll.count == 0)
        let lines = TuneText.lines(sweep, decisions: 8, budget: 0.01)
        #expect(lines.contains("4 refused by a guard: never served"))
        #expect(lines.contains("1 without an estimate: served under no risk limit"))
    }

    @Test func `without estimates there are no risk limits`() {
        #expect(LabelSweep([Self.decisions[2]]).riskLimits.isEmpty)
    }
}

struct PlotFileTests {
    @Test func `what is there stays until there is something to replace it`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try "of before, and long".write(toFile: path, atomically: false, encoding: .utf8)
        do {
            _ = try PlotFile(path)
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "of before, and long")
        try PlotFile(path).write("new")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "new")
    }

    @Test func `a name that cannot be written is refused before there is anything to write`() {
        let fault = #expect(throws: CommandFault.self) { try PlotFile("/no/such/folder/plot.svg") }
        #expect(fault?.text.contains("cannot write /no/such/folder/plot.svg") == true)
    }
}

struct PlotTests {
    @Test func `a plot is XML, with curves, axes and ticks`() throws {
        let pairs = (0..<100).map { (number: Int) -> ScoredPair in
            let similarity = Float(number) / 100
            return ScoredPair(similarity: similarity, isSame: number % 3 > 0, isRefused: number % 7 == 0)
        }
        let elements = try Elements(Plot(PairSweep(pairs)).svg)
        #expect(elements.names["polyline"] == 6)
        #expect(elements.names["text", default: 0] > 30 && elements.names["line", default: 0] > 30)
        #expect(elements.root == "svg" && elements.text.contains("0.80"))
    }

    @Test func `the labels of a cache are drawn with the curve of its policy`() throws {
        let decisions = (0..<100).map { (number: Int) -> CacheLabelledDecision in
            let (similarity, risk) = (Float(number) / 100, Float(100 - number) / 200)
            return LabelSweepTests.decision(similarity, risk, right: number % 9 > 0, serve: number > 80)
        }
        let elements = try Elements(Plot(LabelSweep(decisions)).svg)
        #expect(elements.names["polyline"] == 4 && elements.text.contains("calibrated"))
    }

    @Test func `what is no number or beyond the axes breaks nothing`() throws {
        let points: [(x: Double, y: Double)] = [(0, .nan), (.infinity, 1), (-5, 1e300), (0.5, 0.5)]
        let curve = Plot.Curve(name: "<a> & \"b\"\u{1}", points: points, color: "red")
        let panel = Plot.Panel(title: "]]>", xTitle: "", yTitle: "", x: 0...1, y: 0...1, curves: [curve])
        let elements = try Elements(Plot(title: "&", panels: [panel]).svg)
        #expect(elements.names["polyline"] == 1 && elements.text.contains("<a> & \"b\"\u{fffd}"))
    }

    @Test func `ticks are round numbers`() {
        #expect(Plot.ticks(0...100) == [0, 20, 40, 60, 80, 100])
        #expect(Plot.ticks(0.7...0.99).map { NumberText.fixed($0, digits: 2) }.first == "0.70")
        #expect(Plot.ticks(0.7...0.99).count <= 9)
        #expect(Plot.ticks(1...1) == [1])
    }

    /// What an XML parser finds.
    private final class Elements: NSObject, XMLParserDelegate {
        private(set) var names: [String: Int] = [:]
        private(set) var root: String?
        private(set) var text = ""

        init(_ svg: String) throws {
            super.init()
            let parser = XMLParser(data: Data(svg.utf8))
            parser.delegate = self
            guard parser.parse() else { throw CommandFault("is no XML: \(String(describing: parser.parserError))") }
        }

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String] = [:]
        ) {
            self.root = self.root ?? name
            self.names[name, default: 0] += 1
        }

        func parser(_ parser: XMLParser, foundCharacters characters: String) { self.text += characters }
    }
}
