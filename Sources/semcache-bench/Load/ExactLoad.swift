// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Foundation

/// Lookups that are answered from the server's memory, beside GETs of Redis.
struct ExactLoad {
    private let options: Load
    private let keys: ExactKeys

    init(options: Load) {
        self.options = options
        self.keys = options.exactKeys
    }

    /// Who is measured, how.
    private enum Contender: String, CaseIterable {
        case semcached = "semcached"
        case redis = "redis, same generator"
        case redisBenchmark = "redis, redis-benchmark"
    }

    private typealias Samples = [Int: [Contender: [Sample]]]

    func run() throws {
        let target = try self.options.target(settings: ["server.threads=1"])
        let session = try self.keys.fill(target)
        if let rate = self.options.rate {
            return try self.runOpenLoop(session, target: target, rate: rate)
        }
        let redis =
            self.options.withoutRedis
            ? nil : try ServerProcess.redis(self.tool("redis-server"), cores: self.options.setup.serverCores)
        var contenders = [(Contender.semcached, try self.keys.measurement([session], of: target.process))]
        if let redis { contenders += try self.measurements(of: redis) }
        try self.report(try self.options.turns.measure(contenders))
    }

    // MARK: Redis

    private func tool(_ name: String) -> String { self.options.redisFolder.map { "\($0)/\(name)" } ?? name }

    private func fillRedis(_ socket: BlockingSocket) throws {
        var received = ReceiveBuffer(capacity: 4096)
        for key in 0..<self.options.keys {
            let head = "*3\r\n$3\r\nSET\r\n$16\r\n\(Self.redisKey(key))\r\n$\(self.options.responseBytes)\r\n"
            try (Array(head.utf8) + self.keys.response + Array("\r\n".utf8)).withUnsafeBytes { try socket.send($0) }
            while received.bytes.count < 5 { try received.fill(from: socket) }
            guard received.bytes.elementsEqual("+OK\r\n".utf8) else { throw BenchError("redis refused a SET") }
            received.take(5)
        }
    }

    /// The keys of `redis-benchmark -r`.
    private static func redisKey(_ key: Int) -> String { "key:" + String(format: "%012d", key) }

    private func measurements(of redis: ServerProcess) throws -> [(Contender, Measurement)] {
        let socket = try BlockingSocket(host: "127.0.0.1", port: redis.port)
        try self.fillRedis(socket)
        let gets = self.keys.order.map { Array("*2\r\n$3\r\nGET\r\n$16\r\n\(Self.redisKey($0))\r\n".utf8) }
        let loop = ClosedLoop(
            sockets: [socket], requests: RequestRing(gets, longest: self.keys.longest),
            format: ValueReplies(response: self.keys.response))
        try loop.verifyAll()
        let benchmark = RedisBenchmark(
            path: self.tool("redis-benchmark"), port: redis.port, core: self.options.setup.clientCore,
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

    private func runOpenLoop(_ session: WireSession, target: Target, rate: Double) throws {
        let encoder = ClientMessageEncoder()
        let order = self.keys.order
        let frames = try (0..<Int(rate * self.options.seconds)).map { number in
            WireSession.frame(UInt64(number + 1), try self.keys.lookup(order[number % order.count]), encoder: encoder)
        }
        let result = try OpenLoop(socket: session.socket, frames: frames, rate: rate).run(server: target.process)
        try result.report(
            "open loop, exact Lookups\(self.options.transport) of \(self.options.keys) keys, response \(self.options.responseBytes) bytes",
            asJSON: self.options.common.json)
    }

    // MARK: Reporting

    private func report(_ samples: Samples) throws {
        var table = Table(
            """
            exact Lookups from memory\(self.options.transport) and Redis GETs: server on core \(self.options.setup.serverCores), 1 connection, \
            generator on core \(self.options.setup.clientCore), \(self.options.keys) keys, responses of \
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
