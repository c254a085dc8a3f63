// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire

/// Finds the ends of replies in a stream, at a cost that does not hide the server's.
protocol ReplyFormat {
    /// Measures the reply at the start and takes a cheap look at whether it is what was hoped for.
    ///
    /// - Returns: Its bytes; `nil` if it is not complete.
    /// - Throws: ``BenchError`` if it is another one.
    func length(of bytes: UnsafeRawBufferPointer) throws(BenchError) -> Int?

    /// Looks at all of one reply.
    func verify(_ reply: UnsafeRawBufferPointer) throws(BenchError)
}

/// Hits of ``semcached``: frames whose header, call id and outcome are looked at.
struct HitReplies: ReplyFormat {
    /// What every hit must answer.
    let response: [UInt8]
    private let decoder = ServerMessageDecoder()

    init(response: [UInt8]) { self.response = response }

    @inline(__always)
    func length(of bytes: UnsafeRawBufferPointer) throws(BenchError) -> Int? {
        guard let frame = ReplyHead.frameBytes(bytes) else { return nil }
        let head = ReplyHead(UnsafeRawBufferPointer(rebasing: bytes[..<frame]))
        guard head?.outcome == ReplyHead.exactHit, frame > self.response.count else {
            throw self.complaint(UnsafeRawBufferPointer(rebasing: bytes[FrameReader.headerBytes..<frame]))
        }
        return frame
    }

    func verify(_ reply: UnsafeRawBufferPointer) throws(BenchError) {
        let body = UnsafeRawBufferPointer(rebasing: reply[FrameReader.headerBytes...])
        guard case .reply(let reply)? = try? self.decoder.decode(body),
            case .success(.lookup(.hit(let hit))) = reply.result, hit.kind == .exact, hit.tier == .l1,
            hit.matches.count == 1, hit.matches[0].similarity == 1, hit.matches[0].entry.response == self.response
        else { throw self.complaint(body) }
    }

    @inline(never)
    private func complaint(_ body: UnsafeRawBufferPointer) -> BenchError {
        guard case .reply(let reply)? = try? self.decoder.decode(body) else {
            return BenchError("semcached sent what is no reply")
        }
        return BenchError("semcached answered other than with an exact hit from memory: \(reply.result)")
    }
}

/// Values of Redis: `$512\r\n…\r\n`.
struct ValueReplies: ReplyFormat {
    private let header: [UInt8]
    private let response: [UInt8]

    init(response: [UInt8]) {
        self.response = response
        self.header = Array("$\(response.count)\r\n".utf8)
    }

    @inline(__always)
    func length(of bytes: UnsafeRawBufferPointer) throws(BenchError) -> Int? {
        let total = self.header.count + self.response.count + 2
        guard bytes.count >= min(self.header.count, 5) else { return nil }
        for position in 0..<min(self.header.count, 5) where bytes[position] != self.header[position] {
            throw BenchError("redis answered other than with a value of \(self.response.count) bytes")
        }
        return bytes.count >= total ? total : nil
    }

    func verify(_ reply: UnsafeRawBufferPointer) throws(BenchError) {
        guard reply.elementsEqual(self.header + self.response + Array("\r\n".utf8)) else {
            throw BenchError("redis answered another value than was set")
        }
    }
}

/// What stands first in the frame of a reply to a Lookup.
struct ReplyHead {
    /// The wire's number of an exact hit.
    static let exactHit: UInt8 = 1
    /// The wire's number of a semantic hit.
    static let semanticHit: UInt8 = 2

    let id: UInt64
    /// The wire's number of the error; 0 if there is none.
    let code: UInt32
    /// The wire's number of the outcome; 0 for an error.
    let outcome: UInt8

    var isHit: Bool { self.outcome == Self.exactHit || self.outcome == Self.semanticHit }

    /// Measures the frame at the start; `nil` if it is not complete.
    @inline(__always)
    static func frameBytes(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= FrameReader.headerBytes else { return nil }
        let length = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
        let frame = FrameReader.headerBytes + Int(length)
        return bytes.count >= frame ? frame : nil
    }

    /// Reads a whole frame's first fields; `nil` if it is neither a reply to a Lookup nor an error.
    @inline(__always)
    init?(_ frame: UnsafeRawBufferPointer) {
        // ServerMessage.reply, Reply.id, then Reply.lookup and LookupResponse.outcome, or Reply.status and Status.code:
        // fields in the order of their numbers.
        var position = FrameReader.headerBytes
        guard Self.take(0x12, frame, &position), Self.varint(frame, &position) != nil,
            Self.take(0x08, frame, &position), let id = Self.varint(frame, &position)
        else { return nil }
        let isLookup = Self.take(0x42, frame, &position)
        guard isLookup || Self.take(0x12, frame, &position), Self.varint(frame, &position) != nil,
            Self.take(0x08, frame, &position), let number = Self.varint(frame, &position)
        else { return nil }
        self.id = id
        self.code = isLookup ? 0 : UInt32(truncatingIfNeeded: number)
        self.outcome = isLookup ? UInt8(truncatingIfNeeded: number) : 0
    }

    @inline(__always)
    private static func take(_ tag: UInt8, _ frame: UnsafeRawBufferPointer, _ position: inout Int) -> Bool {
        guard position < frame.count, frame[position] == tag else { return false }
        position += 1
        return true
    }

    @inline(__always)
    private static func varint(_ frame: UnsafeRawBufferPointer, _ position: inout Int) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < frame.count, shift < 64 {
            let byte = frame[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}
