// SPDX-License-Identifier: Apache-2.0

import AdminServer
import CacheEngine
import CacheModel
import CacheServer
import Foundation
import GRPCFront
import Logging
import NIOCore
import OpenSSLTLS
import ServiceLifecycle
import Telemetry

/// What the ports speak TLS with: the same certificates, other protocols within.
struct PortContexts {
    let native: TLSContext
    let grpc: TLSContext

    /// Reads the files.
    ///
    /// - Throws: ``SettingsError`` naming the setting whose file will not do.
    init(_ configuration: TLSServerConfiguration) throws {
        self.native = try TLSSettings.context(configuration)
        var http = configuration
        http.applicationProtocols = [GRPCFront.applicationProtocol]
        self.grpc = try TLSSettings.context(http)
    }
}

/// The native and the gRPC port as one part of the service group: both drain at the same time.
struct Ports: Service {
    let state: ServiceState
    let dispatcher: Dispatcher
    let native: CacheServer
    /// `nil` if it is switched off.
    let grpc: GRPCFront?
    let certificateExpiry = CertificateExpiry()
    private let settings: ListenerSettings
    private let group: any EventLoopGroup
    let logger: Logger

    /// - Parameters:
    ///   - tls: `nil` for plain TCP.
    ///   - coldEmbedders: Names of those that have made no vector yet.
    init(
        _ settings: ListenerSettings, tls: PortContexts?, dispatcher: Dispatcher, authenticator: any Authenticator,
        coldEmbedders: Set<String>, group: any EventLoopGroup, logger: Logger
    ) {
        let limits = OpenFiles.limits(of: settings)
        let state = ServiceState(
            listeners: settings.grpc == nil ? ["native"] : ["native", "grpc"], coldEmbedders: coldEmbedders)
        self.state = state
        self.dispatcher = dispatcher
        self.settings = settings
        self.group = group
        self.logger = logger
        var native = CacheServer.Configuration(host: settings.native.host, port: settings.native.port)
        native.limits = limits
        native.tls = tls?.native
        self.native = CacheServer(
            configuration: native, dispatcher: dispatcher, authenticator: authenticator, group: group, logger: logger
        ) { _ in state.isListening("native") }
        self.grpc = settings.grpc.map { endpoint in
            var grpc = GRPCFront.Configuration(host: endpoint.host, port: endpoint.port)
            grpc.limits = limits
            grpc.tls = tls?.grpc
            grpc.hasReflection = settings.reflects
            return GRPCFront(
                configuration: grpc, dispatcher: dispatcher, authenticator: authenticator, health: state.health,
                group: group, logger: logger
            ) { _ in state.isListening("grpc") }
        }
        self.certificateExpiry.set(native.tls?.notAfter)
    }

    func run() async throws {
        try await withTaskCancellationHandler {
            try await self.listen()
        } onCancel: {
            // Told to stop at once, or the grace period is over.
            guard self.dispatcher.connections > 0 else { return }
            self.logger.warning(
                "stopped before all connections had ended",
                metadata: [
                    "connections": "\(self.dispatcher.connections)", "calls": "\(self.dispatcher.callsInWork)",
                ])
        }
    }

    private func listen() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            let native = Port("server", self.settings.native) { try await self.native.run() }
            group.addTask { try await native.run() }
            if let grpc, let endpoint = self.settings.grpc {
                let port = Port("grpc", endpoint) { try await grpc.run() }
                group.addTask { try await port.run() }
            }
        }
    }

    /// Puts other certificates in force, for connections that are made from now on.
    ///
    /// - Returns: Whether they are others than those before.
    func replace(tls: PortContexts) -> Bool {
        let old = self.native.replace(tls: tls.native)
        self.grpc?.replace(tls: tls.grpc)
        self.certificateExpiry.set(tls.native.notAfter)
        return old?.certificateDigest != tls.native.certificateDigest
            || old?.clientAuthorities != tls.native.clientAuthorities
    }

    /// Ends connections whose credential or certificate the settings in force no longer let in.
    func checkCredentials() {
        self.native.checkCredentials()
        self.grpc?.checkCertificates()
    }

    /// What the engine and the ports count, for whoever operates the service.
    func figures(of tenants: [TenantID]) async -> EngineFigures {
        var figures = await self.dispatcher.engine.figures(
            of: OperatorScopes.scopes(of: tenants), probing: OperatorScopes.probe)
        figures.process.connections = UInt64(max(0, self.dispatcher.connections))
        return figures
    }

    /// The operator's port; `nil` if it is switched off.
    func admin(observability: Observability, settings: @escaping @Sendable () -> Settings) -> Port? {
        guard let endpoint = self.settings.admin else { return nil }
        let pages = AdminPages(
            readiness: { self.state.checks }, metrics: { await observability.registry.exposition() },
            statistics: {
                let engine = self.dispatcher.engine
                let tenants = engine.declaredTenants + engine.undeclaredTenants
                return await self.figures(of: Array(tenants.prefix(Limits.maximumTenantsInFigures)))
            },
            configuration: { settings().given })
        let server = AdminServer(
            configuration: .init(host: endpoint.host, port: endpoint.port), pages: pages, group: self.group,
            logger: self.logger)
        return Port("admin", endpoint) { try await server.run() }
    }
}

/// A listener whose failure to listen is told by the name of its setting.
struct Port: Service {
    private let section: String
    private let endpoint: ListenerSettings.Endpoint
    private let listen: @Sendable () async throws -> Void

    init(
        _ section: String, _ endpoint: ListenerSettings.Endpoint, _ listen: @escaping @Sendable () async throws -> Void
    ) {
        self.section = section
        self.endpoint = endpoint
        self.listen = listen
    }

    func run() async throws {
        do {
            try await self.listen()
        } catch {
            guard let fault = error as? IOError else { throw error }
            throw SettingsError(
                "\(self.section).port: cannot listen on \(self.endpoint.host):\(self.endpoint.port): "
                    + String(cString: strerror(fault.errnoCode)))
        }
    }
}

/// Says, before the ports begin to stop, that the service is about to; load balancers need their time to notice.
///
/// To be the last of its group, whose members are stopped one after the other, the last one first.
struct Announcement: Service {
    let state: ServiceState
    let delay: Duration
    let logger: Logger

    func run() async {
        try? await gracefulShutdown()
        self.logger.info("stopping", metadata: ["drain_delay": "\(self.delay)"])
        self.state.isStopping()
        // Ends early if the service is told to stop at once.
        try? await Task.sleep(for: self.delay)
    }
}

/// The system's limit on open files, of which every connection is one.
enum OpenFiles {
    /// What is open besides connections: the store, the model, event loops, Redis.
    private static let others = 256

    /// Raises it as far as the system lets a process do by itself, and warns if that is too little.
    static func raiseLimit(for settings: ListenerSettings, logger: Logger) {
        var limit = rlimit()
        guard getrlimit(self.resource, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(self.resource, &limit)
        let inForce = Self.limits(of: settings).maximumConnections
        guard inForce < settings.limits.maximumConnections else { return }
        logger.warning(
            "server.maximum_connections is lowered: the system allows too few open files",
            metadata: [
                "in_force": "\(inForce)", "allowed": "\(limit.rlim_cur)",
                "needed": "\(settings.limits.maximumConnections * Self.ports(of: settings) + Self.others)",
            ])
    }

    /// The settings' limits, with no more connections than there can be files: one too many is refused, which it is told,
    /// where without a file it could not even be accepted.
    static func limits(of settings: ListenerSettings) -> ConnectionLimits {
        var limits = settings.limits
        var limit = rlimit()
        guard getrlimit(self.resource, &limit) == 0 else { return limits }
        let files = Int(clamping: limit.rlim_cur)
        let connections = max(1, (files - min(Self.others, files / 2)) / Self.ports(of: settings))
        limits.maximumConnections = min(limits.maximumConnections, connections)
        return limits
    }

    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }

    private static func ports(of settings: ListenerSettings) -> Int { settings.grpc == nil ? 1 : 2 }
}
