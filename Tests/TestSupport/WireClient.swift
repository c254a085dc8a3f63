// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import CacheWire
package import NIOCore
import NIOPosix
package import OpenSSLTLS
import Synchronization

/// A client of the native protocol that does what a test tells it, right or wrong.
package final class WireClient: Sendable {
    /// A message as it came.
    package struct Received: Sendable {
        package let message: ServerMessage
        package let body: [UInt8]
    }

    /// What a test did not expect of a server.
    package struct Surprise: Error, CustomStringConvertible {
        package let description: String
    }

    private let channel: any Channel
    private let inbox: Mailbox<Result<Received, WireError>>
    private let lastID = Atomic<UInt64>(1 << 32)

    private init(_ channel: any Channel, _ inbox: Mailbox<Result<Received, WireError>>) {
        self.channel = channel
        self.inbox = inbox
    }

    /// Connects and says nothing.
    ///
    /// - Parameters:
    ///   - source: Address that it comes from; whichever the system takes if `nil`.
    ///   - tls: `nil` for plain TCP. The server is `localhost`.
    ///   - receiveBufferBytes: The kernel's buffer, for a client that does not read; its default if `nil`.
    package static func connect(
        to address: SocketAddress, from source: String? = nil, tls: TLSContext? = nil, receiveBufferBytes: Int? = nil
    ) async throws -> WireClient {
        let inbox = Mailbox<Result<Received, WireError>>()
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(TLSHandler(tls, peerName: "localhost"))
                    }
                    try channel.pipeline.syncOperations.addHandler(Receiver(inbox: inbox))
                }
            }
        if let receiveBufferBytes {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBufferBytes))
        }
        if let source { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: source, port: 0)) }
        return WireClient(try await bootstrap.connect(to: address).get(), inbox)
    }

    /// Connects, says hello and is welcome.
    package static func open(
        to address: SocketAddress, from source: String? = nil, tls: TLSContext? = nil, credential: Credential = .none,
        receiveBufferBytes: Int? = nil
    ) async throws -> WireClient {
        let client = try await self.connect(
            to: address, from: source, tls: tls, receiveBufferBytes: receiveBufferBytes)
        try await client.send(
            .hello(Hello(minimumVersion: 1, maximumVersion: 1, clientName: "test", credential: credential)))
        guard case .welcome = try await client.next() else { throw Surprise(description: "not welcome") }
        return client
    }

    // MARK: Sending

    package func send(_ messages: ClientMessage...) async throws {
        var buffer = ByteBuffer()
        let encoder = ClientMessageEncoder()
        for message in messages { encoder.write(message, into: &buffer) }
        try await self.channel.writeAndFlush(buffer)
    }

    /// - Parameters:
    ///   - deadline: The server's own if `nil`, which is shorter.
    ///   - tenant: For which a gateway calls.
    package func send(
        _ request: ServiceRequest, id: UInt64, deadline: Duration? = .seconds(60), tenant: String? = nil
    ) async throws {
        try await self.send(.call(Call(id: id, deadline: deadline, tenant: tenant, request: .success(request))))
    }

    package func send(bytes: [UInt8]) async throws { try await self.channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    // MARK: Receiving

    /// Waits for the next message; `nil` when the server has closed.
    package func receive() async throws -> Received? { try await self.inbox.next()?.get() }

    package func next() async throws -> ServerMessage? { try await self.receive()?.message }

    package func nextReply() async throws -> Reply {
        guard case .reply(let reply) = try await self.next() else { throw Surprise(description: "not a reply") }
        return reply
    }

    /// Sends a call and waits for its reply, which must be the next message.
    package func ask(
        _ request: ServiceRequest, deadline: Duration? = .seconds(60), tenant: String? = nil
    ) async throws -> Result<ServiceResponse, CacheError> {
        let id = self.lastID.add(1, ordering: .relaxed).newValue
        try await self.send(request, id: id, deadline: deadline, tenant: tenant)
        let reply = try await self.nextReply()
        guard reply.id == id else { throw Surprise(description: "the reply has id \(reply.id), the call \(id)") }
        return reply.result
    }

    package func lookup(
        _ request: LookupRequest, deadline: Duration? = .seconds(60)
    ) async throws -> LookupOutcome {
        guard case .lookup(let outcome) = try await self.ask(.lookup(request), deadline: deadline).get() else {
            throw Surprise(description: "not the answer to a lookup")
        }
        return outcome
    }

    @discardableResult
    package func store(_ request: StoreRequest) async throws -> StoreOutcome {
        guard case .store(let outcome) = try await self.ask(.store(request)).get() else {
            throw Surprise(description: "not the answer to a store")
        }
        return outcome
    }

    @discardableResult
    package func invalidate(_ request: InvalidateRequest) async throws -> InvalidateOutcome {
        guard case .invalidate(let outcome) = try await self.ask(.invalidate(request)).get() else {
            throw Surprise(description: "not the answer to an invalidate")
        }
        return outcome
    }

    package func stopReading() async throws { try await self.channel.setOption(.autoRead, value: false).get() }
    package func startReading() async throws { try await self.channel.setOption(.autoRead, value: true).get() }

    /// Its own address.
    package var address: SocketAddress? { self.channel.localAddress }

    /// Says that it sends nothing more.
    package func closeOutput() async throws { try await self.channel.close(mode: .output).get() }

    package func close() async { try? await self.channel.close().get() }

    /// Waits until the connection is gone, whoever ended it.
    package func closed() async { try? await self.channel.closeFuture.get() }
}

/// Cuts and decodes what the server sends.
private final class Receiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let inbox: Mailbox<Result<WireClient.Received, WireError>>
    private let decoder = ServerMessageDecoder()
    private var reader = FrameReader(maximumBodyBytes: Limits.maximumFrameBytes)

    init(inbox: Mailbox<Result<WireClient.Received, WireError>>) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.reader.append(self.unwrapInboundIn(data))
        do throws(WireError) {
            while let result = try self.reader.withNextBody({ body -> Result<WireClient.Received, WireError> in
                do throws(WireError) {
                    return .success(WireClient.Received(message: try self.decoder.decode(body), body: Array(body)))
                } catch {
                    return .failure(error)
                }
            }) {
                self.inbox.append(result)
            }
        } catch {
            self.inbox.append(.failure(error))
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) { self.inbox.close() }
}
