// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheModel
import EmbeddedStore
import Foundation

/// The exact scan of one partition, and its comparison with an oracle.
struct Scan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Times the exact scan of one partition; with --check compares its answers with brute force.",
        discussion: """
            The vectors are those of real questions, and mixtures of two of them up to --entries. The queries are \
            questions that are not in the partition. A search is the scan and the decision in fp32 about what the scan \
            lets through, with the fp32 vectors in memory.
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: "A file of questions, one per line.")
    var questions: String

    @Option(help: "A file that keeps the questions' vectors (fp32) from one run to the next.")
    var vectors: String?

    @Option(help: "Entries of the partition.")
    var entries = 1_000_000

    @Option(help: "Queries.")
    var queries = 1000

    @Option(help: "Least similarities.")
    var thresholds = NumberList<Float>([0.8, 0.85, 0.9])

    @Option(help: "Neighbours that a search is to find too, whatever their similarity.")
    var neighbours = 0

    @Flag(help: "Compares with brute force over all vectors: 0 differences must be found.")
    var check = false

    @Option(help: "The core to run on.")
    var core = 0

    func validate() throws {
        guard self.entries > 0, self.queries > 0 else { throw ValidationError("entries and queries are positive") }
    }

    func run() throws {
        try Machine.printFacts(asJSON: self.common.json)
        let real = try QuestionVectors.load(questions: self.questions, vectors: self.vectors, model: self.common.model)
        try Machine.pinThread(to: self.core)
        guard real.count > self.queries else { throw BenchError("there are too few questions for the queries") }
        let set = VectorSet(real: real, entries: self.entries, queries: self.queries)
        let start = Machine.now
        let index = set.makeIndex()
        let seconds = Double(Machine.now - start) / 1e9
        try self.reportIndex(index, set, seconds: seconds)
        let runs = self.thresholds.values.map {
            ScanRun(index: index, set: set, threshold: $0, neighbours: self.neighbours)
        }
        try self.reportTimes(runs.map { ($0.threshold, $0.time()) })
        if self.check { try self.compare(runs, set) }
    }

    private func reportIndex(_ index: PartitionIndex, _ set: VectorSet, seconds: Double) throws {
        var table = Table(
            """
            partition: \(set.count) × \(set.dimensions), of which \(set.realCount) real questions and the rest \
            mixtures (seed \(VectorSet.seed)); one core (\(self.core))
            """,
            columns: ["entries", "index bytes", "bytes per entry", "built in s", "entries/s"])
        table.add(
            Double(set.count).grouped, Double(index.bytes).grouped, (Double(index.bytes) / Double(set.count)).text(1),
            seconds.text(2), (Double(set.count) / seconds).grouped)
        try table.print(asJSON: self.common.json)
    }

    private func reportTimes(_ results: [(Float, ScanRun.Times)]) throws {
        var table = Table(
            """
            search for the nearest above a threshold: \(self.queries) held-out questions, each once, \
            \(self.entries) entries, \(self.neighbours) neighbours, core \(self.core)
            """,
            columns: ["threshold", "hits", "p50 µs", "p90 µs", "p99 µs", "max µs", "candidates/query"])
        for (threshold, times) in results {
            table.add(
                Double(threshold).text(2), String(times.hits), times.latencies.p50.microseconds,
                times.latencies.percentile(90).microseconds, times.latencies.p99.microseconds,
                times.latencies.maximum.microseconds, (Double(times.candidates) / Double(self.queries)).text(2))
        }
        try table.print(asJSON: self.common.json)
    }

    private func compare(_ runs: [ScanRun], _ set: VectorSet) throws {
        let start = Machine.now
        let oracle = Oracle(set, above: (self.thresholds.values.min() ?? 0))
        let seconds = Double(Machine.now - start) / 1e9
        var table = Table(
            """
            answers compared with a brute-force fp32 oracle: \(self.queries) queries × \(self.entries) entries \
            (\(seconds.text(0)) s); its dot product differs from one in double precision by at most \
            \(String(format: "%.1e", oracle.largestError)) over \(Oracle.checkedPairs) pairs
            """,
            columns: ["threshold", "pairs at or above", "sets that differ", "best that differ", "top 10 that differ"])
        var differences = 0
        for run in runs {
            let found = run.differences(from: oracle)
            table.add(
                Double(run.threshold).text(2), String(found.pairs), String(found.sets), String(found.best),
                String(found.topTen))
            differences += found.sets + found.best + found.topTen
        }
        try table.print(asJSON: self.common.json)
        guard differences == 0 else { throw BenchError("the scan is not exact: \(differences) answers differ") }
    }
}
