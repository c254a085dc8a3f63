// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport
import Testing

@Suite struct HostileInputTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    /// The bytes of a client's hello.
    private func hello() throws -> [UInt8] {
        let end = try End(self.parties.clientContext(), peerName: "localhost")
        try end.connect()
        return try Array(end.written().readableBytesView)
    }

    /// A server that these bytes have come to.
    private func server(after bytes: some Collection<UInt8>) throws -> End {
        let end = try End(self.parties.serverContext())
        try end.connect()
        try end.channel.writeInbound(ByteBuffer(bytes: bytes))
        return end
    }

    @Test(arguments: [
        ("plain HTTP", Array("GET / HTTP/1.1\r\nHost: cache\r\n\r\n".utf8), TLSError.Code.notTLS),
        ("a proxy's request", Array("CONNECT cache:7070 HTTP/1.1\r\n\r\n".utf8), .notTLS),
        ("the native protocol", [0, 0, 0, 0, 5, 10, 3, 1, 2, 3], .notTLS),
        ("Redis", Array("*1\r\n$4\r\nPING\r\n".utf8), .notTLS),
        ("noise", Array(repeating: 0xff, count: 64), .notTLS),
        (
            "an SSLv2 hello", [0x80, 0x2e, 1, 0, 2, 0, 21, 0, 0, 0, 16] + Array(repeating: 1, count: 37),
            .unsupportedVersion
        ),
        (
            "SSL 3.0",
            [22, 3, 0, 0, 47, 1, 0, 0, 43, 3, 0] + Array(repeating: 1, count: 32) + [0, 0, 4, 0, 5, 0, 10, 1, 0],
            .unsupportedVersion
        ),
        (
            "TLS 1.1",
            [22, 3, 1, 0, 47, 1, 0, 0, 43, 3, 2] + Array(repeating: 1, count: 32) + [0, 0, 4, 0xc0, 0x13, 0, 10, 1, 0],
            .unsupportedVersion
        ),
        ("a huge record", [22, 3, 1, 0xff, 0xff] + Array(repeating: 1, count: 100), .protocolViolation),
        (
            "a huge hello", [22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff] + Array(repeating: 1, count: 0x3ffc),
            .limitExceeded
        ),
        ("data before the handshake", [23, 3, 3, 0, 5, 1, 2, 3, 4, 5], .protocolViolation),
        ("an empty hello", [22, 3, 1, 0, 4, 1, 0, 0, 0], .protocolViolation),
        ("an alert", [21, 3, 3, 0, 2, 2, 40], .protocolViolation),
    ])
    func `what is no handshake is refused, told once, and closed`(what: String, bytes: [UInt8], fault: TLSError.Code)
        throws
    {
        let end = try self.server(after: bytes)
        #expect(end.recorder.faults == [fault])
        #expect(!end.channel.isActive)
        #expect(end.recorder.received.isEmpty)
    }

    @Test func `a peer that speaks TLS is told by an alert`() throws {
        let hello =
            [22, 3, 1, 0, 47, 1, 0, 0, 43, 3, 2] + Array(repeating: 1, count: 32) + [0, 0, 4, 0xc0, 0x13, 0, 10, 1, 0]
        let end = try self.server(after: hello.map { UInt8($0) })
        // protocol_version
        let alert = try Array(end.written().readableBytesView)
        #expect(alert == [21, 3, 2, 0, 2, 2, 70])
    }

    @Test func `a hello that stops anywhere only waits`() throws {
        let hello = try self.hello()
        for count in 0..<hello.count {
            let end = try self.server(after: hello.prefix(count))
            #expect(end.channel.isActive && end.recorder.errors.isEmpty)
            #expect(try end.written().readableBytes == 0)
        }
    }

    @Test(arguments: 0..<8) func `noise never gets through`(seed: UInt64) throws {
        var random = SeededGenerator(seed)
        for _ in 0..<60 {
            let end = try End(self.parties.serverContext())
            try end.connect()
            for _ in 0..<random.int(1...6) {
                try end.channel.writeInbound(ByteBuffer(bytes: random.bytes(random.int(1...400))))
            }
            #expect(end.recorder.handshakes.isEmpty && end.recorder.received.isEmpty)
            #expect(end.recorder.errors.count <= 1)
        }
    }

    @Test(arguments: 0..<8) func `a hello with bytes changed never traps`(seed: UInt64) throws {
        var random = SeededGenerator(seed)
        let hello = try self.hello()
        for _ in 0..<60 {
            var changed = hello
            for _ in 0..<random.int(1...4) { changed[random.int(0...changed.count - 1)] = random.bytes(1)[0] }
            let end = try self.server(after: changed)
            #expect(end.recorder.handshakes.isEmpty)
            #expect(end.recorder.errors.count == (end.channel.isActive ? 0 : 1))
        }
    }

    @Test(arguments: 0..<8) func `bytes changed on the way end the connection and change no data`(seed: UInt64) throws {
        var random = SeededGenerator(seed)
        for _ in 0..<10 {
            let pair = try self.parties.connected()
            let sent = random.bytes(random.int(1...40_000))
            pair.client.send(sent)
            var bytes = try Array(pair.client.written().readableBytesView)
            bytes[random.int(0...bytes.count - 1)] ^= UInt8(1 << random.int(0...7))
            try pair.server.channel.writeInbound(ByteBuffer(bytes: bytes))
            #expect(sent.starts(with: pair.server.recorder.received))
            #expect(pair.server.recorder.received.count < sent.count)
            // Only a length that has grown waits for more.
            #expect(pair.server.recorder.errors.count == (pair.server.channel.isActive ? 0 : 1))
        }
    }

    @Test func `records in another order end the connection`() throws {
        let pair = try self.parties.connected()
        pair.client.send("one")
        let first = try pair.client.written()
        pair.client.send("two")
        try pair.server.channel.writeInbound(pair.client.written())
        #expect(pair.server.recorder.faults == [.protocolViolation])
        #expect(pair.server.recorder.received.isEmpty)
        _ = first
    }

    @Test func `a handshake of more bytes than are allowed is given up`() throws {
        let end = try End(self.parties.serverContext())
        try end.connect()
        // Empty fragments would be refused, so each has a byte of a hello that never ends.
        var bytes = ByteBuffer(bytes: [22, 3, 1, 0, 4, 1, 0, 0x3f, 0xff])
        for _ in 0..<0x3ff0 { bytes.writeBytes([22, 3, 1, 0, 1, 0]) }
        while bytes.readableBytes > 0, end.channel.isActive {
            try end.channel.writeInbound(bytes.readSlice(length: min(1000, bytes.readableBytes)))
        }
        #expect(end.recorder.faults == [.limitExceeded])
        #expect(!end.channel.isActive)
        let limit = TLSLimits.maximumHandshakeBytesWithoutCertificate
        #expect((limit...limit + 2000).contains(0x3ff0 * 6 + 9 - bytes.readableBytes))
    }

    @Test func `a hello that says it is too long is refused before it comes`() throws {
        let end = try self.server(after: [22, 3, 1, 0x40, 0, 1, 0, 0x40, 0])
        #expect(end.channel.isActive)
        let longer = try self.server(after: [22, 3, 1, 0x40, 0, 1, 0, 0x40, 1])
        #expect(longer.recorder.faults == [.limitExceeded])
    }

    @Test func `what comes after a fault is dropped`() throws {
        let end = try self.server(after: [UInt8](repeating: 0xff, count: 64))
        end.channel.pipeline.fireChannelRead(ByteBuffer(string: "more"))
        end.channel.pipeline.fireChannelReadComplete()
        #expect(end.recorder.errors.count == 1)
        #expect(end.recorder.received.isEmpty)
    }

    @Test func `a server that shuns the protocol is refused by a client`() throws {
        for bytes in [Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), Array(repeating: 0, count: 64)] {
            let end = try End(self.parties.clientContext(), peerName: "localhost")
            try end.connect()
            try end.channel.writeInbound(ByteBuffer(bytes: bytes))
            #expect(end.recorder.faults == [.notTLS])
        }
    }
}
