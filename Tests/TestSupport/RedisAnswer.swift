// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What a server answers to the harness, read as RESP2 by a few lines of its own, so that a fault of the client under
/// test cannot hide itself.
package indirect enum RedisAnswer: Sendable, Hashable, CustomStringConvertible {
    case text(String)
    case integer(Int)
    case null
    case list([RedisAnswer])
    case error(String)

    package var description: String {
        switch self {
        case .text(let text), .error(let text): text
        case .integer(let number): "\(number)"
        case .null: "(null)"
        case .list(let items): items.map(\.description).joined(separator: " ")
        }
    }

    /// Of a list; none of anything else.
    package var items: [RedisAnswer] {
        if case .list(let items) = self { items } else { [] }
    }

    package var integer: Int? {
        switch self {
        case .integer(let number): number
        case .text(let text): Int(text)
        default: nil
        }
    }

    /// What follows a name in a list of names and values.
    package func field(_ name: String) -> RedisAnswer? {
        let items = self.items
        return stride(from: 0, to: items.count - 1, by: 2).first { items[$0] == .text(name) }.map { items[$0 + 1] }
    }

    /// Of a line `name:value` in a text such as that of INFO.
    package func line(_ name: String) -> String? {
        guard case .text(let text) = self else { return nil }
        return text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name + ":") }
            .map { String($0.dropFirst(name.utf8.count + 1)) }
    }
}

/// A connection that blocks: one question, one answer.
struct RedisQuestion: ~Copyable {
    private let socket: Int32
    private var received: [UInt8] = []
    private var position = 0

    /// - Parameter seconds: For which each read and write waits.
    init(port: Int, within seconds: Int = 10) throws {
        self.socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard self.socket >= 0 else { throw RedisTrouble(description: "no socket: \(errno)") }
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(self.socket, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        let connected = withLoopback(port) { connect(self.socket, $0, $1) }
        guard connected == 0 else { throw RedisTrouble(description: "no connection to port \(port): \(errno)") }
    }

    deinit { close(self.socket) }

    /// - Throws: ``RedisTrouble`` if there is no answer; an error is one.
    mutating func ask(_ words: [String]) throws -> RedisAnswer {
        var rest = Array("*\(words.count)\r\n".utf8)
        for word in words { rest += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
        while !rest.isEmpty {
            let count = Foundation.send(self.socket, rest, rest.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { throw RedisTrouble(description: "cannot send: \(errno)") }
            rest.removeFirst(count)
        }
        return try self.readAnswer()
    }

    private mutating func readAnswer() throws -> RedisAnswer {
        let line = try self.readLine()
        let rest = String(line.dropFirst())
        switch line.first {
        case "+": return .text(rest)
        case "-": return .error(rest)
        case ":": return .integer(try Self.number(rest))
        case "$":
            let count = try Self.number(rest)
            guard count >= 0 else { return .null }
            return .text(String(decoding: try self.read(count + 2).dropLast(2), as: UTF8.self))
        case "*":
            let count = try Self.number(rest)
            guard count >= 0 else { return .null }
            return .list(try (0..<count).map { _ in try self.readAnswer() })
        default: throw RedisTrouble(description: "not an answer: \(line)")
        }
    }

    private static func number(_ text: String) throws -> Int {
        guard let number = Int(text) else { throw RedisTrouble(description: "not a number: \(text)") }
        return number
    }

    private mutating func readLine() throws -> String {
        while true {
            if let end = self.received[self.position...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = self.received[self.position..<end].dropLast()
                self.position = end + 1
                return String(decoding: line, as: UTF8.self)
            }
            try self.receive()
        }
    }

    private mutating func read(_ count: Int) throws -> ArraySlice<UInt8> {
        while self.received.count - self.position < count { try self.receive() }
        defer { self.position += count }
        return self.received[self.position..<(self.position + count)]
    }

    private mutating func receive() throws {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(self.socket, &chunk, chunk.count, 0)
        guard count > 0 else { throw RedisTrouble(description: count == 0 ? "closed" : "no answer: \(errno)") }
        self.received += chunk[..<count]
    }
}

/// A port of 127.0.0.1 that was free a moment ago.
func freePort() throws -> Int {
    // Not one that the system gives away, nor such a one for the bus of a cluster, 10,000 higher.
    for _ in 0..<1000 {
        let port = Int.random(in: 10_000..<22_000)
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(socket) }
        if socket >= 0, withLoopback(port, { bind(socket, $0, $1) }) == 0 { return port }
    }
    throw RedisTrouble(description: "no free port: \(errno)")
}

private func withLoopback(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
}
