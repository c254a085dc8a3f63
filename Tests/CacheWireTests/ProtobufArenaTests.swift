// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

@Suite struct ProtobufArenaTests {
    @Test func `memory is aligned, writable and nobody else's`() throws {
        var random = SeededGenerator(3)
        let arena = ProtobufArena(limit: 4 << 20)
        for _ in 0..<50 {
            var pieces: [(start: UnsafeMutableRawPointer, count: Int, mark: UInt8)] = []
            for _ in 0..<random.int(1...60) {
                let count = random.int(0...random.pick([64, 3000, 40_000]))
                let memory = try #require(arena.allocate(count))
                #expect(Int(bitPattern: memory) % 16 == 0)
                let mark = UInt8(truncatingIfNeeded: random.next())
                memory.initializeMemory(as: UInt8.self, repeating: mark, count: count)
                pieces.append((memory, count, mark))
            }
            for piece in pieces {
                let bytes = UnsafeRawBufferPointer(start: piece.start, count: piece.count)
                #expect(bytes.allSatisfy { $0 == piece.mark })
            }
            arena.reset()
        }
    }

    @Test(arguments: [16, 1000, 16 << 10, (16 << 10) + 1, 1 << 20])
    func `what is handed out never exceeds the limit, and is there again after a reset`(limit: Int) {
        let arena = ProtobufArena(limit: limit)
        for _ in 0..<3 {
            var total = 0
            while arena.allocate(48) != nil { total += 48 }
            #expect(total <= limit)
            // Not so careful that a message within the limit would be refused for want of a whole chunk.
            #expect(total >= limit - (128 << 10))
            arena.reset()
        }
    }

    @Test(arguments: [17, Int.max, Int.max - 7, Int.min, -1])
    func `more than the limit is refused, whatever the arithmetic`(bytes: Int) {
        let arena = ProtobufArena(limit: 16)
        #expect(arena.allocate(bytes) == nil)
        #expect(arena.allocate(16) != nil)
    }

    @Test func `nothing at all can be asked for, even first`() {
        let arena = ProtobufArena(limit: 16)
        #expect(arena.allocate(0) != nil)
        arena.reset()
        #expect(arena.allocate(0) != nil)
    }

    @Test func `an arena that is exhausted makes unpacking fail at whatever step, and the next message succeed`() throws
    {
        var random = SeededGenerator(4)
        let encoder = Encoded()
        for _ in 0..<40 {
            let bytes = encoder.body(of: random.clientMessage())
            let whole = try ClientMessageDecoder().decode(bytes)
            // Every limit from none to enough: each allocation of the message is once the one that fails.
            for limit in stride(from: 0, through: 4096, by: 16) {
                let decoder = ClientMessageDecoder(memory: limit)
                do throws(WireError) {
                    #expect(try decoder.decode(bytes) == whole)
                } catch {
                    #expect(error.code == .malformedMessage)
                }
                if limit >= 512 {
                    #expect(
                        try decoder.decode(ProtobufBytes().message(3, ProtobufBytes().varint(1, 5)).bytes)
                            == .cancel(id: 5))
                }
            }
        }
    }
}
