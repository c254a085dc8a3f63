// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CoreMetrics
import Glibc
package import Logging
package import NIOCore
import NIOPosix
package import OpenSSLTLS
import ServiceLifecycle
import Synchronization

/// The listener of the native protocol.
package final class CacheServer: Sendable {
    /// Where and how to listen.
    package struct Configuration: Sendable {
        package var host: String
        /// 0 for one that the system chooses.
        package var port: Int
        package var limits = ConnectionLimits()
        /// `nil` for plain TCP.
        package var tls: TLSContext?

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    private let configuration: Configuration
    private let dispatcher: Dispatcher
    private let authenticator: any Authenticator
    private let group: any EventLoopGroup
    private let logger: Logger
    private let onListening: @Sendable (SocketAddress) -> Void
    private let connections = Mutex<[ObjectIdentifier: NIOLoopBound<ConnectionHandler>]>([:])
    private let admission: ConnectionAdmission
    private let journal: ListenerJournal
    private let tls: CurrentTLS

    /// - Parameter onListening: Told the address once the listener accepts connections.
    package init(
        configuration: Configuration, dispatcher: Dispatcher, authenticator: any Authenticator,
        group: any EventLoopGroup, logger: Logger, onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.admission = ConnectionAdmission(configuration.limits)
        self.tls = CurrentTLS(configuration.tls)
        self.journal = ListenerJournal(.native, of: dispatcher, logger: logger)
        self.dispatcher = dispatcher
        self.authenticator = authenticator
        self.group = group
        self.logger = logger
        self.onListening = onListening
    }

    /// Listens until shut down gracefully; then lets calls in flight finish.
    package func run() async throws {
        let (closed, finish) = AsyncStream.makeStream(of: Never.self)
        let channel = try await ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: Limits.maximumAcceptsPerTurn)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(Self.keepAlive(TCP_KEEPIDLE), value: Self.seconds(Limits.keepAliveIdle))
            .childChannelOption(Self.keepAlive(TCP_KEEPINTVL), value: Self.seconds(Limits.keepAliveInterval))
            .childChannelOption(Self.keepAlive(TCP_KEEPCNT), value: Limits.keepAliveProbes)
            .childChannelOption(Self.keepAlive(TCP_USER_TIMEOUT), value: Self.vanishedPeerMilliseconds)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 64 << 10)
            )
            .childChannelOption(
                .writeBufferWaterMark,
                value: .init(low: Limits.maximumUnwrittenBytes / 4, high: Limits.maximumUnwrittenBytes)
            )
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try self.adopt(channel) } }
            .bind(host: self.configuration.host, port: self.configuration.port).get()
        channel.closeFuture.whenComplete { _ in finish.finish() }
        if let address = channel.localAddress {
            self.logger.info(
                "listening", metadata: ["server.address": "\(address)", "server.protocol": "native"])
            self.onListening(address)
        }
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                for await _ in closed {}
            } onCancel: {
                channel.close(promise: nil)
            }
        } onGracefulShutdown: {
            channel.close(promise: nil)
        }
        await self.drain()
    }

    private static func keepAlive(_ option: CInt) -> ChannelOptions.Types.SocketOption {
        .tcpOption(NIOBSDSocket.Option(rawValue: option))
    }

    /// While a reply waits for its acknowledgement the system does not ask whether the peer is still there, and tries again
    /// for a quarter of an hour unless it is told otherwise.
    private static let vanishedPeerMilliseconds: Int =
        1000 * CacheServer.seconds(Limits.keepAliveIdle + Limits.keepAliveInterval * Limits.keepAliveProbes)

    private static func seconds(_ duration: Duration) -> Int { Int(duration.components.seconds) }

    private func adopt(_ channel: any Channel) throws {
        let address = channel.remoteAddress?.ipAddress
        let refusal = self.admission.opened(from: address)
        self.dispatcher.connectionOpened()
        let id = ObjectIdentifier(channel)
        let tls = self.tls.context
        var isStranger = refusal == nil
        let handler = ConnectionHandler(
            dispatcher: self.dispatcher, authenticator: self.authenticator, limits: self.configuration.limits,
            tls: tls, currentTLS: self.tls, journal: self.journal, logger: self.logger
        ) { outcome in
            switch outcome {
            case .helloReceived:
                isStranger = false
                self.admission.helloReceived(from: address)
            case .closed:
                self.admission.closed(from: address, isStranger: isStranger)
                self.dispatcher.connectionClosed()
                _ = self.connections.withLock { $0.removeValue(forKey: id) }
            }
        }
        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        if let tls, refusal == nil { try channel.pipeline.syncOperations.addHandler(TLSHandler(tls)) }
        try channel.pipeline.syncOperations.addHandler(handler)
        self.connections.withLock { $0[id] = bound }
        if let refusal {
            // Closed by `handlerRemoved`, which also takes it out of the counts.
            throw self.journal.refused(refusal)
        }
        self.journal.accepted()
    }

    /// Puts other certificates in force, for connections that are made from now on.
    ///
    /// - Returns: Those before; `nil` for plain TCP.
    @discardableResult
    package func replace(tls: TLSContext) -> TLSContext? { self.tls.replace(tls) }

    /// Asks every connection whether its credential and certificate are still good, and ends those whose are not. To be
    /// called when the configuration was read again.
    package func checkCredentials() {
        for bound in self.connections.withLock({ Array($0.values) }) {
            bound.eventLoop.execute { bound.value.checkCredential() }
        }
    }

    /// Tells every connection to finish, and waits for all of them to be gone.
    private func drain() async {
        let bounds = self.connections.withLock { Array($0.values) }
        let (drained, finish) = AsyncStream.makeStream(of: Void.self)
        for bound in bounds {
            bound.eventLoop.execute {
                guard let channel = bound.value.context?.channel else {
                    finish.yield(())
                    return
                }
                channel.closeFuture.whenComplete { _ in finish.yield(()) }
                bound.value.drain()
            }
        }
        var remaining = bounds.count
        guard remaining > 0 else { return }
        for await _ in drained {
            remaining -= 1
            if remaining == 0 { break }
        }
    }
}
