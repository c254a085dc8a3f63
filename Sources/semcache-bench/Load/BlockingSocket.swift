// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import OpenSSLTLS

/// A TCP connection over plain blocking calls: what costs a client least. With TLS on top if asked for.
final class BlockingSocket {
    let descriptor: Int32
    private let tls: RecordLayer?

    /// Connects to an IPv4 address.
    ///
    /// - Throws: ``BenchError`` if nothing listens there, or the handshake fails.
    init(host: String, port: Int, tls: TLSContext? = nil) throws(BenchError) {
        self.tls = if let tls { try RecordLayer(tls, peerName: host, port: port) } else { nil }
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        let isParsed = inet_pton(AF_INET, host, &address.sin_addr) == 1
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(self.descriptor, $0, length) }
        }
        guard isParsed, status == 0 else { throw Self.unreachable(host, port, isParsed ? errno : EINVAL) }
        var isOn: Int32 = 1
        setsockopt(self.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
        try self.handshake()
    }

    private static func unreachable(_ host: String, _ port: Int, _ number: Int32) -> BenchError {
        switch number {
        case EADDRNOTAVAIL: BenchError("no source port is left for another connection to \(host):\(port)")
        case EBADF: BenchError("this process may not open more files")
        default: BenchError("nothing answers at \(host):\(port)")
        }
    }

    deinit { close(self.descriptor) }

    /// Writes all of the bytes.
    func send(_ bytes: UnsafeRawBufferPointer) throws(BenchError) {
        guard let tls else { return try self.write(bytes) }
        try tls.encrypt(bytes)
        try self.sendOutgoing(of: tls)
    }

    /// Waits for bytes and reads as many as fit.
    ///
    /// - Returns: At least 1.
    func receive(into room: UnsafeMutableRawBufferPointer) throws(BenchError) -> Int {
        guard let tls else { return try self.read(into: room) }
        while !tls.hasPlaintext { try self.receive(for: tls) }
        return tls.takePlaintext(into: room)
    }

    /// Whether there are bytes to read now.
    var isReadable: Bool {
        if let tls, tls.hasPlaintext { return true }
        var request = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) == 1
    }

    // MARK: TLS

    private func handshake() throws(BenchError) {
        guard let tls else { return }
        try self.sendOutgoing(of: tls)
        while !tls.isEstablished { try self.receive(for: tls) }
    }

    private func sendOutgoing(of tls: RecordLayer) throws(BenchError) {
        let outgoing = tls.takeOutgoing()
        guard outgoing.readableBytes > 0 else { return }
        guard outgoing.withUnsafeReadableBytes({ self.writeAll($0) }) else { throw Self.closed }
    }

    private func receive(for tls: RecordLayer) throws(BenchError) {
        let count = try self.read(into: tls.room)
        try tls.decrypt(count)
        try self.sendOutgoing(of: tls)
    }

    // MARK: The socket

    private static var closed: BenchError { BenchError("the server has closed the connection") }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(BenchError) {
        guard self.writeAll(bytes) else { throw Self.closed }
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = Glibc.write(self.descriptor, bytes.baseAddress! + sent, bytes.count - sent)
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private func read(into room: UnsafeMutableRawBufferPointer) throws(BenchError) -> Int {
        let count = Glibc.read(self.descriptor, room.baseAddress!, room.count)
        guard count > 0 else { throw Self.closed }
        return count
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
