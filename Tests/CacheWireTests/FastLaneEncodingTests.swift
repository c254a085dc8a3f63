// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import NIOCore
import TestSupport
import Testing

@Suite struct FastLaneEncodingTests {
    private static func written(
        _ entry: CacheEntry, id: UInt64, kind: LookupHit.Kind, similarity: Float, at now: Timestamp
    ) -> [UInt8] {
        // Not at the start of the buffer: replies are written one behind the other.
        var buffer = ByteBuffer(bytes: [1, 2, 3])
        buffer.writeHit(
            id: id, kind: kind, prepared: PreparedMatch(entry), similarity: similarity, at: now)
        buffer.moveReaderIndex(forwardBy: 3)
        return Encoded.body(&buffer)
    }

    private static func check(
        _ entry: CacheEntry, id: UInt64, kind: LookupHit.Kind, similarity: Float, at now: Timestamp
    ) throws {
        let fast = Self.written(entry, id: id, kind: kind, similarity: similarity, at: now)
        let hit = LookupHit(
            kind: kind, tier: .l1, matches: [LookupMatch(entry: entry, similarity: similarity)], at: now)
        let slow = Encoded().body(of: .reply(Reply(id: id, result: .success(.lookup(.hit(hit))))))
        #expect(try ServerMessageDecoder().decode(fast) == ServerMessageDecoder().decode(slow))
        // The same fields in another order take as many bytes; a similarity of 0 is not written at all by the other.
        if similarity != 0 { #expect(fast.count == slow.count) }
    }

    @Test func `a hit written by hand says what the encoder says`() throws {
        var random = SeededGenerator(12)
        for _ in 0..<3000 {
            let entry = random.entry()
            let age = random.pick([0, 1, 127, 128, random.int(0...1 << 40)])
            try Self.check(
                entry, id: max(1, random.next() >> UInt64(random.int(0...63))), kind: random.pick([.exact, .semantic]),
                similarity: random.pick([1, 0, -1, Float.random(in: -1...1, using: &random)]),
                at: entry.createdAt + .milliseconds(age))
        }
    }

    @Test func `ids and ages of every length are right`() throws {
        var random = SeededGenerator(13)
        for bits in 0..<64 {
            for id in [1 << UInt64(bits), (1 << UInt64(bits)) &- 1, UInt64.max >> UInt64(bits)] where id != 0 {
                try Self.check(random.entry(), id: id, kind: .exact, similarity: 1, at: Timestamp(milliseconds: 0))
            }
            let entry = random.entry()
            for age in [Int64(bitPattern: 1 << UInt64(bits)), Int64(bitPattern: (1 << UInt64(bits)) &- 1)] {
                try Self.check(entry, id: 1, kind: .semantic, similarity: 0.5, at: entry.createdAt + .milliseconds(age))
            }
        }
    }

    @Test func `an entry from a clock that was set back has age 0`() throws {
        var random = SeededGenerator(14)
        for now in [0, -1, Int64.min] {
            try Self.check(random.entry(), id: 1, kind: .exact, similarity: 1, at: Timestamp(milliseconds: now))
        }
    }

    @Test(arguments: [1, 127, 128, 16_383, 16_384, 2_097_151, Limits.maximumResponseBytes])
    func `responses of every length are right`(count: Int) throws {
        var random = SeededGenerator(15)
        let entry = CacheEntry(
            id: random.entryID(), prompt: nil, response: random.bytes(count), contentType: "", attributes: [],
            usage: nil,
            createdAt: Timestamp(milliseconds: 0), expiresAt: Timestamp(milliseconds: 0))
        try Self.check(entry, id: 1, kind: .exact, similarity: 1, at: Timestamp(milliseconds: 5))
    }
}
