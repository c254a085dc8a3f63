// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import RedisClient

/// One connection to a Redis over plain blocking calls: writes commands that are ready and finds the ends of replies,
/// as `redis-benchmark` does.
final class PlainRedis {
    let socket: BlockingSocket
    private var received = ReceiveBuffer(capacity: 1 << 20)

    /// - Throws: ``BenchError`` if the server is not a single one, or does not speak RESP3.
    init(_ server: RedisConfiguration) throws(BenchError) {
        guard case .standalone(let address) = server.deployment, server.security == nil else {
            throw BenchError("--url must name a single Redis without TLS")
        }
        self.socket = try BlockingSocket(host: address.host, port: address.port)
        var hello = RedisCommand("HELLO", isRepeatable: true)
        hello.append("3")
        if let credentials = server.credentials {
            hello.append("AUTH")
            hello.append(credentials.username ?? "default")
            hello.append(credentials.password)
        }
        var select = RedisCommand("SELECT", isRepeatable: true)
        select.append(Int64(server.database))
        for command in [hello, select] {
            try self.send(Self.bytes(of: command))
            try self.receive()
        }
    }

    static func bytes(of command: RedisCommand) -> [UInt8] {
        Array("*\(command.count)\r\n".utf8) + Array(command.body.readableBytesView)
    }

    func send(_ command: [UInt8]) throws(BenchError) {
        do {
            try command.withUnsafeBytes { try self.socket.send($0) }
        } catch {
            throw BenchError("\(error)")
        }
    }

    /// Takes a reply, waiting for it if need be.
    ///
    /// - Throws: ``BenchError`` if it is an error.
    func receive() throws(BenchError) {
        while !(try self.takeReply()) { try self.received.fill(from: self.socket) }
    }

    /// Takes a reply that has arrived.
    ///
    /// - Returns: Whether there was a whole one.
    func takeReply() throws(BenchError) -> Bool {
        let bytes = self.received.bytes
        guard let end = try Self.end(of: bytes) else { return false }
        self.received.take(end)
        return true
    }

    /// Finds the end of the reply at the start.
    private static func end(of bytes: UnsafeRawBufferPointer) throws(BenchError) -> Int? {
        var position = 0
        var missing = 1
        while missing > 0 {
            guard let line = Self.line(of: bytes, from: position) else { return nil }
            let kind = bytes[position]
            let number = Self.number(bytes, from: position + 1, to: line)
            position = line + 2
            missing -= 1
            switch kind {
            case UInt8(ascii: "-"), UInt8(ascii: "!"): throw BenchError("Redis refused a command")
            case UInt8(ascii: "$"), UInt8(ascii: "="): if number >= 0 { position += number + 2 }
            case UInt8(ascii: "*"), UInt8(ascii: "~"): missing += max(0, number)
            case UInt8(ascii: "%"): missing += 2 * max(0, number)
            default: break
            }
            guard position <= bytes.count else { return nil }
        }
        return position
    }

    /// Where the line ends that begins there.
    private static func line(of bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var position = start
        while position + 1 < bytes.count {
            if bytes[position] == 13 { return position }
            position += 1
        }
        return nil
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
        var number = 0
        for byte in bytes[start..<end] {
            if byte == UInt8(ascii: "-") { return -1 }
            // What is longer is no length.
            guard number < 1 << 30 else { return number }
            number = number * 10 + Int(byte &- 48)
        }
        return number
    }
}

/// Several plain connections, over which commands are spread evenly: a server runs a search in a thread and does not
/// read that connection meanwhile.
struct PlainLoad {
    private let connections: [PlainRedis]

    /// - Parameter connections: As many as the store has at most.
    init(_ server: RedisConfiguration, connections: Int) throws {
        self.connections = try (0..<connections).map { _ in try PlainRedis(server) }
    }

    /// Sends commands, so many at a time, and times each from its write to the end of its reply.
    ///
    /// - Returns: Nanoseconds, in their order.
    func time(_ commands: [[UInt8]], depth: Int) throws(BenchError) -> [UInt64] {
        let depth = min(depth, commands.count)
        let used = Array(self.connections.prefix(depth))
        var waiting: [[Int]] = Array(repeating: [], count: used.count)
        var times: [UInt64] = Array(repeating: 0, count: commands.count)
        var (sent, missing) = (0, commands.count)
        func send(over connection: Int) throws(BenchError) {
            guard sent < commands.count else { return }
            waiting[connection].append(sent)
            times[sent] = Machine.now
            sent += 1
            try used[connection].send(commands[sent - 1])
        }
        func replied(_ connection: Int) throws(BenchError) {
            let number = waiting[connection].removeFirst()
            times[number] = Machine.now - times[number]
            missing -= 1
            try send(over: connection)
        }
        for number in 0..<depth { try send(over: number % used.count) }
        var polled = used.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
        while missing > 0 {
            if used.count > 1 { poll(&polled, nfds_t(polled.count), -1) }
            for connection in used.indices where used.count == 1 || polled[connection].revents != 0 {
                try used[connection].receive()
                try replied(connection)
                while !waiting[connection].isEmpty, try used[connection].takeReply() { try replied(connection) }
            }
        }
        return times
    }
}
