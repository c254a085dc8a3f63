// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import NIOCore
import TestSupport
import Testing

@Suite struct FrameReaderTests {
    private static let limit = 3000

    /// Reads what is there; what a reader makes of a stream must not depend on how the stream was cut.
    private static func drain(_ reader: inout FrameReader, into bodies: inout [[UInt8]]) throws(WireError) {
        while let body = try reader.withNextBody({ Array($0) }) { bodies.append(body) }
        reader.reclaim()
    }

    private static func bodies(_ random: inout SeededGenerator) -> [[UInt8]] {
        (0..<random.int(1...12)).map { _ in
            let count = random.pick([0, 1, 4, 5, 6, random.int(0...300), Self.limit])
            return random.bytes(count)
        }
    }

    @Test func `frames fed byte by byte are those fed at once`() throws {
        var random = SeededGenerator(1)
        for _ in 0..<20 {
            let bodies = Self.bodies(&random)
            var reader = FrameReader(maximumBodyBytes: Self.limit)
            var found: [[UInt8]] = []
            for byte in bodies.flatMap({ framed($0) }) {
                reader.append(ByteBuffer(bytes: [byte]))
                try Self.drain(&reader, into: &found)
            }
            #expect(found == bodies)
            #expect(!reader.isInsideFrame)
        }
    }

    @Test func `frames fed in random chunks are those fed at once`() throws {
        var random = SeededGenerator(2)
        for _ in 0..<300 {
            let bodies = Self.bodies(&random)
            var rest = bodies.flatMap { framed($0) }[...]
            var reader = FrameReader(maximumBodyBytes: Self.limit)
            var found: [[UInt8]] = []
            while !rest.isEmpty {
                let chunk = rest.prefix(random.int(1...random.pick([3, 50, 5000])))
                rest = rest.dropFirst(chunk.count)
                reader.append(ByteBuffer(bytes: chunk))
                try Self.drain(&reader, into: &found)
            }
            #expect(found == bodies)
            #expect(!reader.isInsideFrame)
        }
    }

    @Test func `a chunk that is a slice of a larger buffer is read from its start`() throws {
        var large = ByteBuffer(bytes: [9, 9, 9] + framed([1, 2]) + framed([3]))
        large.moveReaderIndex(forwardBy: 3)
        var reader = FrameReader(maximumBodyBytes: 10)
        reader.append(large.readSlice(length: 7)!)
        reader.append(large)
        var found: [[UInt8]] = []
        try Self.drain(&reader, into: &found)
        #expect(found == [[1, 2], [3]])
    }

    @Test func `an empty frame is a frame`() throws {
        var reader = FrameReader(maximumBodyBytes: 0)
        reader.append(ByteBuffer(bytes: framed([]) + framed([])))
        var found: [[UInt8]] = []
        try Self.drain(&reader, into: &found)
        #expect(found == [[], []])
    }

    @Test func `a frame over the limit is refused before its body arrives`() {
        var reader = FrameReader(maximumBodyBytes: 4096)
        reader.append(ByteBuffer(bytes: [0, 0, 0, 0x10, 0x01]))
        #expect(throws: WireError(.frameTooLarge, "frame has 4097 bytes, the limit is 4096")) {
            _ = try reader.withNextBody { _ in }
        }
    }

    @Test func `the largest length there is is refused`() {
        var reader = FrameReader(maximumBodyBytes: Limits.maximumFrameBytes)
        reader.append(ByteBuffer(bytes: [0, 0xff, 0xff, 0xff, 0xff]))
        #expect { try reader.withNextBody { _ in } } throws: { ($0 as? WireError)?.code == .frameTooLarge }
    }

    @Test(arguments: [1, 2, 0x80, 0xff] as [UInt8])
    func `flags are refused with their first byte`(flags: UInt8) {
        var reader = FrameReader(maximumBodyBytes: 10)
        reader.append(ByteBuffer(bytes: [flags]))
        #expect {
            try reader.withNextBody { _ in }
        } throws: {
            ($0 as? WireError)
                == WireError(.unsupportedFlags, "frame flags are \(flags); only 0 (not compressed) is supported")
        }
    }

    @Test func `a limit that was raised between frames holds for the next one`() throws {
        var reader = FrameReader(maximumBodyBytes: 1)
        reader.append(ByteBuffer(bytes: framed([7]) + framed([1, 2, 3])))
        #expect(try reader.withNextBody { Array($0) } == [7])
        reader.maximumBodyBytes = 3
        #expect(try reader.withNextBody { Array($0) } == [1, 2, 3])
    }

    @Test func `a header that promises much takes no memory for it`() throws {
        var reader = FrameReader(maximumBodyBytes: Limits.maximumFrameBytes)
        reader.append(ByteBuffer(bytes: [0, 0, 0x3f, 0xff, 0xff, 1]))
        #expect(try reader.withNextBody { _ in } == nil)
        #expect(reader.capacity < 64 << 10)
    }

    @Test func `a written frame carries its length`() {
        var buffer = ByteBuffer(bytes: [42])
        buffer.writeFrame { $0.writeBytes([1, 2, 3]) }
        buffer.writeFrame { _ in }
        #expect(Array(buffer.readableBytesView) == [42, 0, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0])
    }
}
