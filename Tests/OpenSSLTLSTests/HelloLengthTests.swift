// SPDX-License-Identifier: Apache-2.0

import NIOCore
import TestSupport
import Testing

@testable import OpenSSLTLS

@Suite struct HelloLengthTests {
    /// A hello of this many bytes behind its first four.
    private static func hello(_ count: Int) -> [UInt8] {
        [1, UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255)] + [UInt8](repeating: 0xaa, count: count)
    }

    private static func records(_ message: [UInt8], type: UInt8 = 22, of count: Int = 1000) -> [UInt8] {
        stride(from: 0, to: message.count, by: count).flatMap { start -> [UInt8] in
            let part = message[start..<min(start + count, message.count)]
            return [type, 3, 3, UInt8(part.count >> 8), UInt8(part.count & 255)] + part
        }
    }

    private static func accepts(_ bytes: [UInt8], in piece: Int, isVersion12: Bool = false) -> Bool {
        var length = HelloLength()
        var buffer = ByteBuffer(bytes: bytes)
        while let next = buffer.readSlice(length: min(piece, buffer.readableBytes)), next.readableBytes > 0 {
            if length.read(next.readableBytesView, isVersion12: isVersion12) != nil { return false }
        }
        return true
    }

    private static let longest = hello(TLSLimits.maximumHelloBytes)
    private static let longer = hello(TLSLimits.maximumHelloBytes + 1)

    @Test(arguments: [1, 2, 3, 7, 1000, 1 << 20])
    func `a hello is measured however it comes in pieces`(piece: Int) {
        for size in [1, 3, 1000] {
            #expect(Self.accepts(Self.records(Self.longest, of: size), in: piece))
            #expect(!Self.accepts(Self.records(Self.longer, of: size), in: piece))
        }
    }

    @Test func `a second hello is measured too, behind what TLS 1_3 sends for old boxes between`() {
        let first = Self.records(Self.hello(300)) + Self.records([1], type: 20)
        #expect(Self.accepts(first + Self.records(Self.longest), in: 100))
        #expect(!Self.accepts(first + Self.records(Self.longer), in: 100))
    }

    @Test func `it is told how much comes before the byte that makes a hello too long`() {
        for before in [0, 300] {
            let first = before > 0 ? Self.records(Self.hello(before)) : []
            var length = HelloLength()
            let all = ByteBuffer(bytes: first + Self.records(Self.longer))
            // The record's header and three of the four bytes of the message's.
            #expect(length.read(all.readableBytesView, isVersion12: false) == first.count + 8)
        }
    }

    @Test func `other messages are not measured`() {
        let certificate = [11] + Self.longer.dropFirst()
        #expect(Self.accepts(Self.records(Self.hello(300)) + Self.records(certificate), in: 100))
    }

    @Test func `what is encrypted is not looked at`() {
        let encrypted = Self.records(Self.longer)
        #expect(Self.accepts(Self.records([1], type: 20) + encrypted, in: 100, isVersion12: true))
        #expect(Self.accepts(Self.records([1], type: 23) + encrypted, in: 100))
    }

    @Test(arguments: 0..<8) func `noise never traps`(seed: UInt64) {
        var random = SeededGenerator(seed)
        for _ in 0..<200 {
            var bytes = random.bytes(random.int(1...200))
            if random.int(0...1) == 1 { bytes[0] = 22 }
            _ = Self.accepts(bytes, in: random.int(1...20))
        }
    }
}
