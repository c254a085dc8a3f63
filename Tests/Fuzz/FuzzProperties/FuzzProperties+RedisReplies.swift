// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient

extension FuzzProperty {
    /// The same messages, and the same fault after them, come out of a stream however it is cut.
    static func checkRedisReplies(_ bytes: UnsafeRawBufferPointer) {
        let whole = Self.redisReplies(in: bytes) { bytes.count }
        precondition(whole == Self.redisReplies(in: bytes) { 1 }, "what comes byte by byte is read as something else")
        var position = 0
        let cut = Self.redisReplies(in: bytes) {
            position += 1
            return 1 + Int(bytes[position % bytes.count]) % 19
        }
        precondition(whole == cut, "cutting changes replies")
    }

    private static func redisReplies(in bytes: UnsafeRawBufferPointer, piece: () -> Int) -> [String] {
        var parser = RESPParser()
        var buffer = ByteBuffer()
        var messages: [String] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + piece())
            RESPParser.append(ByteBuffer(bytes: bytes[start..<end]), to: &buffer)
            start = end
            do throws(RedisError) {
                while let message = try parser.next(&buffer) { messages.append(Self.text(message)) }
            } catch {
                precondition(error.code == .protocolViolation, "a fault has the wrong code")
                return messages + ["\(error)"]
            }
        }
        return messages
    }

    private static func text(_ message: RESPMessage) -> String {
        switch message {
        case .reply(let value): Self.text(value)
        case .push(let elements): "push \(Self.text(.array(elements)))"
        }
    }

    /// Unlike `==`, it calls what is not a number equal to itself.
    private static func text(_ value: RESPValue) -> String {
        switch value {
        case .null: "null"
        case .integer(let integer): "\(integer)"
        case .double(let double): "double \(double)"
        case .boolean(let boolean): "\(boolean)"
        case .bytes(let bytes): "\(Array(bytes.readableBytesView))"
        case .array(let elements): "[\(elements.map(Self.text).joined(separator: ", "))]"
        case .map(let elements): "{\(elements.map(Self.text).joined(separator: ", "))}"
        case .error(let error): "error \(Array(error.text.utf8)) \(error.prefix)"
        }
    }
}
