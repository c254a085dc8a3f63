// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire

/// Lookups on one connection that leave when their time has come, whether or not earlier ones were answered. One thread
/// can drive several.
///
/// A latency counts from the time at which the request was *due*. So a server that stalls is charged for every request
/// that it kept from being sent, without the guess that correcting afterwards has to make.
final class Flow {
    /// When a request is due.
    enum Pace {
        /// So many per second, evenly.
        case even(Double)
        /// So many per second, each at a random time of its turn: two flows of one rate do not keep step.
        case uneven(Double, seed: UInt64)
        /// Whenever fewer than so many are in flight.
        case inFlight(Int)
    }

    /// What came of it.
    struct Result {
        /// Of answers; refusals are only counted.
        var sinceDue = Latencies()
        var sinceSent = Latencies()
        var answers = 0
        var hits = 0
        var refusals = 0

        mutating func add(_ other: Self) {
            self.sinceDue.add(other.sinceDue)
            self.sinceSent.add(other.sinceSent)
            self.answers += other.answers
            self.hits += other.hits
            self.refusals += other.refusals
        }
    }

    /// The server stops reading beyond it, and the write would block.
    private static let maximumInFlight = Limits.maximumCallsInFlight - 1

    private(set) var result = Result()
    private let socket: BlockingSocket
    private let requests: RequestRing
    private let pace: Pace
    private let mayBeRefused: Bool
    private var received = ReceiveBuffer(capacity: 4 << 20)
    private var start: UInt64 = 0
    private var sent = 0
    private var sentAt: [UInt64]

    /// - Parameters:
    ///   - socket: With nothing in flight.
    ///   - frames: Of Lookups whose call ids are 1, 2, 3…
    ///   - mayBeRefused: Whether `RESOURCE_EXHAUSTED` is an answer.
    init(socket: BlockingSocket, frames: [[UInt8]], pace: Pace, mayBeRefused: Bool = false) {
        self.socket = socket
        self.requests = RequestRing(frames, longest: 1)
        self.pace = pace
        self.mayBeRefused = mayBeRefused
        self.sentAt = Array(repeating: 0, count: frames.count)
    }

    /// Runs a flow to its end, and others beside it for as long.
    ///
    /// - Returns: Seconds.
    @discardableResult
    static func run(_ flow: Flow, beside others: [Flow] = []) throws(BenchError) -> Double {
        let start = Machine.now + 1_000_000
        for flow in [flow] + others { flow.start = start }
        while flow.inFlight > 0 || !flow.isAllSent {
            try flow.step()
            for other in others { try other.step() }
        }
        let seconds = Double(Machine.now - start) / 1e9
        for other in others {
            while other.inFlight > 0 { try other.receive() }
        }
        return seconds
    }

    var isAllSent: Bool { self.sent == self.requests.count }
    private var inFlight: Int { self.sent - self.result.answers - self.result.refusals }

    /// Sends what is due and takes what has come.
    private func step() throws(BenchError) {
        let now = Machine.now
        let first = self.sent
        while !self.isAllSent, self.mayLeave(at: now) {
            self.sentAt[self.sent] = now
            self.sent += 1
        }
        if self.sent > first { try self.socket.send(self.requests.run(from: first, count: self.sent - first)) }
        // Asks instead of sleeping: this thread has its core for itself, and a timer would be late.
        if self.socket.isReadable { try self.receive() }
    }

    private func mayLeave(at now: UInt64) -> Bool {
        if case .inFlight(let limit) = self.pace { return self.inFlight < limit && now >= self.start }
        return self.inFlight < Self.maximumInFlight && now >= self.due(self.sent)
    }

    private func due(_ position: Int) -> UInt64 {
        switch self.pace {
        case .even(let rate): return self.start + UInt64(Double(position) * (1e9 / rate))
        case .uneven(let rate, let seed):
            var generator = SeededGenerator(seed: seed << 32 | UInt64(position))
            return self.start + UInt64((Double(position) + Double(generator.uniform())) * (1e9 / rate))
        case .inFlight: return self.sentAt[position]
        }
    }

    private func receive() throws(BenchError) {
        try self.received.fill(from: self.socket)
        let now = Machine.now
        while let reply = try self.nextReply() {
            if reply.code != 0 {
                self.result.refusals += 1
                continue
            }
            let position = Int(reply.id - 1)
            self.result.sinceDue.record(now - self.due(position))
            self.result.sinceSent.record(now - self.sentAt[position])
            self.result.answers += 1
            if reply.isHit { self.result.hits += 1 }
        }
    }

    private func nextReply() throws(BenchError) -> ReplyHead? {
        let bytes = self.received.bytes
        guard let length = ReplyHead.frameBytes(bytes) else { return nil }
        guard let head = ReplyHead(UnsafeRawBufferPointer(rebasing: bytes[..<length])),
            head.id >= 1, head.id <= UInt64(self.sent),
            head.code == 0 || self.mayBeRefused && head.code == CacheError.Code.resourceExhausted.rawValue
        else { throw BenchError("the server refused a Lookup") }
        self.received.take(length)
        return head
    }
}
