// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct TuneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Shows what a cache would serve, and how much of it wrongly, for each threshold.",
        discussion: """
            From --pairs FILE, of pairs of questions known to have the same answer or not: lines \
            question<TAB>question<TAB>0 or 1 after a header, with another column before, perhaps. They are embedded by the \
            cache's own model. Or, with --labels, from the decisions of a cache that it has labels for, which needs the \
            role admin. Intervals are Wilson's, 95 %.
            """)

    @Option(help: "Pairs of questions; - reads the standard input.")
    var pairs: String?

    @Flag(help: "Use the labelled decisions of the cache.")
    var labels = false

    @Option(help: "Wrong answers that are allowed, of all pairs or decisions.")
    var errorBudget = ShareText(0.01)

    @Option(help: "Draw the curves into this file, as SVG.")
    var plot: String?

    @OptionGroup var cache: CacheOptions
    @OptionGroup var server: ServerOptions

    func validate() throws {
        guard (self.pairs != nil) != self.labels else { throw ValidationError("Give --pairs FILE or --labels.") }
    }

    func run() async throws {
        let file = try self.plot.map { try PlotFile($0) }
        if let pairs {
            try await self.tune(try await QuestionPair.read(pairs), drawingTo: file)
        } else {
            try await self.tuneByLabels(drawingTo: file)
        }
    }

    private func tune(_ pairs: [QuestionPair], drawingTo file: PlotFile?) async throws {
        let vectors = try await self.server.withClient { client in
            try await TextVectors.embed(pairs.flatMap { [$0.asked, $0.stored] }, in: self.cache.cache, client)
        }
        var guards = PairGuards()
        let scored = try pairs.map { pair in
            ScoredPair(
                similarity: TextVectors.similarity(vectors[pair.asked] ?? [], vectors[pair.stored] ?? []),
                isSame: pair.isSame, isRefused: try guards.refuse(pair))
        }
        let sweep = PairSweep(scored)
        try file?.write(Plot(sweep).svg)
        if self.server.json {
            Output.line(
                JSONText.line(PairSweepObject(sweep, pairs: pairs.count, budget: self.errorBudget.share)))
        } else {
            for line in TuneText.lines(sweep, pairs: pairs.count, budget: self.errorBudget.share) { Output.line(line) }
        }
    }

    private func tuneByLabels(drawingTo file: PlotFile?) async throws {
        let decisions = try await self.server.withClient { try await self.decisions($0) }
        guard !decisions.isEmpty else {
            throw CommandFault("the cache has no labelled decisions yet", code: "failed_precondition")
        }
        let sweep = LabelSweep(decisions)
        try file?.write(Plot(sweep).svg)
        if self.server.json {
            Output.line(JSONText.line(LabelSweepObject(sweep, decisions: decisions.count)))
        } else {
            let budget = self.errorBudget.share
            for line in TuneText.lines(sweep, decisions: decisions.count, budget: budget) { Output.line(line) }
        }
    }

    private func decisions(_ client: CacheClient) async throws -> [CacheLabelledDecision] {
        var decisions: [CacheLabelledDecision] = []
        var next: UInt64? = 0
        // A cache that goes on learning must not keep this from ending.
        while let after = next, decisions.count < EvalLimits.maximumLabels {
            let page = try await Patience.call { () async throws(CacheClientError) in
                try await client.labels(of: self.cache.cache, after: after)
            }
            decisions += page.decisions
            // Nor a server that sends the same page again.
            next = page.next.flatMap { $0 > after ? $0 : nil }
        }
        return decisions
    }
}
