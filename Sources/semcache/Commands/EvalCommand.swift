// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct EvalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Plays a labelled stream of questions against a server, and counts right and wrong hits.",
        discussion: """
            FILE has lines question<TAB>label after a header; or JSON objects with "prompt" and "response", in which \
            several right answers are separated by " | ". Each question is looked up; where there is no answer, that of \
            its label is stored. A hit is right if it was stored for a question with the same label, or one that shares a \
            right answer with it.
            A cache learns from what it is asked, so each order is played in a cache of its own, which must not have \
            entries yet: the server must create caches by itself (create_caches), or have been told of them by name. \
            Entries are removed by --clean; what a cache has learnt stays, so the default names are new ones each time. \
            Exit codes: 0 done, 1 --require is not met, 2 error, also if there is a report and --clean has failed.
            """)

    @Argument(help: "The stream; - reads the standard input.")
    var file: String

    @Option(help: "A stream that follows on the first, as when what users ask about changes.")
    var then: String?

    @Option(help: "Questions of each file to play at most.")
    var limit: Int?

    @Option(help: "The first order: 0 is that of the file, each other one is shuffled by its number.")
    var order = 1

    @Option(help: "How many orders to play, one after the other.")
    var orders = 1

    @Option(help: "Name of the cache; {order} is the order's number, {run} is new each time.")
    var cache = "eval-{run}-{order}"

    @OptionGroup var vary: VaryOptions

    @Option(help: "Least similarity of a match, -1 to 1 (default: the cache's).")
    var threshold: Float?

    @Option(help: "What is stored as an answer; {label} is the question's label, or its response.")
    var answerTemplate = "{label}"

    @Option(help: "Share of stores that carry the answer of another label. A hit is still judged by the true one.")
    var wrongLabels = ShareText(0)

    @Option(help: "Share of hits on which feedback tells the server the truth.")
    var feedback = ShareText(0)

    @Option(
        help: """
            Questions under way at once. With more than 1, which comes before which is left to chance, and so is what is \
            a hit.
            """)
    var inFlight = 1

    @Flag(help: "Remove what was stored when all orders have been played.")
    var clean = false

    @Option(
        help: ArgumentHelp(
            """
            What must come out, or the exit code is 1. Measures: \
            \(EvalMeasure.allCases.map { $0.rawValue }.joined(separator: ", ")); with each. before it, in every order.
            """, valueName: "hits>=64%,wrong<=1%"))
    var require: EvalRequirements?

    @OptionGroup var server: ServerOptions

    func validate() throws {
        guard (1...EvalLimits.maximumOrders).contains(self.orders), (0...1_000_000).contains(self.order) else {
            throw ValidationError("--orders must be 1 to \(EvalLimits.maximumOrders), --order 0 to 1000000.")
        }
        guard (1...EvalLimits.maximumCallsInFlight).contains(self.inFlight) else {
            throw ValidationError("--in-flight must be 1 to \(EvalLimits.maximumCallsInFlight).")
        }
        guard self.limit ?? 1 >= 1 else { throw ValidationError("--limit must be at least 1.") }
        guard self.answerTemplate.contains("{label}") else {
            throw ValidationError("--answer-template needs {label}: otherwise all answers are the same.")
        }
        guard self.orders == 1 || self.cacheHasOrder || self.vary.vary.contains(where: { $0.text.contains("{order}") })
        else { throw ValidationError("Several orders need {order} in --cache or in the value of a --vary.") }
        _ = try Similarity.from(similarity: self.threshold, distance: nil, option: "--threshold")
    }

    private var cacheHasOrder: Bool { self.cache.contains("{order}") }

    func run() async throws {
        var stream = LabelledStream()
        try await stream.read(self.file, limit: self.limit)
        if let then { try await stream.read(then, limit: self.limit) }
        try await self.server.withClient { client in
            var caches: [String] = []
            let played = await self.play(stream, client, in: &caches)
            // First of all: nothing that may still fail takes with it what an hour of playing has shown.
            let status = try? self.tell(played.get(), of: stream)
            let isClean = self.clean ? await EvalCaches.clean(caches, client) : true
            _ = try played.get()
            if !isClean { throw ExitStatus.failure }
            if let status, !status.isSuccess { throw status }
        }
    }

    /// - Returns: What the process ends with, if nothing else fails.
    private func tell(_ results: [EvalResult], of stream: LabelledStream) -> ExitCode {
        let report = EvalReport(
            questions: stream.questions.count, labels: stream.labels.count,
            files: [self.file] + (self.then.map { [$0] } ?? []), results: results)
        let violations = self.require?.violations(report) ?? []
        if self.server.json {
            Output.line(JSONText.line(EvalObject(report, violations: violations)))
        } else {
            for line in EvalText(report: report).lines { Output.line(line) }
            for line in violations { Output.error(line) }
        }
        return violations.isEmpty ? .success : ExitStatus.miss
    }

    /// - Parameter caches: Gets the names of those that have something of this run.
    private func play(
        _ stream: LabelledStream, _ client: CacheClient, in caches: inout [String]
    ) async -> Result<[EvalResult], any Error> {
        let run = String(UInt32.random(in: 0x100000...0xffffff), radix: 16)
        var results: [EvalResult] = []
        do {
            for order in self.order..<self.order + self.orders {
                let cache = EvalCaches.name(self.cache, order: order, run: run)
                // Orders that share a cache are apart by a vary part.
                if caches.last != cache {
                    try await EvalCaches.checkEmpty(cache, client)
                    caches.append(cache)
                }
                let progress = EvalProgress(
                    name: "order \(order)", isShown: Output.errorIsTerminal && !self.server.json)
                let player = EvalPlayer(
                    client, stream, try self.settings(order: order, run: run), cache: cache, order: order,
                    progress: progress)
                results.append(try await player.play())
            }
        } catch {
            return .failure(error)
        }
        return .success(results)
    }

    private func settings(order: Int, run: String) throws -> EvalSettings {
        EvalSettings(
            template: self.answerTemplate, wrongLabels: self.wrongLabels.share, feedback: self.feedback.share,
            threshold: self.threshold, callsInFlight: self.inFlight,
            vary: try self.vary.parts().mapValues { EvalCaches.name($0, order: order, run: run) })
    }
}
