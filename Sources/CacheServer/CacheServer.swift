// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
package import Logging
package import NIOCore
import NIOPosix
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
    private let strangers = Atomic<Int>(0)

    /// - Parameter onListening: Told the address once the listener accepts connections.
    package init(
        configuration: Configuration, dispatcher: Dispatcher, authenticator: any Authenticator,
        group: any EventLoopGroup, logger: Logger, onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }
    ) {
        self.configuration = configuration
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
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
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
            self.logger.info("listening", metadata: ["server.address": "\(address)"])
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

    private func adopt(_ channel: any Channel) throws {
        let limits = self.configuration.limits
        let isFull = self.dispatcher.connectionOpened() > limits.maximumConnections
        let areStrangersTooMany =
            self.strangers.add(1, ordering: .relaxed).newValue > limits.maximumUnauthenticatedConnections
        let id = ObjectIdentifier(channel)
        var isStranger = true
        let handler = ConnectionHandler(
            dispatcher: self.dispatcher, authenticator: self.authenticator, limits: limits, logger: self.logger
        ) { outcome in
            if isStranger {
                isStranger = false
                self.strangers.subtract(1, ordering: .relaxed)
            }
            guard outcome == .closed else { return }
            self.dispatcher.connectionClosed()
            _ = self.connections.withLock { $0.removeValue(forKey: id) }
        }
        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.addHandler(handler)
        self.connections.withLock { $0[id] = bound }
        guard !isFull, !areStrangersTooMany else {
            self.logger.debug("too many connections; closing the newest")
            // Closed by `handlerRemoved`, which also takes it out of the counts.
            throw CacheError(.resourceExhausted, "too many connections")
        }
    }

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
