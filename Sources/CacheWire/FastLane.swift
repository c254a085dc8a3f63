// SPDX-License-Identifier: Apache-2.0

import CCacheProto
package import CacheModel
package import NIOCore

/// An entry in memory as the fast lane writes it. What does not change from one hit to the next is packed once, when the
/// entry comes into memory.
package final class PreparedMatch: Sendable {
    /// Fields of `Match` without similarity, response and age.
    let head: [UInt8]
    let response: [UInt8]
    let createdAt: Timestamp
    let freshUntil: Timestamp

    package init(_ entry: CacheEntry) {
        let arena = ProtobufArena(limit: 4 * Limits.maximumFrameBytes)
        let packed = MessageBuilder(arena: arena).matchHead(entry)
        var buffer = ByteBuffer()
        buffer.writePacked(UnsafeRawPointer(packed))
        self.head = Array(buffer.readableBytesView)
        self.response = entry.response
        self.createdAt = entry.createdAt
        self.freshUntil = entry.freshUntil
    }
}

extension ByteBuffer {
    /// Appends the frame of a hit with one match, as ``ServerMessageEncoder`` would for a reply with the same content.
    ///
    /// By hand because it is the whole of the fast lane's output: one pass, no structures.
    package mutating func writeHit(
        id: UInt64, kind: LookupHit.Kind, prepared: PreparedMatch, similarity: Float, at now: Timestamp
    ) {
        let age = now.ageMilliseconds(since: prepared.createdAt)
        let isStale = prepared.freshUntil <= now
        let responseBytes = prepared.response.count
        let matchBytes =
            prepared.head.count + 5 + 1 + varintBytes(UInt64(responseBytes)) + responseBytes
            + (age == 0 ? 0 : 1 + varintBytes(age)) + (isStale ? 2 : 0)
        let lookupBytes = 2 + 2 + 1 + varintBytes(UInt64(matchBytes)) + matchBytes
        let replyBytes = 1 + varintBytes(id) + 1 + varintBytes(UInt64(lookupBytes)) + lookupBytes
        let bodyBytes = 1 + varintBytes(UInt64(replyBytes)) + replyBytes
        let total = FrameReader.headerBytes + bodyBytes
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: total) { bytes in
            var out = WireWriter(bytes)
            out.byte(0)
            out.bigEndian(UInt32(bodyBytes))
            out.byte(Tag.serverMessageReply)
            out.varint(UInt64(replyBytes))
            out.byte(Tag.replyID)
            out.varint(id)
            out.byte(Tag.replyLookup)
            out.varint(UInt64(lookupBytes))
            out.byte(Tag.lookupOutcome)
            out.byte(kind == .exact ? 1 : 2)
            out.byte(Tag.lookupTier)
            out.byte(1)
            out.byte(Tag.lookupMatches)
            out.varint(UInt64(matchBytes))
            out.copy(prepared.head)
            out.byte(Tag.matchSimilarity)
            out.littleEndian(similarity.bitPattern)
            out.byte(Tag.matchResponse)
            out.varint(UInt64(responseBytes))
            out.copy(prepared.response)
            if age != 0 {
                out.byte(Tag.matchAge)
                out.varint(age)
            }
            if isStale {
                out.byte(Tag.matchStale)
                out.byte(1)
            }
            return out.count
        }
    }
}

/// Field number << 3 | wire type, as the schema has them; a test holds them against the encoder's output.
private enum Tag {
    static let serverMessageReply: UInt8 = 2 << 3 | 2
    static let replyID: UInt8 = 1 << 3 | 0
    static let replyLookup: UInt8 = 8 << 3 | 2
    static let lookupOutcome: UInt8 = 1 << 3 | 0
    static let lookupTier: UInt8 = 2 << 3 | 0
    static let lookupMatches: UInt8 = 3 << 3 | 2
    static let matchSimilarity: UInt8 = 2 << 3 | 5
    static let matchResponse: UInt8 = 3 << 3 | 2
    static let matchAge: UInt8 = 8 << 3 | 0
    static let matchStale: UInt8 = 9 << 3 | 0
}

private func varintBytes(_ value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }

/// Writes into memory whose size was computed before.
private struct WireWriter {
    private let bytes: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

    mutating func byte(_ value: UInt8) {
        self.bytes[self.count] = value
        self.count += 1
    }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.byte(UInt8(rest))
    }

    mutating func bigEndian(_ value: UInt32) {
        self.bytes.storeBytes(of: value.bigEndian, toByteOffset: self.count, as: UInt32.self)
        self.count += 4
    }

    mutating func littleEndian(_ value: UInt32) {
        self.bytes.storeBytes(of: value.littleEndian, toByteOffset: self.count, as: UInt32.self)
        self.count += 4
    }

    mutating func copy(_ array: [UInt8]) {
        array.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(rebasing: self.bytes[self.count..<(self.count + source.count)])
                .copyMemory(from: source)
        }
        self.count += array.count
    }
}
