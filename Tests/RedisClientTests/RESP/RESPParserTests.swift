// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import TestSupport
import Testing

private let violation = "protocol_violation: the server does not speak the protocol: "

@Suite struct RESPParserTests {
    @Test(arguments: [
        ("+OK\r\n", "'OK'"), ("+\r\n", "''"), ("+a\u{0}b\r\n", "'a\u{0}b'"), ("-ERR no\r\n", "error(ERR no)"),
        (":0\r\n", "0"), (":-1\r\n", "-1"), (":+5\r\n", "5"), (":9223372036854775807\r\n", "9223372036854775807"),
        (":-9223372036854775808\r\n", "-9223372036854775808"), ("$0\r\n\r\n", "''"),
        ("$5\r\na\r\nb\n\r\n", "'a\r\nb\n'"),
        ("$-1\r\n", "null"), ("*-1\r\n", "null"), ("_\r\n", "null"), (",1.5e3\r\n", "d1500.0"), (",-inf\r\n", "d-inf"),
        (",10\r\n", "d10.0"), (",nan\r\n", "dnan"), ("#t\r\n", "true"), ("(123\r\n", "'123'"),
        ("!10\r\nERR a\r\nb c\r\n", "error(ERR a\r\nb c)"), ("=7\r\ntxt:abc\r\n", "'abc'"), ("*0\r\n", "[]"),
        ("%0\r\n", "{}"),
        ("*2\r\n*0\r\n*1\r\n-NO\r\n", "[[] [error(NO)]]"), ("%1\r\n+a\r\n~1\r\n:1\r\n", "{'a' [1]}"), ("~0\r\n", "[]"),
        ("|1\r\n+a\r\n+b\r\n:7\r\n", "7"), ("*1\r\n|1\r\n+a\r\n*1\r\n:1\r\n:2\r\n", "[2]"), ("|0\r\n:8\r\n", "8"),
        (">2\r\n+message\r\n+hi\r\n", "push['message' 'hi']"), (">0\r\n", "push[]"),
    ])
    func `a message is read as it was meant, in one piece and byte by byte`(bytes: String, expected: String) {
        #expect(messages(in: bytes) == [expected])
        #expect(messages(in: bytes, every: 1) == [expected])
        #expect(messages(in: bytes + bytes) == [expected, expected])
    }

    @Test(arguments: [
        ("$9223372036854775807\r\n", "a string is too long"), ("$-2\r\n", "a length is negative"),
        ("*9223372036854775807\r\n", "it announces too many elements"), ("*-2\r\n", "a length is negative"),
        ("%9223372036854775807\r\n", "it announces too many elements"), ("%-1\r\n", "a length is negative"),
        ("|9223372036854775807\r\n", "it announces too many elements"), ("!-1\r\n", "a length is negative"),
        (">4611686018427387904\r\n", "it announces too many elements"), ("!65537\r\n", "an error is too long"),
        (":99999999999999999999\r\n", "a number is too large"), (":9223372036854775808\r\n", "a number is too large"),
        (":-9223372036854775809\r\n", "a number is too large"), (":\r\n", "a number has no digits"),
        (":-\r\n", "a number has no digits"), (":1 \r\n", "a number has other characters than digits"),
        ("$\r\n", "a number has no digits"), ("$?\r\n", "a number has other characters than digits"),
        ("*?\r\n", "a number has other characters than digits"), ("$1\r\nab\r\n", "a string does not end as it must"),
        ("$0\r\nx\r\n", "a string does not end as it must"), ("+a\n", "a line does not end as it must"),
        ("\r\n", "a line does not end as it must"), ("\n", "a line does not end as it must"),
        ("HTTP/1.1 400 Bad Request\r\n", "a line is of an unknown type"),
        ("\u{0}\u{0}\r\n", "a line is of an unknown type"),
        ("_1\r\n", "a null has a value"), ("#x\r\n", "a truth value is none"), ("#\r\n", "a truth value is none"),
        (",\r\n", "a number is none"), (",0x1p3\r\n", "a number is none"), (",infinity\r\n", "a number is none"),
        ("(12a\r\n", "a number is none"), ("(-\r\n", "a number is none"),
        ("=3\r\nabc\r\n", "a verbatim string has no format"),
        ("=4\r\nabcd\r\n", "a verbatim string has no format"), ("*1\r\n>0\r\n", "there is a push inside of a reply"),
        (";4\r\n", "a line is of an unknown type"), (".\r\n", "a line is of an unknown type"),
    ])
    func `a hostile message is refused, in one piece and byte by byte`(bytes: String, reason: String) {
        #expect(messages(in: bytes) == [violation + reason])
        #expect(messages(in: bytes, every: 1) == [violation + reason])
        #expect(messages(in: ":1\r\n" + bytes + ":2\r\n") == ["1", violation + reason])
    }

    @Test(arguments: ["*1\r\n", "%1\r\n+a\r\n", "|1\r\n", "~1\r\n"])
    func `deep nesting is refused without recursion`(level: String) {
        let bytes = Array(String(repeating: level, count: 100_000).utf8)
        #expect(messages(in: bytes) { 4096 } == [violation + "it is nested too deeply"])
    }

    @Test func `a reply without end is refused`() {
        let attributes = Array(String(repeating: "|0\r\n", count: 1_100_000).utf8)
        #expect(messages(in: attributes) { 64 << 10 } == [violation + "it has too many elements"])
    }

    @Test func `a line without end is refused once it is too long`() {
        let longest = [UInt8](repeating: UInt8(ascii: "a"), count: RedisLimits.maximumLineBytes - 2)
        #expect(messages(in: [43] + longest + Array("\r\n".utf8)) { 1000 }.first?.utf8.count == longest.count + 2)
        for piece in [1, 1000, Int.max >> 1] {
            let endless = [43] + longest + [UInt8](repeating: 97, count: 10)
            #expect(messages(in: endless) { piece } == [violation + "a line is too long"])
        }
    }

    @Test func `a reply whose strings together are too long is refused before they come`() throws {
        var parser = RESPParser()
        var buffer = ByteBuffer(string: "*100\r\n")
        let header = "$\(RedisLimits.maximumBulkBytes)\r\n"
        for _ in 1..<(RedisLimits.maximumReplyBytes / RedisLimits.maximumBulkBytes) {
            var string = ByteBuffer(string: header)
            string.writeRepeatingByte(0, count: RedisLimits.maximumBulkBytes)
            string.writeString("\r\n")
            RESPParser.append(string, to: &buffer)
            #expect(try parser.next(&buffer) == nil)
        }
        RESPParser.append(ByteBuffer(string: header), to: &buffer)
        #expect(throws: RedisError.self) { try parser.next(&buffer) }
    }

    @Test func `a parser that has failed stays so`() {
        var parser = RESPParser()
        var buffer = ByteBuffer(string: "?\r\n:1\r\n")
        #expect(throws: RedisError.self) { try parser.next(&buffer) }
        #expect(throws: RedisError.self) { try parser.next(&buffer) }
    }

    @Test func `a truncated message is waited for`() {
        for bytes in ["$5\r\nabc", "*3\r\n:1\r\n:2\r\n", ":1", ":1\r", "$5\r\nabcde\r", "%1\r\n+a\r\n"] {
            #expect(messages(in: bytes).isEmpty)
        }
    }

    @Test(arguments: 0..<10)
    func `random messages come out as a naive writer wrote them, however they are cut`(seed: UInt64) {
        var replies = RandomReplies(generator: SeededGenerator(seed))
        var bytes: [UInt8] = []
        var expected: [String] = []
        for _ in 0..<200 {
            let (next, summary) = replies.next()
            bytes += next
            expected.append(summary)
        }
        #expect(messages(in: bytes) { bytes.count } == expected)
        #expect(messages(in: bytes) { 1 } == expected)
        var generator = SeededGenerator(seed)
        #expect(messages(in: bytes) { generator.int(1...200) } == expected)
        // Without its end, and with something changed: never a trap.
        for _ in 0..<20 {
            var broken = Array(bytes.prefix(generator.int(1...bytes.count)))
            for _ in 0..<generator.int(0...3) { broken[generator.int(0...broken.count - 1)] = generator.bytes(1)[0] }
            #expect(messages(in: broken) { broken.count } == messages(in: broken) { generator.int(1...50) })
        }
    }

    @Test func `strings that are in use are not changed by what comes later`() throws {
        var parser = RESPParser()
        var buffer = ByteBuffer()
        var kept: [RESPMessage] = []
        for number in 0..<100 {
            let text = String(repeating: "\(number % 10)", count: 100)
            let reply = "$100\r\n\(text)\r\n$100\r\n\(text)\r\n"
            RESPParser.append(ByteBuffer(string: String(reply.prefix(100))), to: &buffer)
            while let message = try parser.next(&buffer) { kept.append(message) }
            RESPParser.append(ByteBuffer(string: String(reply.dropFirst(100))), to: &buffer)
            while let message = try parser.next(&buffer) { kept.append(message) }
        }
        #expect(kept.count == 200)
        for (index, message) in kept.enumerated() {
            #expect(message == .reply(.bytes(ByteBuffer(string: String(repeating: "\(index / 2 % 10)", count: 100)))))
        }
    }
}
