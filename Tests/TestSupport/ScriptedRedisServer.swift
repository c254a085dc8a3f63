// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
package import OpenSSLTLS
import Synchronization

/// A Redis that says what a test wants it to say, on a port of 127.0.0.1 that the system chose.
///
/// What the test leaves to it, it answers like a server with nothing in it: `HELLO`, `AUTH`, `SELECT`, `CLIENT`, `PING`,
/// `ASKING`; anything else is an unknown command.
package final class ScriptedRedisServer: Sendable {
    package enum Reply: Sendable, Equatable {
        case bytes([UInt8])
        case bytesThenClose([UInt8])
        /// Nothing now; perhaps later by ``ScriptedRedisServer/push(_:to:)``.
        case silence
        case close

        package static func text(_ text: String) -> Self { .bytes(Array(text.utf8)) }
        package static func bulk(_ text: String) -> Self { .text("$\(text.utf8.count)\r\n\(text)\r\n") }
        /// - Parameter text: Without the minus and the line end.
        package static func error(_ text: String) -> Self { .text("-\(text)\r\n") }
    }

    package struct Command: Sendable, Equatable {
        /// Counted from 1, in the order in which connections were accepted.
        package let connection: Int
        package let arguments: [[UInt8]]

        /// In capitals.
        package var name: String { arguments.first.map { String(decoding: $0, as: UTF8.self).uppercased() } ?? "" }
        package var text: String { arguments.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ") }
    }

    /// - Returns: `nil` for the answer that the server has by default.
    package typealias Handler = @Sendable (_ connectionNumber: Int, _ arguments: [[UInt8]]) -> Reply?

    private struct Waiter {
        let name: String
        let count: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var commands: [Command] = []
        var waiters: [Waiter] = []
        var lastConnection = 0
        var channels: [Int: any Channel] = [:]
        var listener: (any Channel)?
    }

    /// On which it listens, while it does.
    package let port: Int
    private let handler: Handler
    private let tls: TLSContext?
    private let state: Mutex<State>

    private init(port: Int, tls: TLSContext?, handler: @escaping Handler) {
        self.port = port
        self.tls = tls
        self.handler = handler
        self.state = Mutex(State())
    }

    /// Starts one that calls `handler` for each command, on an event loop.
    ///
    /// - Parameter tls: `nil` for plain text.
    package static func start(
        tls: TLSContext? = nil, _ handler: @escaping Handler = { _, _ in nil }
    ) async throws -> ScriptedRedisServer {
        // The port must be known before there is a server that connections can be given to.
        let box = OwnerBox()
        let listener = try await Self.listen(port: 0, box)
        let server = ScriptedRedisServer(
            port: listener.localAddress?.port ?? 0, tls: tls, handler: handler)
        box.server.withLock { $0 = server }
        server.state.withLock { $0.listener = listener }
        try await listener.setOption(.autoRead, value: true).get()
        return server
    }

    // MARK: What it heard

    package var commands: [Command] { self.state.withLock { $0.commands } }

    /// Number of connections that were ever accepted.
    package var connectionCount: Int { self.state.withLock { $0.lastConnection } }

    package func commands(named name: String) -> [Command] { self.commands.filter { $0.name == name } }

    /// Waits until as many commands of this name (in capitals) have come, from the beginning on.
    package func received(_ name: String, count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isThere = self.state.withLock { state in
                if state.commands.count(where: { $0.name == name }) >= count { return true }
                state.waiters.append(Waiter(name: name, count: count, continuation: continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    // MARK: What it does

    /// Writes to a connection, or to all that are open.
    package func push(_ bytes: [UInt8], to connection: Int? = nil) async throws {
        for channel in self.openChannels(connection) { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }
    }

    package func push(_ text: String, to connection: Int? = nil) async throws {
        try await self.push(Array(text.utf8), to: connection)
    }

    /// Closes a connection, or all that are open.
    package func closeConnections(_ connection: Int? = nil) async {
        for channel in self.openChannels(connection) { try? await channel.close().get() }
    }

    /// New connections are refused from now on.
    package func stopAccepting() async {
        let listener = self.state.withLock { state in
            defer { state.listener = nil }
            return state.listener
        }
        try? await listener?.close().get()
    }

    /// Listens again, on the same port.
    package func startAccepting() async throws {
        let box = OwnerBox()
        box.server.withLock { $0 = self }
        let listener = try await Self.listen(port: self.port, box)
        self.state.withLock { $0.listener = listener }
        try await listener.setOption(.autoRead, value: true).get()
    }

    package func stop() async {
        await self.stopAccepting()
        await self.closeConnections()
    }

    private func openChannels(_ connection: Int?) -> [any Channel] {
        self.state.withLock { state in
            connection.map { state.channels[$0].map { [$0] } ?? [] } ?? Array(state.channels.values)
        }
    }

    // MARK: For its connections

    /// Binds, and accepts nothing before it is told to read.
    private static func listen(port: Int, _ box: OwnerBox) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let server = box.server.withLock({ $0 }) else { throw ChannelError.ioOnClosedChannel }
                    if let tls = server.tls { try channel.pipeline.syncOperations.addHandler(TLSHandler(tls)) }
                    try channel.pipeline.syncOperations.addHandler(ScriptedConnection(server))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    fileprivate func accepted(_ channel: any Channel) -> Int {
        self.state.withLock { state in
            state.lastConnection += 1
            state.channels[state.lastConnection] = channel
            return state.lastConnection
        }
    }

    fileprivate func closed(_ connection: Int) {
        self.state.withLock { _ = $0.channels.removeValue(forKey: connection) }
    }

    fileprivate func reply(to arguments: [[UInt8]], on connection: Int) -> Reply {
        let command = Command(connection: connection, arguments: arguments)
        let reply = self.handler(connection, arguments) ?? Self.defaultReply(to: command)
        let reached: [Waiter] = self.state.withLock { state in
            state.commands.append(command)
            // Mostly; and counting takes the longer the more commands there were.
            if state.waiters.isEmpty { return [] }
            let count = state.commands.count { $0.name == command.name }
            let split = state.waiters.partition { $0.name == command.name && count >= $0.count }
            let reached = Array(state.waiters[split...])
            state.waiters.removeSubrange(split...)
            return reached
        }
        for waiter in reached { waiter.continuation.resume() }
        return reply
    }

    private static func defaultReply(to command: Command) -> Reply {
        switch command.name {
        case "HELLO":
            .text("%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n8.0.2\r\n$5\r\nproto\r\n:3\r\n")
        case "AUTH", "SELECT", "CLIENT", "ASKING": .text("+OK\r\n")
        case "PING": .text("+PONG\r\n")
        default: .error("ERR unknown command")
        }
    }
}

private final class OwnerBox: Sendable {
    let server = Mutex<ScriptedRedisServer?>(nil)
}

/// Cuts what a client sends into commands; a parser of its own, simple and without limits.
private final class ScriptedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let server: ScriptedRedisServer
    private var number = 0
    private var bytes: [UInt8] = []

    init(_ server: ScriptedRedisServer) { self.server = server }

    func channelActive(context: ChannelHandlerContext) { self.number = self.server.accepted(context.channel) }

    func channelInactive(context: ChannelHandlerContext) { self.server.closed(self.number) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.bytes += Array(buffer: self.unwrapInboundIn(data))
        while let arguments = self.nextCommand() {
            switch self.server.reply(to: arguments, on: self.number) {
            case .bytes(let bytes): context.write(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
            case .bytesThenClose(let bytes):
                context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
                return context.close(promise: nil)
            case .silence: break
            case .close: return context.close(promise: nil)
            }
        }
        context.flush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Takes a command from the front of `bytes` if all of it is there.
    private func nextCommand() -> [[UInt8]]? {
        var position = 0
        guard let count = self.number(after: UInt8(ascii: "*"), &position) else { return nil }
        var arguments: [[UInt8]] = []
        while arguments.count < count {
            guard let length = self.number(after: UInt8(ascii: "$"), &position),
                self.bytes.count >= position + length + 2
            else { return nil }
            arguments.append(Array(self.bytes[position..<(position + length)]))
            position += length + 2
        }
        self.bytes.removeFirst(position)
        return arguments
    }

    private func number(after mark: UInt8, _ position: inout Int) -> Int? {
        guard let end = self.bytes[position...].firstIndex(of: 10) else { return nil }
        precondition(self.bytes[position] == mark, "a client sends arrays of bulk strings only")
        defer { position = end + 1 }
        return Int(String(decoding: self.bytes[(position + 1)..<(end - 1)], as: UTF8.self))
    }
}
