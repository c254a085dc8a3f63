// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Foundation

/// Lookups that are answered from the server's memory, beside GETs of Redis.
struct ExactLoad {
    let options: Load
    private static let cache = "bench"

    init(options: Load) { self.options = options }

    /// Who is measured, how.
    private enum Contender: String, CaseIterable {
        case semcached = "semcached"
        case redis = "redis, same generator"
        case redisBenchmark = "redis, redis-benchmark"
    }

    private typealias Samples = [Int: [Contender: [Sample]]]

    func run() throws {
        let target = try self.options.target(settings: ["server.threads=1"])
        let session = try self.fill(target)
        if let rate = self.options.rate {
            return try self.runOpenLoop(session, target: target, rate: rate)
        }
        let redis =
            self.options.withoutRedis
            ? nil : try ServerProcess.redis(self.tool("redis-server"), cores: self.options.serverCores)
        let samples = try self.measure(session, target: target, redis: redis)
        try self.report(samples)
    }

    // MARK: Preparation

    private var response: [UInt8] { (0..<self.options.responseBytes).map { UInt8(ascii: "a") + UInt8($0 % 26) } }

    private func prompt(_ key: Int) throws -> CanonicalPrompt {
        try CanonicalPrompt("how long does a transfer to account number \(100_000 + key) take?")
    }

    private func lookup(_ key: Int) throws -> ServiceRequest {
        .lookup(LookupRequest(cache: Self.cache, prompt: try self.prompt(key), mode: .exact))
    }

    /// The order in which keys are asked for: the same one for all, and none that a prefetcher could follow.
    private var order: [Int] {
        var generator = SeededGenerator(seed: 1)
        return (0..<self.options.keys).shuffled(using: &generator)
    }

    private func fill(_ target: Load.Target) throws -> WireSession {
        let session = try WireSession(host: target.host, port: target.port)
        try session.callAll(self.options.keys, window: self.options.window) { key in
            .store(StoreRequest(cache: Self.cache, prompt: try self.prompt(key), response: self.response))
        } reply: { _, _ in
        }
        // Brings each entry from the store into memory.
        try session.callAll(self.options.keys, window: 1, request: self.lookup) { _, response in
            guard case .lookup(.hit) = response else { throw BenchError("an entry just stored is not found") }
        }
        return session
    }

    private func tool(_ name: String) -> String { self.options.redisFolder.map { "\($0)/\(name)" } ?? name }

    private func fillRedis(_ socket: BlockingSocket) throws {
        var received = ReceiveBuffer(capacity: 4096)
        for key in 0..<self.options.keys {
            let head = "*3\r\n$3\r\nSET\r\n$16\r\n\(Self.redisKey(key))\r\n$\(self.options.responseBytes)\r\n"
            try (Array(head.utf8) + self.response + Array("\r\n".utf8)).withUnsafeBytes { try socket.send($0) }
            while received.bytes.count < 5 { try received.fill(from: socket) }
            guard received.bytes.elementsEqual("+OK\r\n".utf8) else { throw BenchError("redis refused a SET") }
            received.take(5)
        }
    }

    /// The keys of `redis-benchmark -r`.
    private static func redisKey(_ key: Int) -> String { "key:" + String(format: "%012d", key) }

    // MARK: Measuring

    /// Measures a depth for some seconds.
    private typealias Measurement = (_ depth: Int, _ seconds: Double) throws -> Sample

    private func measure(
        _ session: WireSession, target: Load.Target, redis: ServerProcess?
    ) throws -> Samples {
        var measurements = [(Contender.semcached, try self.measurement(session, of: target.process))]
        if let redis { measurements += try self.measurements(of: redis) }
        var samples: Samples = [:]
        // Round 0 warms up and is not counted. The order turns round, so that a drift hits nobody more than others.
        for round in 0...self.options.rounds {
            for depth in self.options.depths.values {
                for (contender, measurement) in round.isMultiple(of: 2) ? measurements : measurements.reversed() {
                    let sample = try measurement(depth, self.options.seconds)
                    if round > 0 { samples[depth, default: [:]][contender, default: []].append(sample) }
                }
            }
        }
        return samples
    }

    private var longest: Int { self.options.depths.values.max() ?? 1 }

    private func measurement(_ session: WireSession, of process: ServerProcess?) throws -> Measurement {
        let encoder = ClientMessageEncoder()
        let frames = try self.order.map { WireSession.frame(UInt64($0 + 1), try self.lookup($0), encoder: encoder) }
        let loop = ClosedLoop(
            socket: session.socket, requests: RequestRing(frames, longest: self.longest),
            format: HitReplies(response: self.response))
        try loop.verifyAll()
        return { depth, seconds in try loop.run(depth: depth, seconds: seconds, server: process) }
    }

    private func measurements(of redis: ServerProcess) throws -> [(Contender, Measurement)] {
        let socket = try BlockingSocket(host: "127.0.0.1", port: redis.port)
        try self.fillRedis(socket)
        let gets = self.order.map { Array("*2\r\n$3\r\nGET\r\n$16\r\n\(Self.redisKey($0))\r\n".utf8) }
        let loop = ClosedLoop(
            socket: socket, requests: RequestRing(gets, longest: self.longest),
            format: ValueReplies(response: self.response))
        try loop.verifyAll()
        let benchmark = RedisBenchmark(
            path: self.tool("redis-benchmark"), port: redis.port, core: self.options.clientCore,
            keys: self.options.keys, valueBytes: self.options.responseBytes)
        // It takes a number of requests, not a time; the warm-up's pace says how many.
        var pace: [Int: Double] = [:]
        return [
            (.redis, { depth, seconds in try loop.run(depth: depth, seconds: seconds, server: redis) }),
            (
                .redisBenchmark,
                { depth, seconds in
                    let requests = Int((pace[depth] ?? 20_000) * seconds)
                    let sample = try benchmark.run(depth: depth, requests: requests, server: redis)
                    pace[depth] = sample.rate
                    return sample
                }
            ),
        ]
    }

    private func runOpenLoop(_ session: WireSession, target: Load.Target, rate: Double) throws {
        let encoder = ClientMessageEncoder()
        let order = self.order
        let frames = try (0..<Int(rate * self.options.seconds)).map { number in
            WireSession.frame(UInt64(number + 1), try self.lookup(order[number % order.count]), encoder: encoder)
        }
        let result = try OpenLoop(socket: session.socket, frames: frames, rate: rate).run(server: target.process)
        try result.report(
            "open loop, exact Lookups of \(self.options.keys) keys, response \(self.options.responseBytes) bytes",
            asJSON: self.options.common.json)
    }

    // MARK: Reporting

    private func report(_ samples: Samples) throws {
        var table = Table(
            """
            exact Lookups from memory and Redis GETs: server on core \(self.options.serverCores), 1 connection, \
            generator on core \(self.options.clientCore), \(self.options.keys) keys, responses of \
            \(self.options.responseBytes) bytes; medians of \(self.options.rounds) interleaved rounds of \
            \(self.options.seconds) s, ratios within a round. Latency: first byte sent to last reply of the batch \
            (redis-benchmark: to the first).
            """,
            columns: ["depth, who", "requests/s", "p50 µs", "p99 µs", "server CPU µs/request"])
        for depth in self.options.depths.values {
            guard let measured = samples[depth] else { continue }
            for contender in Contender.allCases {
                guard let runs = measured[contender] else { continue }
                table.add(
                    "\(depth), \(contender.rawValue)", runs.map(\.rate).median.grouped,
                    runs.map(\.p50).median.microseconds, runs.map(\.p99).median.microseconds,
                    (runs.map(\.serverTime).median / 1000).text(3))
            }
            for other in [Contender.redis, .redisBenchmark] {
                guard let ours = measured[.semcached], let theirs = measured[other] else { continue }
                let pairs = Array(zip(ours, theirs))
                func ratio(_ value: KeyPath<Sample, Double>) -> String {
                    pairs.map { $0.0[keyPath: value] / $0.1[keyPath: value] }.median.text(2) + "×"
                }
                table.add(
                    "\(depth), semcached ÷ \(other.rawValue)", ratio(\.rate), ratio(\.p50), ratio(\.p99),
                    ratio(\.serverTime))
            }
        }
        try table.print(asJSON: self.options.common.json)
    }
}
