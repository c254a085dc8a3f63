// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import NIOCore
import NIOPosix
import OpenSSLTLS
import Synchronization
import TestSupport
import Testing

/// A server that does what a test says, message by message.
final class ScriptedServer: Sendable {
    let address: ServerAddress
    private let channel: any Channel
    let peers: AsyncStream<ScriptedPeer>

    private init(_ channel: any Channel, _ peers: AsyncStream<ScriptedPeer>, usesTLS: Bool) {
        self.channel = channel
        self.peers = peers
        self.address = ServerAddress(host: "127.0.0.1", port: channel.localAddress?.port ?? 0, usesTLS: usesTLS)
    }

    /// - Parameters:
    ///   - port: 0 for one that the system chooses.
    ///   - tls: `nil` for plain text.
    static func withServer<Value>(
        port: Int = 0, tls: TLSContext? = nil, _ body: (ScriptedServer) async throws -> Value
    ) async throws -> Value {
        let (peers, found) = AsyncStream.makeStream(of: ScriptedPeer.self)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (messages, received) = AsyncStream.makeStream(of: ClientMessage.self)
                    let peer = ScriptedPeer(channel, messages)
                    if let tls { try channel.pipeline.syncOperations.addHandler(TLSHandler(tls)) }
                    try channel.pipeline.syncOperations.addHandler(MessageHandler(received, peer))
                    found.yield(peer)
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        do {
            let value = try await body(ScriptedServer(channel, peers, usesTLS: tls != nil))
            // A test may have done it.
            try? await channel.close()
            return value
        } catch {
            try? await channel.close()
            throw error
        }
    }

    /// An address at which nobody listens.
    static func addressOfNobody() async throws -> ServerAddress {
        ServerAddress(host: "127.0.0.1", port: try await unusedPort())
    }

    /// Waits for the next connection.
    func nextPeer() async throws -> ScriptedPeer {
        var iterator = self.peers.makeAsyncIterator()
        return try #require(await iterator.next())
    }

    /// Waits for the next connection and welcomes it.
    func welcomePeer(maximumCalls: UInt32 = 100) async throws -> ScriptedPeer {
        let peer = try await self.nextPeer()
        _ = try await peer.hello()
        var welcome = Welcome(version: 1, serverVersion: "test", embeddingDimensions: 4)
        welcome.maximumCallsInFlight = maximumCalls
        peer.send(.welcome(welcome))
        return peer
    }

    func stopListening() async throws { try await self.channel.close() }
}

/// The server's end of one connection.
final class ScriptedPeer: Sendable {
    private let channel: any Channel
    private let messages: AsyncStream<ClientMessage>
    fileprivate let handshake = Mutex<TLSHandshakeCompleted?>(nil)

    /// Of TLS; there once the client has sent a message.
    var clientCertificate: PeerCertificate? { self.handshake.withLock { $0?.peer } }

    init(_ channel: any Channel, _ messages: AsyncStream<ClientMessage>) {
        self.channel = channel
        self.messages = messages
    }

    /// Waits for the next message; `nil` if the client ended the connection.
    func next() async -> ClientMessage? {
        var iterator = self.messages.makeAsyncIterator()
        return await iterator.next()
    }

    func hello() async throws -> Hello {
        guard case .hello(let hello) = await self.next() else { throw Unexpected("no hello") }
        return hello
    }

    func call() async throws -> Call {
        guard case .call(let call) = await self.next() else { throw Unexpected("no call") }
        return call
    }

    func cancelledID() async throws -> UInt64 {
        guard case .cancel(let id) = await self.next() else { throw Unexpected("no cancel") }
        return id
    }

    func send(_ messages: ServerMessage...) {
        var buffer = ByteBuffer()
        let encoder = ServerMessageEncoder()
        for message in messages { encoder.write(message, into: &buffer) }
        self.channel.writeAndFlush(buffer, promise: nil)
    }

    func answer(_ call: Call, version: String = "test") {
        self.send(.reply(Reply(id: call.id, result: .success(.ping(serverVersion: version)))))
    }

    func send(bytes: [UInt8]) { self.channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    func close() { self.channel.close(promise: nil) }

    /// Ends the connection without TLS's word for it.
    func cut() async throws {
        try await self.channel.eventLoop.submit {
            try self.channel.pipeline.syncOperations.context(handlerType: TLSHandler.self).close(promise: nil)
        }.get()
    }
}

struct Unexpected: Error {
    let what: String

    init(_ what: String) { self.what = what }
}

private final class MessageHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let received: AsyncStream<ClientMessage>.Continuation
    private let peer: ScriptedPeer
    private var reader = FrameReader(maximumBodyBytes: Limits.maximumFrameBytes)
    private let decoder = ClientMessageDecoder()

    init(_ received: AsyncStream<ClientMessage>.Continuation, _ peer: ScriptedPeer) {
        self.received = received
        self.peer = peer
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let handshake = event as? TLSHandshakeCompleted { self.peer.handshake.withLock { $0 = handshake } }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.reader.append(self.unwrapInboundIn(data))
        let decoder = self.decoder
        do {
            while let message = try self.reader.withNextBody({ body in Result { try decoder.decode(body) } }) {
                self.received.yield(try message.get())
            }
        } catch {
            Issue.record(error, "the client sent what is no message")
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { self.received.finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension ClientConfiguration {
    /// For a test: nothing takes longer than it must, and nothing ends for want of time.
    init(_ server: ScriptedServer) {
        self.init(server.address)
        self.timeout = .seconds(60)
        self.connectTimeout = .seconds(60)
        self.minimumBackoff = .milliseconds(1)
    }
}

/// Runs a call and gives back its error.
func failure<Value>(of call: () async throws -> Value) async -> CacheClientError? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error as? CacheClientError
    }
}
