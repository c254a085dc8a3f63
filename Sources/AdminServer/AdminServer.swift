// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Hummingbird
package import Logging
package import NIOCore
import ServiceLifecycle

/// The operator's own port: plain HTTP/1.1, only reading. Whoever reaches it sees all tenants' figures.
///
/// To be shut down last: it answers while the others finish.
package final class AdminServer: Service {
    package struct Configuration: Sendable {
        package var host: String
        /// 0 for one that the system chooses.
        package var port: Int
        /// Open connections; what comes above it waits, but for a few that come at the same moment.
        package var maximumConnections = Limits.maximumAdminConnections
        /// Time in which a connection must have taken a whole answer, and then the next.
        package var deadline = Limits.adminDeadline

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    private let configuration: Configuration
    private let pages: AdminPages
    private let group: any EventLoopGroup
    private let logger: Logger
    private let onListening: @Sendable (SocketAddress) -> Void

    /// - Parameter onListening: Told the address once the listener accepts connections.
    package init(
        configuration: Configuration, pages: AdminPages, group: any EventLoopGroup, logger: Logger,
        onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.pages = pages
        self.group = group
        self.logger = logger
        self.onListening = onListening
    }

    /// Listens until shut down gracefully; then lets answers on their way finish.
    ///
    /// - Throws: What the system says if it cannot listen.
    package func run() async throws {
        let deadline = TimeAmount(self.configuration.deadline)
        let application = Application(
            responder: AdminResponder(pages: self.pages),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [AdminConnectionHandler(deadline: deadline)],
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: Limits.maximumAdminHeaderBytes,
                        maxHeaderListSize: Limits.maximumAdminHeaderBytes,
                        maxHeaderFieldCount: Limits.maximumAdminHeaders))),
            configuration: ApplicationConfiguration(
                address: .hostname(self.configuration.host, port: self.configuration.port),
                availableConnectionsDelegate: .maximum(self.configuration.maximumConnections, logger: self.quiet)),
            onServerRunning: { channel in
                guard let address = channel.localAddress else { return }
                self.logger.info(
                    "listening", metadata: ["server.address": "\(address)", "server.protocol": "admin"])
                self.onListening(address)
            },
            eventLoopGroupProvider: .shared(self.group), logger: self.quiet)
        try await application.run()
    }

    /// Of the library, which has a word to say of every connection.
    private var quiet: Logger {
        var logger = self.logger
        logger.logLevel = max(.warning, logger.logLevel)
        return logger
    }
}
