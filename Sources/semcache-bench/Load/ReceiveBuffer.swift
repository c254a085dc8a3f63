// SPDX-License-Identifier: Apache-2.0

/// Bytes that arrived and were not yet taken.
struct ReceiveBuffer: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    init(capacity: Int) { self.memory = .allocate(byteCount: capacity, alignment: 64) }

    deinit { self.memory.deallocate() }

    /// What has not been taken.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self.memory[self.start..<self.end]) }

    mutating func take(_ count: Int) {
        self.start += count
        if self.start == self.end { (self.start, self.end) = (0, 0) }
    }

    /// Waits for more.
    mutating func fill(from socket: BlockingSocket) throws(BenchError) {
        if self.start > 0, self.memory.count - self.end < self.memory.count / 2 {
            self.memory.copyMemory(from: self.bytes)
            (self.start, self.end) = (0, self.end - self.start)
        }
        guard self.end < self.memory.count else { throw BenchError("a reply is larger than any should be") }
        self.end += try socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: self.memory[self.end...]))
    }
}
