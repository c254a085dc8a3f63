// SPDX-License-Identifier: Apache-2.0

import CKernels
import CacheEngine
import CacheModel
import NIOCore
import RedisClient
import RedisStore

/// What the store finds, compared with brute force over all vectors and the filter's own evaluation.
struct StoreRecall {
    let options: Redis
    let tenant: RedisTenant
    let questions: EmbeddedQuestions
    /// How near to its question a neighbour is that comes up for what the file lacks.
    private static let nearness: ClosedRange<Float> = 0.9...0.99
    /// Neighbours around one question, so that filters must pass many by.
    private static let crowd = 64
    /// How near to an entry a query is that is not a question.
    private static let queryNearness: ClosedRange<Float> = 0.8...1
    /// What two computations of a similarity may differ by.
    private static let rounding: Float = 1e-5

    private struct Entries {
        var prompts: [CanonicalPrompt]
        var attributes: [[Attribute]]
    }

    /// What was found for the queries of one threshold.
    private struct Findings {
        var latencies = Latencies()
        /// Queries whose nearest entry, of those that the filter takes, reaches the threshold.
        var expected = 0
        var found = 0
        /// Answers that are below the threshold or that the filter does not take.
        var wrong = 0
        /// Queries by the number of searches they took: 1, 2, more.
        var searches = [0, 0, 0]
    }

    func run() throws {
        let real = self.questions.count - self.options.queries
        guard real > 0 else { throw BenchError("there are too few questions for the queries") }
        var generator = SeededGenerator(seed: VectorSet.seed)
        let set = try self.makeSet(real: min(real, self.options.entries), &generator)
        let entries = Entries(
            prompts: try (0..<set.count).map { number in
                number < set.realCount ? self.questions.prompts[number] : try CanonicalPrompt("neighbour \(number)")
            },
            attributes: (0..<set.count).map { _ in generator.attributes() })
        let (tenant, bytes) = (self.tenant, self.options.responseBytes.values[0])
        let fill = try tenant.fill(set.count) { number in
            (
                tenant.entry(
                    entries.prompts[number], responseBytes: bytes, attributes: entries.attributes[number]),
                Embedding(unitLength: Array(set.entry(number)))
            )
        }
        try fill.report(
            "\(set.realCount) questions, \(set.count - set.realCount) neighbours of them, random attributes",
            asJSON: self.options.common.json)
        let oracle = Oracle(set, above: (self.options.thresholds.values.min() ?? 0) - Self.rounding)
        let filters = try (0..<set.queryCount).map { _ in try generator.filter() }
        try self.compare(set, entries, oracle, filters)
    }

    /// Entries: questions, then neighbours in crowds. Queries: questions that are not stored, neighbours of any entry,
    /// and neighbours of what a crowd is around, in turn.
    private func makeSet(real: Int, _ generator: inout SeededGenerator) throws -> VectorSet {
        let vectors = self.questions.vectors
        var stored = Array(vectors.values[..<(real * vectors.dimensions)])
        stored.reserveCapacity(self.options.entries * vectors.dimensions)
        for number in 0..<(self.options.entries - real) {
            stored += generator.neighbour(
                of: vectors.vector(number / Self.crowd % real), similarity: generator.uniform(in: Self.nearness))
        }
        let entries = Vectors(dimensions: vectors.dimensions, values: stored)
        let crowds = max(1, (entries.count - real) / Self.crowd)
        var asked: [Float] = []
        for number in 0..<self.options.queries {
            if number % 3 == 0 {
                asked += vectors.vector(vectors.count - 1 - number)
                continue
            }
            let entry = Int(generator.next() % UInt64(number % 3 == 1 ? entries.count : min(crowds, real)))
            asked += generator.neighbour(
                of: entries.vector(entry), similarity: generator.uniform(in: Self.queryNearness))
        }
        let queries = Vectors(dimensions: vectors.dimensions, values: asked)
        return VectorSet(stored: entries, realCount: real, asked: queries)
    }

    private func compare(
        _ set: VectorSet, _ entries: Entries, _ oracle: Oracle, _ filters: [MetadataFilter]
    ) throws {
        var table = Table(
            """
            what the store finds, compared with brute force: \(set.count) entries, \(set.queryCount) queries, one at a \
            time, a third of them questions that are not stored, the others of a similarity of \
            \(Self.queryNearness.lowerBound)…\(Self.queryNearness.upperBound) to an entry; \
            quantization \(self.options.quantization.rawValue), oracle off by \(oracle.largestError) at most; \
            with a filter, each query has a random one
            """,
            columns: [
                "filter", "threshold", "with an answer", "recall@1", "not found", "wrong answers", "p50 µs", "p99 µs",
                "1 search", "2", "3+",
            ])
        var positions: [EntryID: Int] = [:]
        for (position, prompt) in entries.prompts.enumerated() {
            positions[self.tenant.partition.entryID(of: prompt)] = position
        }
        for (name, filters) in [("none", nil), ("random", filters)] {
            for threshold in self.options.thresholds.values {
                let findings = try self.ask(set, threshold, filters, entries, positions, oracle)
                table.add(
                    name, Double(threshold).text(2), String(findings.expected),
                    (Double(findings.found) / Double(max(1, findings.expected))).text(5),
                    String(findings.expected - findings.found), String(findings.wrong),
                    findings.latencies.p50.microseconds, findings.latencies.p99.microseconds,
                    String(findings.searches[0]), String(findings.searches[1]), String(findings.searches[2]))
            }
        }
        try table.print(asJSON: self.options.common.json)
    }

    private func ask(
        _ set: VectorSet, _ threshold: Float, _ filters: [MetadataFilter]?, _ entries: Entries,
        _ positions: [EntryID: Int], _ oracle: Oracle
    ) throws -> Findings {
        let partition = self.tenant.partition
        var findings = Findings()
        var searchesBefore = try self.searchesSoFar()
        for number in 0..<set.queryCount {
            let filter = filters?[number]
            let query = NearestQuery(
                embedding: Embedding(unitLength: set.query(number)), count: 1, threshold: threshold, filter: filter)
            let result = try self.tenant.time(1, depth: 1) { store, _ in
                try await store.nearest(query, in: partition, at: .now).matches.first?.entry.id
            }
            guard let answer = result.first else { continue }
            findings.latencies.record(answer.time)
            let searches = try self.searchesSoFar()
            guard searches > searchesBefore else { throw BenchError("Redis does not count searches") }
            findings.searches[min(3, searches - searchesBefore) - 1] += 1
            searchesBefore = searches
            let found = answer.outcome.flatMap { positions[$0] }
            let similarity = found.map { self.similarity(set, number, $0) } ?? -1
            if answer.outcome != nil {
                let isTaken = found.map { filter?.matches(entries.attributes[$0]) ?? true } ?? false
                if !isTaken || similarity < threshold - Self.rounding { findings.wrong += 1 }
            }
            let nearest = oracle.matches(number, atLeast: threshold - Self.rounding).first {
                filter?.matches(entries.attributes[$0.entry]) ?? true
            }
            // At the threshold itself, rounding decides.
            guard let nearest, nearest.similarity >= threshold + Self.rounding else { continue }
            findings.expected += 1
            if nearest.entry == found || similarity >= nearest.similarity - Self.rounding { findings.found += 1 }
        }
        return findings
    }

    private func similarity(_ set: VectorSet, _ query: Int, _ entry: Int) -> Float {
        set.withEntries { entries in
            ck_dot_f32(ck_isa_best(), set.query(query), entries + entry * set.dimensions, set.dimensions)
        }
    }

    /// How many VSIM the server has executed.
    private func searchesSoFar() throws -> Int {
        var command = RedisCommand("INFO", isRepeatable: true)
        command.append("commandstats")
        guard case .bytes(let text) = try self.tenant.reply(to: command) else {
            throw BenchError("Redis does not say what it has executed")
        }
        let name = "cmdstat_vsim:calls="
        let line = String(buffer: text).split(whereSeparator: \.isNewline).first {
            // Commands of modules are in capitals.
            $0.lowercased().hasPrefix(name)
        }
        return line.flatMap { Int($0.dropFirst(name.count).prefix { $0 != "," }) } ?? 0
    }
}
