// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Foundation

/// A mixed load on one service and on two, each on a core of its own.
struct ReplicaThroughput {
    let options: Replicas
    private static let cache = "bench-mixed"
    /// Entries that are looked up by the same prompt.
    private static let entries = 2_000
    /// Entries that are stored again and again, others than those.
    private static let changing = 500
    /// Distinct requests.
    private static let requests = 20_000
    /// Connections to each service.
    private static let connections = 4

    init(options: Replicas) { self.options = options }

    private struct Outcome {
        let rate: Double
        /// Nanoseconds of processor time per call.
        let serverTime: Double
        let clientTime: Double
    }

    func run() throws {
        var samples: [Int: [Outcome]] = [:]
        for round in 0..<self.options.rounds {
            for count in round.isMultiple(of: 2) ? [1, 2] : [2, 1] {
                samples[count, default: []].append(try self.measure(count, round: round))
            }
        }
        var table = Table(
            """
            mixed load: 80 % Lookups that memory answers, 15 % by meaning (a new text, which is embedded and searched), 5 % \
            Stores. Each service has one core (0, 1) and one thread of each kind; the generator is on core \
            \(self.options.setup.clientCore) and Redis where the system puts it, so that with \(Machine.cores) cores all of \
            them compete. Medians of \(self.options.rounds) rounds of \(self.options.seconds) s, \(self.options.depth) \
            requests in flight at each service; ratios within a round
            """,
            columns: [
                "services", "calls/s", "server CPU µs/call", "generator CPU µs/call", "calls/s if cores were free",
            ])
        for count in [1, 2] {
            guard let runs = samples[count] else { continue }
            table.add(
                "\(count)", runs.map(\.rate).median.grouped, (runs.map(\.serverTime).median / 1000).text(1),
                (runs.map(\.clientTime).median / 1000).text(1),
                runs.map { Self.capacity($0, count) }.median.grouped)
        }
        let pairs = Array(zip(samples[2] ?? [], samples[1] ?? []))
        func ratio(_ value: (Outcome, Int) -> Double) -> String {
            pairs.map { value($0.0, 2) / value($0.1, 1) }.median.text(2) + "×"
        }
        table.add(
            "2 ÷ 1", ratio { outcome, _ in outcome.rate }, ratio { outcome, _ in outcome.serverTime },
            ratio { outcome, _ in outcome.clientTime }, ratio(Self.capacity))
        try table.print(asJSON: self.options.common.json)
    }

    /// Calls per second of so many services that have nothing else on their cores.
    private static func capacity(_ outcome: Outcome, _ count: Int) -> Double {
        Double(count) * 1e9 / outcome.serverTime
    }

    private func measure(_ count: Int, round: Int) throws -> Outcome {
        let servers = try self.options.start(
            cores: (0..<count).map { "\($0 % Machine.cores)" }, settings: ["server.threads=1"])
        let sessions = try servers.flatMap { server in
            try (0..<Self.connections).map { _ in try WireSession(Target(server, tls: nil), bufferBytes: 1 << 20) }
        }
        try self.fill(sessions)
        let requests = RequestRing(try self.frames(round: round), longest: self.options.depth)
        let loop = ClosedLoop(sockets: sessions.map(\.socket), requests: requests, format: AnyReplies())
        let depth = max(1, self.options.depth / Self.connections)
        _ = try loop.run(depth: depth, seconds: 1, server: nil)
        let before = servers.map(\.cpuNanoseconds).reduce(0, +)
        let start = Machine.now
        let sample = try loop.run(depth: depth, seconds: self.options.seconds, server: nil)
        let elapsed = Double(Machine.now - start) / 1e9
        let used = Double(servers.map(\.cpuNanoseconds).reduce(0, +) - before)
        return Outcome(
            rate: sample.rate, serverTime: used / (sample.rate * elapsed), clientTime: sample.clientTime)
    }

    private func prompt(_ kind: String, _ number: Int) throws -> Prompt {
        .text(try CanonicalPrompt("how long does a \(kind) to account number \(100_000 + number) take?"))
    }

    private func store(_ kind: String, _ number: Int) throws -> ServiceRequest {
        .store(
            StoreRequest(
                cache: Self.cache, prompt: try self.prompt(kind, number),
                response: [UInt8](repeating: UInt8(ascii: "a"), count: 512)))
    }

    /// Stores the entries once, and brings them into the memory of each service.
    private func fill(_ sessions: [WireSession]) throws {
        try sessions[0].callAll(Self.entries, window: 64) {
            try self.store("transfer", $0)
        } reply: { _, _ in
        }
        for session in sessions {
            try session.callAll(Self.entries, window: 16) {
                .lookup(LookupRequest(cache: Self.cache, prompt: try self.prompt("transfer", $0), mode: .exact))
            } reply: { _, response in
                guard case .lookup(.hit) = response else { throw BenchError("an entry just stored is not found") }
            }
        }
    }

    private func frames(round: Int) throws -> [[UInt8]] {
        let encoder = ClientMessageEncoder()
        var generator = SeededGenerator(seed: UInt64(round))
        return try (0..<Self.requests).map { number in
            let request: ServiceRequest
            switch Int.random(in: 0..<100, using: &generator) {
            case 0..<80:
                let prompt = try self.prompt("transfer", Int.random(in: 0..<Self.entries, using: &generator))
                request = .lookup(LookupRequest(cache: Self.cache, prompt: prompt, mode: .exact))
            case 80..<95:
                // Of another round, or of the other server, they would be known.
                let text = "round \(round), question \(number): how much time does transfer number \(number) need?"
                request = .lookup(LookupRequest(cache: Self.cache, prompt: .text(try CanonicalPrompt(text))))
            default:
                request = try self.store("refund", Int.random(in: 0..<Self.changing, using: &generator))
            }
            return WireSession.frame(UInt64(number + 1), request, encoder: encoder)
        }
    }
}

/// Whatever is no error.
private struct AnyReplies: ReplyFormat {
    private let decoder = ServerMessageDecoder()

    @inline(__always)
    func length(of bytes: UnsafeRawBufferPointer) throws(BenchError) -> Int? {
        guard let frame = ReplyHead.frameBytes(bytes) else { return nil }
        let head = ReplyHead(UnsafeRawBufferPointer(rebasing: bytes[..<frame]))
        // Of a Store there is none.
        if let head, head.code != 0 { try self.verify(UnsafeRawBufferPointer(rebasing: bytes[..<frame])) }
        return frame
    }

    func verify(_ reply: UnsafeRawBufferPointer) throws(BenchError) {
        let body = UnsafeRawBufferPointer(rebasing: reply[FrameReader.headerBytes...])
        guard case .reply(let reply)? = try? self.decoder.decode(body) else {
            throw BenchError("semcached sent what is no reply")
        }
        if case .failure(let error) = reply.result { throw BenchError("the server refused a call: \(error)") }
    }
}
