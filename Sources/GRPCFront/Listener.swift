// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOCore
import NIOHTTP2
import NIOPosix
import OpenSSLTLS

/// Accepts the connections that gRPC's transport then speaks HTTP/2 on, over our own TLS.
struct Listener: HTTP2ServerTransport.ListenerFactory {
    let front: GRPCFront

    var eventLoopGroup: any EventLoopGroup { self.front.group }

    func makeListeningChannel(
        listenerConfigurator: HTTP2ServerTransport.ListenerConfigurator,
        connectionConfigurator: HTTP2ServerTransport.ConnectionConfigurator
    ) async throws -> NIOAsyncChannel<HTTP2ServerTransport.ConnectionConfigurator.ConnectionChannel, Never> {
        let front = self.front
        let listener = try await ServerBootstrap(group: front.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: Limits.maximumAcceptsPerTurn)
            .serverChannelInitializer { channel in
                listenerConfigurator.configure(channel: channel).flatMapThrowing {
                    // Out of descriptors, say: to be waited out, not to end the listener.
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptBackoffHandler(shouldForwardIOErrorCaught: false))
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 64 << 10)
            )
            .childChannelOption(
                .writeBufferWaterMark,
                value: .init(below: Limits.maximumUnwrittenBytesOfStrangers)
            )
            .bind(host: front.configuration.host, port: front.configuration.port) { channel in
                channel.eventLoop.makeCompletedFuture { try Self.adopt(channel, by: front) }
                    .flatMap { isSecured in
                        connectionConfigurator.configure(
                            channel: channel, tls: isSecured ? .configured(requireALPN: false) : .none)
                    }
            }
        if let address = listener.channel.localAddress { front.listening(on: address) }
        return listener
    }

    /// - Returns: Whether the connection is secured.
    /// - Throws: ``CacheError`` with `.resourceExhausted` for one too many, which is closed.
    private static func adopt(_ channel: any Channel, by front: GRPCFront) throws -> Bool {
        let tls = front.tls.context
        let refusal = front.admission.opened(from: channel.remoteAddress?.ipAddress)
        let connection = ConnectionGuard(of: front, tls: tls, isRefused: refusal != nil)
        do {
            // It gives the place back, whatever comes now.
            try channel.pipeline.syncOperations.addHandler(connection)
            if let tls, refusal == nil {
                try channel.pipeline.syncOperations.addHandler(TLSHandler(tls), position: .first)
            }
            if let refusal { throw front.journal.refused(refusal) }
            front.journal.accepted()
            return tls != nil
        } catch {
            channel.close(promise: nil)
            throw error
        }
    }
}

extension HTTP2ServerTransport.Custom<Listener>.Config {
    init(limits: ConnectionLimits) {
        self = .defaults
        // Neither are requests of a peer that compresses larger than what it sends, nor are answers that it reads slowly.
        self.compression = .init(enabledAlgorithms: .none)
        self.connection.maxIdleTime = limits.idleDeadline
        self.connection.keepalive.time = Limits.keepAliveIdle
        self.connection.keepalive.timeout = Limits.keepAliveInterval
        self.connection.keepalive.clientBehavior = .init(
            minPingIntervalWithoutCalls: Limits.minimumPingInterval, allowWithoutCalls: true)
        self.http2.maxConcurrentStreams = limits.maximumCallsInFlight
        self.http2.targetWindowSize = Limits.streamWindowBytes
        self.rpc.maxRequestPayloadSize = Limits.maximumFrameBytes
        self.channelDebuggingCallbacks.onAcceptHTTP2Stream = { stream in
            stream.eventLoop.makeCompletedFuture {
                guard let connection = stream.parent else { return }
                let operations = connection.pipeline.syncOperations
                let guardian = try operations.handler(type: ConnectionGuard.self)
                try stream.pipeline.syncOperations.addHandler(StreamGuard(of: guardian, limits), position: .first)
            }
        }
    }
}
