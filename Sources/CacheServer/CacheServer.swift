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
    private let tls: Mutex<TLSContext?>
    /// Whether the log has said that connections are refused, since the last time that there was room.
    private let hasWarned = Atomic<Bool>(false)

    /// - Parameter onListening: Told the address once the listener accepts connections.
    package init(
        configuration: Configuration, dispatcher: Dispatcher, authenticator: any Authenticator,
        group: any EventLoopGroup, logger: Logger, onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.admission = ConnectionAdmission(configuration.limits)
        self.tls = Mutex(configuration.tls)
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

    private static func seconds(_ duration: Duration) -> Int { Int(duration.components.seconds) }

    private func adopt(_ channel: any Channel) throws {
        let address = channel.remoteAddress?.ipAddress
        let refusal = self.admission.opened(from: address)
        self.dispatcher.connectionOpened()
        let id = ObjectIdentifier(channel)
        let tls = self.tls.withLock { $0 }
        var isStranger = true
        let handler = ConnectionHandler(
            dispatcher: self.dispatcher, authenticator: self.authenticator, limits: self.configuration.limits,
            isSecured: tls != nil, logger: self.logger
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
            try self.refuse(refusal)
        }
        self.dispatcher.metrics.acceptedConnections.increment()
        self.hasWarned.store(false, ordering: .relaxed)
    }

    private func refuse(_ refusal: ConnectionAdmission.Refusal) throws -> Never {
        self.dispatcher.metrics.count(refusal)
        // Once per condition: what is refused thousands of times a second must not fill the log as well.
        if !self.hasWarned.exchange(true, ordering: .relaxed) {
            self.logger.warning("connections are refused", metadata: ["limit": "\(refusal.rawValue)"])
        }
        throw CacheError(.resourceExhausted, "too many connections")
    }

    /// Puts other certificates in force, for connections that are made from now on.
    package func replace(tls: TLSContext) { self.tls.withLock { $0 = tls } }

    /// Asks every connection whether its credential is still good, and ends those whose is not. To be called when the
    /// configuration was read again.
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
