// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport

/// What comes out behind a ``TLSHandler``.
final class Recorder: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private(set) var received: [UInt8] = []
    private(set) var reads = 0
    private(set) var errors: [any Error] = []
    private(set) var handshakes: [TLSHandshakeCompleted] = []
    private(set) var isInputClosed = false
    private(set) var isInactive = false
    /// Called behind each read.
    var reply: ((ChannelHandlerContext) -> Void)?

    var faults: [TLSError.Code] { self.errors.compactMap { ($0 as? TLSError)?.code } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.reads += 1
        self.received += self.unwrapInboundIn(data).readableBytesView
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.reply?(context) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.errors.append(error) }
    func channelInactive(context: ChannelHandlerContext) { self.isInactive = true }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let handshake = event as? TLSHandshakeCompleted { self.handshakes.append(handshake) }
        if case .inputClosed? = event as? ChannelEvent { self.isInputClosed = true }
    }
}

/// As a socket: the output can be closed without the input, which an ``EmbeddedChannel`` cannot do.
final class Socket: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private(set) var isOutputClosed = false
    private(set) var reads = 0

    func read(context: ChannelHandlerContext) { self.reads += 1 }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        self.isOutputClosed = true
        promise?.succeed()
    }
}

/// One end of a connection without a network.
final class End {
    let channel = EmbeddedChannel()
    let socket = Socket()
    let recorder = Recorder()

    init(_ context: TLSContext, peerName: String? = nil) throws {
        try self.channel.pipeline.syncOperations.addHandlers(
            [self.socket, TLSHandler(context, peerName: peerName), self.recorder])
    }

    deinit {
        // Otherwise the channel and its handlers keep each other.
        _ = try? self.channel.finish(acceptAlreadyClosed: true)
        self.channel.embeddedEventLoop.run()
    }

    func connect() throws { try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait() }

    /// What it has written since the last time.
    func written() throws -> ByteBuffer {
        var all = ByteBuffer()
        while var next = try self.channel.readOutbound(as: ByteBuffer.self) { all.writeBuffer(&next) }
        return all
    }

    func send(_ bytes: [UInt8]) { self.channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
    func send(_ text: String) { self.send(Array(text.utf8)) }
}

/// A client and a server whose bytes go to the other as they are told to.
struct TLSPair {
    let client: End
    let server: End

    init(client: TLSContext, server: TLSContext, peerName: String? = "localhost") throws {
        self.client = try End(client, peerName: peerName)
        self.server = try End(server)
    }

    /// Begins the connection and moves bytes until nobody has any left.
    func connect(piece: () -> Int = { 1 << 20 }) throws {
        try self.server.connect()
        try self.client.connect()
        try self.exchange(piece: piece)
    }

    /// Moves what was written, in pieces, until nothing is written any more.
    func exchange(piece: () -> Int = { 1 << 20 }) throws {
        var hasMoved = true
        while hasMoved {
            let forServer = try Self.move(from: self.client, to: self.server, piece)
            let forClient = try Self.move(from: self.server, to: self.client, piece)
            hasMoved = forServer || forClient
        }
    }

    private static func move(from source: End, to target: End, _ piece: () -> Int) throws -> Bool {
        var bytes = try source.written()
        let hasMoved = bytes.readableBytes > 0
        while bytes.readableBytes > 0 {
            let slice = bytes.readSlice(length: min(bytes.readableBytes, max(1, piece())))
            // What was sent to one that has closed is lost.
            if let slice, target.channel.isActive { try target.channel.writeInbound(slice) }
        }
        // As the end of a TCP connection: behind all that was sent.
        if !source.channel.isActive, target.channel.isActive { target.channel.pipeline.fireChannelInactive() }
        return hasMoved
    }
}

/// Certificates that tests share; making them takes longer than most tests.
struct Parties {
    static let shared = Result { try Parties() }

    let certificates: TestCertificates
    let others: TestCertificates
    let server: TLSIdentity
    let client: TLSIdentity

    init() throws {
        self.certificates = try TestCertificates()
        self.others = try TestCertificates(name: "Another authority")
        self.server = try Self.identity(self.certificates, "server", TestCertificate())
        self.client = try Self.identity(
            self.certificates, "client",
            TestCertificate(names: ["URI:spiffe://example.org/acme", "DNS:api.acme.internal", "email:a@acme.test"]))
    }

    static func identity(
        _ certificates: TestCertificates, _ name: String, _ certificate: TestCertificate
    ) throws -> TLSIdentity {
        let files = try certificates.issue(name, certificate)
        return TLSIdentity(chainFile: files.chainFile, keyFile: files.keyFile)
    }

    func issue(_ name: String, _ certificate: TestCertificate) throws -> TLSIdentity {
        try Self.identity(self.certificates, name, certificate)
    }

    func serverContext(
        _ identity: TLSIdentity? = nil, _ change: (inout TLSServerConfiguration) -> Void = { _ in }
    ) throws -> TLSContext {
        var configuration = TLSServerConfiguration(identity: identity ?? self.server)
        change(&configuration)
        return try TLSContext(configuration)
    }

    func clientContext(_ change: (inout TLSClientConfiguration) -> Void = { _ in }) throws -> TLSContext {
        var configuration = TLSClientConfiguration()
        configuration.trust = .file(self.certificates.trustFile)
        change(&configuration)
        return try TLSContext(configuration)
    }

    /// A pair under these settings, connected as far as they get.
    func connected(
        peerName: String? = "localhost", as identity: TLSIdentity? = nil,
        client: (inout TLSClientConfiguration) -> Void = { _ in },
        server: (inout TLSServerConfiguration) -> Void = { _ in }
    ) throws -> TLSPair {
        let pair = try TLSPair(
            client: self.clientContext(client), server: self.serverContext(identity, server), peerName: peerName)
        try pair.connect()
        return pair
    }
}
