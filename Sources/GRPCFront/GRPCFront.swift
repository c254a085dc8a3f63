// SPDX-License-Identifier: Apache-2.0

import CacheModel
package import CacheServer
import CacheWire
import GRPCCore
import GRPCNIOTransportHTTP2Posix
package import Logging
package import NIOCore
package import OpenSSLTLS
import ServiceLifecycle

/// The listener of stock gRPC: the schema's services, `grpc.health.v1.Health` and server reflection.
package final class GRPCFront: Sendable {
    /// Where and how to listen.
    package struct Configuration: Sendable {
        package var host: String
        /// 0 for one that the system chooses.
        package var port: Int
        package var limits = ConnectionLimits()
        /// Time between telling peers that the server is about to stop and refusing what they open.
        package var goAwayNotice = Limits.goAwayNotice
        /// With ``GRPCFront/applicationProtocol`` among its application protocols; `nil` for plain TCP.
        package var tls: TLSContext?
        /// Whether clients may ask what there is to be called.
        package var hasReflection = true

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// What TLS must agree on.
    package static let applicationProtocol = "h2"
    /// Services whose health can be asked; the empty name is the server as a whole.
    static let healthNames: Set<String> = Set(ServiceMethod.allCases.map(\.service)).union([""])
    private static let paths = Set(ServiceMethod.allCases.map { "/\($0.service)/\($0.rawValue)" })

    let configuration: Configuration
    let dispatcher: Dispatcher
    let logger: Logger
    let peers = PeerTable()
    let admission: ConnectionAdmission
    let group: any EventLoopGroup
    /// Whether calls must show something. If so, a connection on which none has is a stranger's.
    let requiresCredential: Bool
    private let authentication: CallAuthentication
    private let health: HealthState
    private let onListening: @Sendable (NIOCore.SocketAddress) -> Void
    let journal: ListenerJournal
    let tls: CurrentTLS

    /// - Parameters:
    ///   - health: What health checks are told. Its owner says when it changes.
    ///   - onListening: Told the address once the listener accepts connections.
    package init(
        configuration: Configuration, dispatcher: Dispatcher, authenticator: any Authenticator, health: HealthState,
        group: any EventLoopGroup, logger: Logger,
        onListening: @escaping @Sendable (NIOCore.SocketAddress) -> Void = { _ in }
    ) {
        self.tls = CurrentTLS(configuration.tls)
        self.journal = ListenerJournal(.grpc, of: dispatcher, logger: logger)
        self.configuration = configuration
        self.dispatcher = dispatcher
        self.admission = ConnectionAdmission(configuration.limits)
        self.authentication = CallAuthentication(authenticator)
        self.requiresCredential = authenticator.requiresCredential
        self.health = health
        self.group = group
        self.logger = logger
        self.onListening = onListening
    }

    /// Listens until shut down gracefully; then lets calls in flight finish.
    package func run() async throws {
        let transport = HTTP2ServerTransport.Custom(
            listenerFactory: Listener(front: self), config: .init(limits: self.configuration.limits))
        var router = RPCRouter<HTTP2ServerTransport.Custom<Listener>>()
        CacheService(
            dispatcher: self.dispatcher, authentication: self.authentication, peers: self.peers, journal: self.journal
        ).registerMethods(with: &router)
        HealthService(health: self.health, names: Self.healthNames).registerMethods(with: &router)
        if self.configuration.hasReflection {
            ReflectionService(files: .ours).registerMethods(with: &router)
        }
        let server = GRPCServer(transport: transport, router: router)
        do {
            try await withGracefulShutdownHandler {
                try await server.serve()
            } onGracefulShutdown: {
                server.beginGracefulShutdown()
            }
        } catch {
            // To be cancelled is to stop at once, which is what happened. Whoever is told to stop before it has begun to
            // listen fails to begin.
            guard Task.isCancelled || Task.isShuttingDownGracefully else {
                throw (error as? RuntimeError)?.cause ?? error
            }
        }
    }

    /// Puts other certificates in force, for connections that are made from now on.
    package func replace(tls: TLSContext) { self.tls.replace(tls) }

    /// Ends the connections of peers that were let in by authorities of which one is no longer trusted. To be called when
    /// the configuration was read again; credentials are shown with each call.
    package func checkCertificates() {
        for peer in self.peers.all where !self.trusts(peer) { peer.lostTrust() }
    }

    func trusts(_ peer: Peer) -> Bool {
        guard peer.certificate != nil, let tls = peer.tls else { return true }
        return self.tls.trusts(clientsOf: tls)
    }

    func listening(on address: NIOCore.SocketAddress) {
        self.logger.info("listening", metadata: ["server.address": "\(address)", "server.protocol": "grpc"])
        self.onListening(address)
    }

    /// Whether a path is that of a method of ours, as opposed to health, reflection and what is not there.
    static func isCall(_ path: String) -> Bool { self.paths.contains(path) }
}
