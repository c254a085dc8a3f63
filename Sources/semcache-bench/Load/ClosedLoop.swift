// SPDX-License-Identifier: Apache-2.0

/// Requests in wire form, one behind the other, so that any number of them from any place is one write.
final class RequestRing {
    private let bytes: UnsafeMutableRawBufferPointer
    private let offsets: [Int]
    /// Distinct requests.
    let count: Int

    /// - Parameter longest: The longest run that will be asked for.
    init(_ requests: [[UInt8]], longest: Int) {
        precondition(!requests.isEmpty && longest <= requests.count, "a run meets no request twice")
        self.count = requests.count
        let all = requests + requests.prefix(longest)
        self.offsets = all.reduce(into: [0]) { $0.append($0.last! + $1.count) }
        self.bytes = .allocate(byteCount: self.offsets.last!, alignment: 64)
        for (request, offset) in zip(all, self.offsets) {
            UnsafeMutableRawBufferPointer(rebasing: self.bytes[offset...]).copyBytes(from: request)
        }
    }

    deinit { self.bytes.deallocate() }

    /// Lends the bytes of some requests in a row; the ring must outlive them.
    @inline(__always)
    func run(from start: Int, count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self.bytes[self.offsets[start]..<self.offsets[start + count]])
    }
}

/// What one measurement gave.
struct Sample {
    /// Requests per second.
    var rate = 0.0
    /// Nanoseconds from the write of a batch to its last reply.
    var p50 = 0.0
    var p99 = 0.0
    /// Processor time of the server per request, nanoseconds; 0 if not known.
    var serverTime = 0.0
    /// Processor time of the generator's thread per request, nanoseconds; 0 if not known.
    var clientTime = 0.0
}

/// Keeps a number of requests in flight on each of some connections: sends so many in one write, waits for all of the
/// replies, and does it again, one connection after the other. `redis-benchmark -c 1 -P depth` does the same with one.
final class ClosedLoop<Format: ReplyFormat> {
    /// One in so many batches has its first reply looked at in full.
    private static var verifiedShare: Int { 64 }

    private let lanes: [Lane]
    private let requests: RequestRing
    private let format: Format
    private var position = 0

    init(sockets: [BlockingSocket], requests: RequestRing, format: Format) {
        self.lanes = sockets.map { Lane($0) }
        self.requests = requests
        self.format = format
    }

    /// Sends every request once and checks every reply in full; brings the entries into the server's memory.
    func verifyAll() throws(BenchError) {
        for lane in self.lanes {
            for _ in 0..<self.requests.count {
                try self.send(1, on: lane)
                try self.receive(on: lane, isVerified: true)
            }
        }
    }

    /// Runs for a time.
    ///
    /// - Parameter depth: Requests in flight on each connection.
    func run(depth: Int, seconds: Double, server: ServerProcess?) throws(BenchError) -> Sample {
        var latencies = Latencies()
        let cpuBefore = server?.cpuNanoseconds ?? 0
        let ownBefore = Machine.threadTime
        let start = Machine.now
        let end = start + UInt64(seconds * 1e9)
        var now = start
        var batches = 0
        for lane in self.lanes { try self.send(depth, on: lane) }
        var waiting = self.lanes.count
        while waiting > 0 {
            let lane = self.lanes[batches % self.lanes.count]
            try self.receive(on: lane, isVerified: batches.isMultiple(of: Self.verifiedShare))
            now = Machine.now
            latencies.record(now - lane.sentAt)
            batches += 1
            if now < end { try self.send(depth, on: lane) } else { waiting -= 1 }
        }
        let count = Double(batches * depth)
        var sample = Sample(rate: count / (Double(now - start) / 1e9), p50: latencies.p50, p99: latencies.p99)
        sample.clientTime = Double(Machine.threadTime - ownBefore) / count
        if let server { sample.serverTime = Double(server.cpuNanoseconds - cpuBefore) / count }
        return sample
    }

    @inline(__always)
    private func send(_ count: Int, on lane: Lane) throws(BenchError) {
        lane.sentAt = Machine.now
        lane.missing = count
        try lane.socket.send(self.requests.run(from: self.position, count: count))
        self.position = (self.position + count) % self.requests.count
    }

    @inline(__always)
    private func receive(on lane: Lane, isVerified: Bool) throws(BenchError) {
        var isVerified = isVerified
        while lane.missing > 0 {
            try lane.received.fill(from: lane.socket)
            var taken = 0
            let bytes = lane.received.bytes
            while lane.missing > 0,
                let length = try self.format.length(of: UnsafeRawBufferPointer(rebasing: bytes[taken...]))
            {
                if isVerified {
                    try self.format.verify(UnsafeRawBufferPointer(rebasing: bytes[taken..<taken + length]))
                    isVerified = false
                }
                taken += length
                lane.missing -= 1
            }
            lane.received.take(taken)
        }
        guard lane.received.bytes.isEmpty else { throw BenchError("the server sent more replies than requests") }
    }
}

/// A connection, and what is in flight on it.
private final class Lane {
    let socket: BlockingSocket
    var received = ReceiveBuffer(capacity: 1 << 20)
    var missing = 0
    /// ``Machine/now`` when the batch that is in flight left.
    var sentAt: UInt64 = 0

    init(_ socket: BlockingSocket) { self.socket = socket }
}
