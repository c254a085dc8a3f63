// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import RedisStore

/// Searches and reads of the store beside the bare commands that they rest on, taking turns.
struct RoundTrip {
    let options: Redis
    let tenant: RedisTenant
    let questions: EmbeddedQuestions
    /// Calls between two changes of sides.
    private static let block = 200
    /// How near to an entry the queries are that are made from one.
    private static let nearness: ClosedRange<Float> = 0.9...0.99

    private struct Side {
        var bare = Latencies()
        var store = Latencies()

        mutating func record(bare: UInt64, store: UInt64) {
            self.bare.record(bare)
            self.store.record(store)
        }
    }

    private struct Times {
        var hits = Side()
        var misses = Side()
        var all = Side()
        var reads = Side()
    }

    func run() throws {
        let stored = min(self.options.entries, self.questions.count - self.options.queries)
        guard stored > 0 else { throw BenchError("there are too few questions for the queries") }
        let bytes = self.options.responseBytes.values[0]
        let (tenant, questions) = (self.tenant, self.questions)
        let fill = try tenant.fill(stored) { number in
            (tenant.entry(questions.prompts[number], responseBytes: bytes), questions.embedding(number))
        }
        try fill.report(
            "questions with responses of \(bytes) bytes, one partition", asJSON: self.options.common.json)
        let queries = self.queries(stored: stored)
        let place = try PartitionInRedis(of: tenant)
        let searches = queries.map { self.search($0, in: place) }
        var generator = SeededGenerator(seed: VectorSet.seed)
        let ids = queries.map { _ in
            tenant.partition.entryID(of: questions.prompts[Int(generator.next() % UInt64(stored))])
        }
        let reads = ids.map { self.read($0, in: place) }
        let load = try PlainLoad(tenant.server, connections: tenant.server.connectionsPerNode)
        for depth in self.options.depths.values {
            let times = try self.measure(depth, load, queries, searches: searches, ids, reads: reads)
            try self.report(times, depth: depth, stored: stored)
        }
    }

    /// Questions that are not stored, and neighbours of those that are, in turn.
    private func queries(stored: Int) -> [Embedding] {
        var generator = SeededGenerator(seed: VectorSet.seed + 1)
        return (0..<self.options.queries).map { number in
            if number.isMultiple(of: 2) { return self.questions.embedding(stored + number) }
            let entry = Int(generator.next() % UInt64(stored))
            let similarity = generator.uniform(in: Self.nearness)
            return Embedding(
                unitLength: generator.neighbour(of: self.questions.vectors.vector(entry), similarity: similarity))
        }
    }

    /// What the store's first search asks for: several times as many where vectors are kept as single bits.
    private var neighbours: Int { (self.options.quantization == .bin ? 4 : 1) * Limits.redisNeighbours }

    /// The first search that the store makes, which is the only one unless all of its neighbours reach the threshold.
    private func search(_ embedding: Embedding, in place: PartitionInRedis) -> [UInt8] {
        var command = RedisCommand("VSIM", isRepeatable: true)
        command.append(place.vectors)
        command.append("FP32")
        command.append(embedding.values)
        command.append("WITHSCORES")
        command.append("COUNT")
        command.append(Int64(self.neighbours))
        command.append("EF")
        command.append(Int64(Limits.vectorSetEffort))
        return PlainRedis.bytes(of: command)
    }

    private func read(_ id: EntryID, in place: PartitionInRedis) -> [UInt8] {
        var command = RedisCommand("HGET", isRepeatable: true)
        command.append(place.entries)
        command.append(id.bytes)
        return PlainRedis.bytes(of: command)
    }

    private func measure(
        _ depth: Int, _ load: PlainLoad, _ queries: [Embedding], searches: [[UInt8]], _ ids: [EntryID],
        reads: [[UInt8]]
    ) throws -> Times {
        let (tenant, threshold) = (self.tenant, self.options.thresholds.values[0])
        let partition = tenant.partition
        var times = Times()
        for round in 0...self.options.rounds {
            for (number, start) in stride(from: 0, to: queries.count, by: Self.block).enumerated() {
                let block = start..<min(start + Self.block, queries.count)
                let isBareFirst = (round + number).isMultiple(of: 2)
                let found = try Self.inTurn(isBareFirst) {
                    try load.time(Array(searches[block]), depth: depth)
                } store: {
                    try tenant.time(block.count, depth: depth) { store, number in
                        let query = NearestQuery(
                            embedding: queries[start + number], count: 1, threshold: threshold)
                        return try await store.nearest(query, in: partition, at: .now).matches.count
                    }
                }
                let gotten = try Self.inTurn(isBareFirst) {
                    try load.time(Array(reads[block]), depth: depth)
                } store: {
                    try tenant.time(block.count, depth: depth) { store, number in
                        try await store.entry(ids[start + number], in: partition, at: .now) == nil ? 0 : 1
                    }
                }
                guard gotten.store.allSatisfy({ $0.outcome == 1 }) else { throw BenchError("an entry is missing") }
                // The first round fills caches and makes connections.
                if round == 0 { continue }
                for (bare, store) in zip(found.bare, found.store) {
                    times.all.record(bare: bare, store: store.time)
                    if store.outcome > 0 {
                        times.hits.record(bare: bare, store: store.time)
                    } else {
                        times.misses.record(bare: bare, store: store.time)
                    }
                }
                for (bare, store) in zip(gotten.bare, gotten.store) {
                    times.reads.record(bare: bare, store: store.time)
                }
            }
        }
        return times
    }

    private typealias StoreTimes = [RedisTenant.Timed<Int>]

    private static func inTurn(
        _ isBareFirst: Bool, bare: () throws -> [UInt64], store: () throws -> StoreTimes
    ) throws -> (bare: [UInt64], store: StoreTimes) {
        if isBareFirst {
            let times = try bare()
            return (times, try store())
        }
        let times = try store()
        return (try bare(), times)
    }

    private func report(_ times: Times, depth: Int, stored: Int) throws {
        let connections = min(depth, self.tenant.server.connectionsPerNode)
        let spread = connections == 1 ? "one connection" : "\(connections) connections"
        var table = Table(
            """
            the store beside bare commands (VSIM … WITHSCORES COUNT \(self.neighbours) EF \
            \(Limits.vectorSetEffort), HGET) over blocking sockets: \(stored) entries, \(depth) in flight, bare ones \
            over \(spread); \(self.options.queries) queries in \(self.options.rounds) rounds, half of \
            them questions that are not stored, half of a similarity of \(Self.nearness.lowerBound)… to an entry; \
            threshold \(self.options.thresholds.values[0]); taking turns every \(Self.block); quantization \
            \(self.options.quantization.rawValue); core \(self.options.clientCore.map { String($0) } ?? "any")
            """,
            columns: [
                "what", "calls", "bare p50 µs", "store p50 µs", "p50 ratio", "bare p99 µs",
                "store p99 µs", "p99 ratio",
            ])
        let rows = [
            ("nearest, hits", times.hits), ("nearest, misses", times.misses), ("nearest, all", times.all),
            ("entry by id", times.reads),
        ]
        for (name, side) in rows where side.bare.count > 0 {
            table.add(
                name, Double(side.bare.count).grouped, side.bare.p50.microseconds, side.store.p50.microseconds,
                (side.store.p50 / side.bare.p50).text(2) + "×", side.bare.p99.microseconds,
                side.store.p99.microseconds, (side.store.p99 / side.bare.p99).text(2) + "×")
        }
        try table.print(asJSON: self.options.common.json)
    }
}
