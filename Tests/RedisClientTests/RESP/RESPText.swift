// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import TestSupport

/// A value in a form in which any two can be compared, those that are not numbers too.
func summary(_ value: RESPValue) -> String {
    switch value {
    case .null: "null"
    case .integer(let integer): "\(integer)"
    case .double(let double): "d\(double)"
    case .boolean(let boolean): "\(boolean)"
    case .bytes(let bytes): "'\(String(buffer: bytes))'"
    case .array(let elements): "[" + elements.map(summary).joined(separator: " ") + "]"
    case .map(let elements): "{" + elements.map(summary).joined(separator: " ") + "}"
    case .error(let error): "error(\(error.text))"
    }
}

func summary(_ message: RESPMessage) -> String {
    switch message {
    case .reply(let value): summary(value)
    case .push(let elements): "push" + summary(.array(elements))
    }
}

/// All that a parser makes of bytes that come in pieces, up to the first fault.
func messages(in bytes: [UInt8], piece: () -> Int) -> [String] {
    var parser = RESPParser()
    var buffer = ByteBuffer()
    var messages: [String] = []
    var start = 0
    while start < bytes.count {
        let end = min(bytes.count, start + max(1, piece()))
        RESPParser.append(ByteBuffer(bytes: bytes[start..<end]), to: &buffer)
        start = end
        do throws(RedisError) {
            while let message = try parser.next(&buffer) { messages.append(summary(message)) }
        } catch {
            return messages + ["\(error)"]
        }
    }
    return messages
}

func messages(in text: String, every count: Int = .max) -> [String] {
    messages(in: Array(text.utf8)) { min(count, 1 << 30) }
}

/// A writer that knows nothing of the parser, and random messages for it.
struct RandomReplies {
    var generator: SeededGenerator

    /// A message as bytes, and what must come of it.
    mutating func next() -> (bytes: [UInt8], summary: String) {
        let (bytes, summary) = self.value(depth: 0)
        guard self.generator.chance(0.1) else { return (Array(bytes.utf8), summary) }
        return (Array(">2\r\n+kind\r\n\(bytes)".utf8), "push['kind' \(summary)]")
    }

    private mutating func value(depth: Int) -> (bytes: String, summary: String) {
        if self.generator.chance(0.05) {
            let (bytes, summary) = self.value(depth: depth + 1)
            return ("|1\r\n+ttl\r\n:3600\r\n\(bytes)", summary)
        }
        switch self.generator.int(0...(depth < 4 ? 14 : 10)) {
        case 0: return self.generator.chance(0.5) ? ("_\r\n", "null") : ("$-1\r\n", "null")
        case 1: return ("*-1\r\n", "null")
        case 2:
            let number = Int64(bitPattern: self.generator.next()) >> self.generator.int(0...60)
            return (":\(number)\r\n", "\(number)")
        case 3:
            let number = Double(self.generator.int(-1000...1000)) / 64
            return (",\(number)\r\n", "d\(number)")
        case 4:
            let (text, number) = self.generator.pick([("inf", "inf"), ("-inf", "-inf"), ("nan", "nan")])
            return (",\(text)\r\n", "d\(number)")
        case 5: return self.generator.chance(0.5) ? ("#t\r\n", "true") : ("#f\r\n", "false")
        case 6:
            return (
                "(-3492890328409238509324850943850943825024385\r\n", "'-3492890328409238509324850943850943825024385'"
            )
        case 7:
            let text = self.text().filter { $0 != "\r\n" && $0 != "\n" && $0 != "\r" }
            return ("+\(text)\r\n", "'\(text)'")
        case 8:
            return self.generator.chance(0.5) ? ("-ERR no\r\n", "error(ERR no)") : ("!6\r\nERR no\r\n", "error(ERR no)")
        case 9:
            let text = self.text()
            return ("=\(text.utf8.count + 4)\r\ntxt:\(text)\r\n", "'\(text)'")
        case 10:
            let text = self.text()
            return ("$\(text.utf8.count)\r\n\(text)\r\n", "'\(text)'")
        case let kind:
            return self.aggregate(isMap: kind == 11, depth: depth)
        }
    }

    private mutating func aggregate(isMap: Bool, depth: Int) -> (bytes: String, summary: String) {
        let count = self.generator.int(0...5)
        let elements = (0..<(isMap ? 2 * count : count)).map { _ in self.value(depth: depth + 1) }
        let bytes = elements.map(\.bytes).joined()
        let summary = elements.map(\.summary).joined(separator: " ")
        if isMap { return ("%\(count)\r\n\(bytes)", "{\(summary)}") }
        return ("\(self.generator.chance(0.5) ? "*" : "~")\(count)\r\n\(bytes)", "[\(summary)]")
    }

    private mutating func text() -> String {
        (0..<self.generator.int(0...40)).map { _ in self.generator.pick(["a", " ", "\r\n", "\n", "\0", "é", "$", "+"]) }
            .joined()
    }
}
