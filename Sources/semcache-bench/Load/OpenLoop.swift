// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire

/// Sends each request when its time has come, whether or not earlier ones were answered.
///
/// A latency counts from the time at which the request was *due*. So a server that stalls is charged for every request
/// that it kept from being sent, without the guess that correcting afterwards has to make.
final class OpenLoop {
    /// The server stops reading beyond it, and the write would block.
    private static let maximumInFlight = Limits.maximumCallsInFlight - 1

    private let socket: BlockingSocket
    private let requests: RequestRing
    private let rate: Double
    private var received = ReceiveBuffer(capacity: 4 << 20)

    /// What came of it.
    struct Result {
        let rate: Double
        var sinceDue = Latencies()
        var sinceSent = Latencies()
        var hits = 0
        var requests = 0
        var seconds = 0.0
        var serverTime = 0.0

        func report(_ title: String, asJSON: Bool) throws {
            var table = Table(
                """
                \(title): \(self.rate.grouped) requests/s asked for, \
                \((Double(self.requests) / self.seconds).grouped) answered over \(self.seconds.text(1)) s, \
                \(self.hits) hits of \(self.requests), server CPU \((self.serverTime / 1000).text(2)) µs/request
                """,
                columns: ["latency µs", "p50", "p90", "p99", "p99.9", "max"])
            for (name, times) in [("since due (corrected)", self.sinceDue), ("since sent", self.sinceSent)] {
                table.add(
                    name, times.p50.microseconds, times.percentile(90).microseconds, times.p99.microseconds,
                    times.percentile(99.9).microseconds, times.maximum.microseconds)
            }
            try table.print(asJSON: asJSON)
        }
    }

    /// - Parameters:
    ///   - frames: Of Lookups whose call ids are 1, 2, 3…
    ///   - rate: Requests per second.
    init(socket: BlockingSocket, frames: [[UInt8]], rate: Double) {
        self.socket = socket
        self.requests = RequestRing(frames, longest: 1)
        self.rate = rate
    }

    func run(server: ServerProcess?) throws(BenchError) -> Result {
        var result = Result(rate: self.rate)
        var sentAt = [UInt64](repeating: 0, count: self.requests.count)
        let cpuBefore = server?.cpuNanoseconds ?? 0
        let interval = 1e9 / self.rate
        let start = Machine.now + 1_000_000
        var sent = 0
        while result.requests < self.requests.count {
            let now = Machine.now
            let first = sent
            while sent < self.requests.count, start + UInt64(Double(sent) * interval) <= now,
                sent - result.requests < Self.maximumInFlight
            {
                sentAt[sent] = now
                sent += 1
            }
            if sent > first { try self.socket.send(self.requests.run(from: first, count: sent - first)) }
            // Asks instead of sleeping: this thread has its core for itself, and a timer would be late.
            guard self.socket.isReadable else { continue }
            try self.received.fill(from: self.socket)
            let arrived = Machine.now
            while let reply = try self.nextReply() {
                let due = start + UInt64(Double(reply.id - 1) * interval)
                result.sinceDue.record(arrived - due)
                result.sinceSent.record(arrived - sentAt[Int(reply.id - 1)])
                result.requests += 1
                if reply.outcome <= ReplyHead.semanticHit { result.hits += 1 }
            }
        }
        result.seconds = Double(Machine.now - start) / 1e9
        if let server { result.serverTime = Double(server.cpuNanoseconds - cpuBefore) / Double(self.requests.count) }
        return result
    }

    private func nextReply() throws(BenchError) -> ReplyHead? {
        let bytes = self.received.bytes
        guard let length = ReplyHead.frameBytes(bytes) else { return nil }
        guard let head = ReplyHead(UnsafeRawBufferPointer(rebasing: bytes[..<length])),
            head.id >= 1, head.id <= UInt64(self.requests.count)
        else { throw BenchError("the server refused a Lookup") }
        self.received.take(length)
        return head
    }
}
