// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import NIOCore

/// What must hold for any bytes. A property that does not hold traps: that is what a fuzzer looks for.
package enum FuzzProperty: String, CaseIterable, Sendable {
    case clientMessages = "FuzzClientMessages"
    case serverMessages = "FuzzServerMessages"
    case prompt = "FuzzPrompt"
    case filter = "FuzzFilter"
    case redisReplies = "FuzzRedisReplies"
    case tlsHandshake = "FuzzTLSHandshake"

    package func check(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .clientMessages: Self.checkClientMessages(bytes)
        case .serverMessages: Self.checkServerMessages(bytes)
        case .prompt: Self.checkPrompt(bytes)
        case .filter: Self.checkFilter(bytes)
        case .redisReplies: Self.checkRedisReplies(bytes)
        case .tlsHandshake: Self.checkTLSHandshake(bytes)
        }
    }

    /// As a body, and as a stream of frames that is cut anywhere: the same messages come out of a stream however it is
    /// cut, and what is accepted survives being sent on.
    private static func checkClientMessages(_ bytes: UnsafeRawBufferPointer) {
        let decoder = ClientMessageDecoder()
        let encoder = ClientMessageEncoder()
        func check(_ body: UnsafeRawBufferPointer) {
            guard let message = try? decoder.decode(body) else { return }
            if case .call(let call) = message, case .failure = call.request { return }
            var first = ByteBuffer()
            encoder.write(message, into: &first)
            let again = first.withUnsafeReadableBytes { frame in
                try? decoder.decode(UnsafeRawBufferPointer(rebasing: frame[FrameReader.headerBytes...]))
            }
            var second = ByteBuffer()
            if let again { encoder.write(again, into: &second) }
            precondition(first == second, "an accepted message does not survive the wire")
        }
        check(bytes)
        let whole = Self.bodies(of: bytes, cutEvery: max(1, bytes.count))
        precondition(whole == Self.bodies(of: bytes, cutEvery: 1 + Int(bytes.first ?? 0) % 7), "cutting changes frames")
        for body in whole { body.withUnsafeBytes(check) }
    }

    private static func checkServerMessages(_ bytes: UnsafeRawBufferPointer) {
        let decoder = ServerMessageDecoder()
        guard let message = try? decoder.decode(bytes) else { return }
        let encoder = ServerMessageEncoder()
        var first = ByteBuffer()
        encoder.write(message, into: &first)
        let again = first.withUnsafeReadableBytes { frame in
            try? decoder.decode(UnsafeRawBufferPointer(rebasing: frame[FrameReader.headerBytes...]))
        }
        var second = ByteBuffer()
        if let again { encoder.write(again, into: &second) }
        precondition(first == second, "an accepted message does not survive the wire")
    }

    private static func checkPrompt(_ bytes: UnsafeRawBufferPointer) {
        guard let prompt = try? CanonicalPrompt(bytes) else { return }
        let text = Array(prompt.text.utf8)
        precondition(!text.isEmpty && text.count <= Limits.maximumPromptBytes && !text.contains(0), "out of bounds")
        precondition(text.first != 0x20 && text.last != 0x20, "not trimmed")
        precondition(!zip(text, text.dropFirst()).contains { $0 == 0x20 && $1 == 0x20 }, "not folded")
        let again = try? CanonicalPrompt(prompt.text)
        precondition(again.map { Array($0.text.utf8) } == text, "canonicalising again changes the prompt")
        if CanonicalPrompt.isCanonicalASCII(bytes) { precondition(text == Array(bytes), "canonical, and changed") }
    }

    /// The bodies of a stream up to its end or its first fault.
    private static func bodies(of stream: UnsafeRawBufferPointer, cutEvery size: Int) -> [[UInt8]] {
        var reader = FrameReader(maximumBodyBytes: 64 << 10)
        var bodies: [[UInt8]] = []
        var start = 0
        while start < stream.count {
            let end = min(start + size, stream.count)
            reader.append(ByteBuffer(bytes: stream[start..<end]))
            start = end
            do throws(WireError) {
                while let body = try reader.withNextBody({ Array($0) }) { bodies.append(body) }
            } catch {
                return bodies
            }
            reader.reclaim()
        }
        return bodies
    }
}
