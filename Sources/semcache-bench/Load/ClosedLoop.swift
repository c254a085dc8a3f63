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
}

/// Keeps a number of requests in flight on one connection: sends so many in one write, waits for all of the replies,
/// and does it again. `redis-benchmark -c 1 -P depth` does the same.
final class ClosedLoop<Format: ReplyFormat> {
    /// One in so many batches has its first reply looked at in full.
    private static var verifiedShare: Int { 64 }

    private let socket: BlockingSocket
    private let requests: RequestRing
    private let format: Format
    private var received = ReceiveBuffer(capacity: 1 << 20)
    private var position = 0

    init(socket: BlockingSocket, requests: RequestRing, format: Format) {
        self.socket = socket
        self.requests = requests
        self.format = format
    }

    /// Sends every request once and checks every reply in full; brings the entries into the server's memory.
    func verifyAll() throws(BenchError) {
        for _ in 0..<self.requests.count { try self.exchange(depth: 1, isVerified: true) }
    }

    /// Runs for a time.
    ///
    /// - Parameter depth: Requests in flight.
    func run(depth: Int, seconds: Double, server: ServerProcess?) throws(BenchError) -> Sample {
        var latencies = Latencies()
        let cpuBefore = server?.cpuNanoseconds ?? 0
        let start = Machine.now
        let end = start + UInt64(seconds * 1e9)
        var batchStart = start
        var batches = 0
        while batchStart < end {
            try self.exchange(depth: depth, isVerified: batches.isMultiple(of: Self.verifiedShare))
            let now = Machine.now
            latencies.record(now - batchStart)
            batchStart = now
            batches += 1
        }
        let count = Double(batches * depth)
        var sample = Sample(rate: count / (Double(batchStart - start) / 1e9), p50: latencies.p50, p99: latencies.p99)
        if let server { sample.serverTime = Double(server.cpuNanoseconds - cpuBefore) / count }
        return sample
    }

    @inline(__always)
    private func exchange(depth: Int, isVerified: Bool) throws(BenchError) {
        try self.socket.send(self.requests.run(from: self.position, count: depth))
        self.position = (self.position + depth) % self.requests.count
        var missing = depth
        while missing > 0 {
            try self.received.fill(from: self.socket)
            var taken = 0
            let bytes = self.received.bytes
            while missing > 0,
                let length = try self.format.length(of: UnsafeRawBufferPointer(rebasing: bytes[taken...]))
            {
                if isVerified, missing == depth {
                    try self.format.verify(UnsafeRawBufferPointer(rebasing: bytes[taken..<taken + length]))
                }
                taken += length
                missing -= 1
            }
            self.received.take(taken)
        }
        guard self.received.bytes.isEmpty else { throw BenchError("the server sent more replies than requests") }
    }
}
