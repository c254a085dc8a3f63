// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport

/// A connection of ``ScriptedSearch`` to the Redis behind it: sends a command and waits for the bytes of one reply,
/// which it understands only as far as to know where it ends.
final class BlockingConnection: Sendable {
    struct Trouble: Error {
        let message: String
    }

    private let socket: Int32
    /// What came behind the last reply: nothing, but for a fault.
    private let received = Mutex<[UInt8]>([])

    init(port: Int) throws {
        self.socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var time = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(self.socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard self.socket >= 0, code == 0 else { throw Trouble(message: "no connection: \(errno)") }
    }

    deinit { close(self.socket) }

    func send(_ arguments: [[UInt8]]) throws -> [UInt8] {
        var command = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments { command += Array("$\(argument.count)\r\n".utf8) + argument + Array("\r\n".utf8) }
        var sent = 0
        while sent < command.count {
            let count = command[sent...].withUnsafeBytes {
                Foundation.send(self.socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Trouble(message: "cannot send: \(errno)") }
            sent += count
        }
        return try self.received.withLock { received in
            var scanner = ReplyScanner()
            while true {
                if let end = scanner.end(in: received) {
                    defer { received.removeFirst(end) }
                    return Array(received[..<end])
                }
                var chunk = [UInt8](repeating: 0, count: 1 << 16)
                let count = recv(self.socket, &chunk, chunk.count, 0)
                guard count > 0 else { throw Trouble(message: "no reply: \(errno)") }
                received += chunk[..<count]
            }
        }
    }
}

/// Finds the end of a reply.
private struct ReplyScanner {
    private var position = 0
    /// Values that are yet to come.
    private var open = 1

    mutating func end(in bytes: [UInt8]) -> Int? {
        while self.open > 0 {
            guard let newline = bytes.lineEnd(from: self.position) else { return nil }
            let count = Int(String(decoding: bytes[(self.position + 1)..<(newline - 1)], as: UTF8.self)) ?? 0
            var next = newline + 1
            var more = 0
            switch bytes[self.position] {
            case UInt8(ascii: "$"), UInt8(ascii: "="), UInt8(ascii: "!"): if count >= 0 { next += count + 2 }
            case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"): more = max(0, count)
            case UInt8(ascii: "%"): more = 2 * count
            case UInt8(ascii: "|"): more = 2 * count + 1
            default: break
            }
            guard next <= bytes.count else { return nil }
            self.position = next
            self.open += more - 1
        }
        return self.position
    }
}

/// A reply in the older protocol, taken apart.
struct RawReply {
    private(set) var bytes: [UInt8] = []
    private(set) var items: [RawReply] = []

    init(_ reply: [UInt8]) throws {
        var position = 0
        self = try Self(reply, &position)
        if reply.first == UInt8(ascii: "-") {
            throw BlockingConnection.Trouble(message: String(decoding: reply, as: UTF8.self))
        }
    }

    private init(_ reply: [UInt8], _ position: inout Int) throws {
        guard let newline = reply.lineEnd(from: position) else {
            throw BlockingConnection.Trouble(message: "cut")
        }
        let line = Array(reply[(position + 1)..<(newline - 1)])
        let kind = reply[position]
        position = newline + 1
        let count = Int(String(decoding: line, as: UTF8.self)) ?? 0
        switch kind {
        case UInt8(ascii: "$"):
            self.bytes = Array(reply[position..<(position + count)])
            position += count + 2
        case UInt8(ascii: "*"):
            for _ in 0..<count { self.items.append(try Self(reply, &position)) }
        default: self.bytes = line
        }
    }
}

extension [UInt8] {
    /// Where the next line feed is.
    fileprivate func lineEnd(from start: Int) -> Int? {
        self.withUnsafeBytes { bytes in
            guard start < bytes.count, let base = bytes.baseAddress,
                let found = memchr(base + start, 10, bytes.count - start)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }
}
