// SPDX-License-Identifier: Apache-2.0

import AdminServer
import CacheEngine
import CacheModel
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import TestSupport
import Testing

/// An admin server on a port of its own, and what a peer sees of it.
struct AdminFixture {
    let address: SocketAddress

    /// What the tests look at while the server runs.
    static func run<Answer: Sendable>(
        _ pages: AdminPages = .quiet, deadline: Duration = .seconds(30), maximumConnections: Int = 8,
        _ body: @Sendable (Self) async throws -> Answer
    ) async throws -> Answer {
        try await self.run(pages, deadline: deadline, maximumConnections: maximumConnections) { fixture, _ in
            try await body(fixture)
        }
    }

    /// - Parameter body: Is told what begins a graceful shutdown.
    static func run<Answer: Sendable>(
        _ pages: AdminPages = .quiet, deadline: Duration = .seconds(30), maximumConnections: Int = 8,
        _ body: @Sendable (Self, @escaping @Sendable () async -> Void) async throws -> Answer
    ) async throws -> Answer {
        let addresses = Mailbox<SocketAddress>()
        var configuration = AdminServer.Configuration(host: "127.0.0.1", port: 0)
        configuration.deadline = deadline
        configuration.maximumConnections = maximumConnections
        let server = AdminServer(
            configuration: configuration, pages: pages, group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onListening: { addresses.append($0) })
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: server)], logger: Logger(label: "group")))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let fixture = Self(address: try #require(await addresses.next()))
            let answer = try await body(fixture) { await group.triggerGracefulShutdown() }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return answer
        }
    }

    /// Sends bytes on a connection of their own and returns all that comes until the server ends it.
    ///
    /// - Parameter closesOutput: Whether the peer says that it will send nothing more.
    func exchange(_ request: String, closesOutput: Bool = true) async throws -> String {
        String(decoding: try await self.exchange(Array(request.utf8), closesOutput: closesOutput), as: UTF8.self)
    }

    func exchange(_ request: [UInt8], closesOutput: Bool = true) async throws -> [UInt8] {
        let connection = try await self.connect()
        try await connection.channel.writeAndFlush(ByteBuffer(bytes: request))
        if closesOutput { try? await connection.channel.close(mode: .output) }
        return await connection.rest()
    }

    func connect() async throws -> RawConnection {
        let received = Mailbox<[UInt8]>()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Receiver(received))
                }
            }
            .connect(to: self.address).get()
        return RawConnection(channel: channel, received: received)
    }

    func get(_ path: String, method: String = "GET") async throws -> Answer {
        let request = "\(method) \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        return Answer(try await self.exchange(request))
    }
}

/// A connection on which a test sends what it likes.
struct RawConnection {
    let channel: any Channel
    fileprivate let received: Mailbox<[UInt8]>

    init(channel: any Channel, received: Mailbox<[UInt8]>) {
        self.channel = channel
        self.received = received
    }

    func send(_ text: String) async throws { try await self.channel.writeAndFlush(ByteBuffer(string: text)) }

    /// All that comes until the server ends the connection.
    func rest() async -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = await self.received.next() { bytes += more }
        return bytes
    }

    /// What comes up to and with a text.
    func text(upTo end: String) async -> String {
        var bytes: [UInt8] = []
        while !String(decoding: bytes, as: UTF8.self).hasSuffix(end), let more = await self.received.next() {
            bytes += more
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

private final class Receiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let received: Mailbox<[UInt8]>

    init(_ received: Mailbox<[UInt8]>) { self.received = received }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received.append(Array(self.unwrapInboundIn(data).readableBytesView))
    }

    func channelInactive(context: ChannelHandlerContext) { self.received.close() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// A response, taken apart by hand.
struct Answer {
    let status: Int
    let headers: [String: String]
    let body: String

    init(_ response: String) {
        let parts = response.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        let lines = parts[0].split(separator: "\r\n")
        self.status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[line[..<colon].lowercased()] = String(value)
        }
        self.headers = headers
        self.body = parts.count > 1 ? String(parts[1]) : ""
    }
}

extension AdminPages {
    /// A service that is ready and has nothing to tell.
    static let quiet = AdminPages(
        readiness: { [] }, metrics: { [] }, statistics: { EngineFigures() }, configuration: { [] })
}
