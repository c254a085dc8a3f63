// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A TCP connection over plain blocking calls: what costs a client least.
final class BlockingSocket {
    let descriptor: Int32

    /// Connects to an IPv4 address.
    ///
    /// - Throws: ``BenchError`` if nothing listens there.
    init(host: String, port: Int) throws(BenchError) {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        let isParsed = inet_pton(AF_INET, host, &address.sin_addr) == 1
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(self.descriptor, $0, length) }
        }
        guard isParsed, status == 0 else { throw BenchError("nothing answers at \(host):\(port)") }
        var isOn: Int32 = 1
        setsockopt(self.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(self.descriptor) }

    /// Writes all of the bytes.
    func send(_ bytes: UnsafeRawBufferPointer) throws(BenchError) {
        var sent = 0
        while sent < bytes.count {
            let count = write(self.descriptor, bytes.baseAddress! + sent, bytes.count - sent)
            guard count > 0 else { throw BenchError("the server has closed the connection") }
            sent += count
        }
    }

    /// Waits for bytes and reads as many as fit.
    ///
    /// - Returns: At least 1.
    func receive(into room: UnsafeMutableRawBufferPointer) throws(BenchError) -> Int {
        let count = read(self.descriptor, room.baseAddress!, room.count)
        guard count > 0 else { throw BenchError("the server has closed the connection") }
        return count
    }

    /// Whether there are bytes to read now.
    var isReadable: Bool {
        var request = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) == 1
    }

    /// Finds a port that nobody listens on now.
    static func freePort() throws(BenchError) -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) | getsockname(descriptor, address, &length)
            }
        }
        guard status == 0 else { throw BenchError("no port is free") }
        return Int(in_port_t(bigEndian: address.sin_port))
    }
}

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
