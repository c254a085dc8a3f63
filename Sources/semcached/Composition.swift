// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import Foundation
import LocalEmbedder
import Logging
import NIOPosix
import ServiceLifecycle
import Telemetry
import TokenVerification
import UnixSignals

/// Puts the parts together.
enum Composition {
    /// Checks what can be wrong with the settings outside of them.
    ///
    /// - Parameters:
    ///   - probesEmbedders: Whether each embedder that caches use is to make a vector, which a provider charges.
    ///   - probesJudges: Whether each judge is to be asked, likewise.
    /// - Returns: Lines that say what was found out.
    static func check(
        _ settings: Settings, probesEmbedders: Bool, probesJudges: Bool
    ) async throws -> [String] {
        let used = settings.embedders.used(by: settings.tenants.directory)
        if used.contains(EmbedderSettings.localName) {
            let local = settings.embedders.local
            _ = try ModelFiles(folder: local.modelPath, verify: local.verifiesModel)
        }
        _ = try Self.credentials(settings.tenants, logger: Logger(label: "semcached"))
        _ = try settings.tls.map { try PortContexts($0) }
        if case .redis(let redis) = settings.store { _ = try redis.server { _ in } }
        let silent = Logger(label: "semcached") { _ in SwiftLogNoOpLogHandler() }
        let embedders = try await Embedders(settings.embedders, used: used, vectors: nil, logger: silent)
        let judges = try Judges(settings.judges, logger: silent)
        return (probesEmbedders ? try await embedders.probe() : []) + (probesJudges ? try await judges.probe() : [])
    }

    /// Runs the service until SIGTERM or SIGINT.
    ///
    /// - Parameter read: Reads the settings again, for SIGHUP.
    static func run(
        _ settings: Settings, log: LogSettings, reading read: @escaping @Sendable () throws -> Settings
    ) async throws {
        let logger = Logger(label: "semcached")
        let observability = Observability(settings.telemetry, logger: logger)
        OpenFiles.raiseLimit(for: settings.listeners, logger: logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.listeners.threads)
        let opened = try await OpenedStore(settings, group: group, logger: logger)
        let embedders = try await Embedders(
            settings.embedders, used: settings.embedders.used(by: settings.tenants.directory), vectors: opened.vectors,
            logger: logger)
        let judges = try Judges(settings.judges, logger: logger)
        try await embedders.warmUpLocal()
        let engine = CacheEngine(
            store: opened.store, pools: embedders.pools,
            memory: MemoryTier(limit: settings.memoryBytes) { PreparedMatch($0) }, coherence: opened.coherence,
            judges: judges.byName, directory: settings.tenants.directory, logger: logger, clock: Self.wallClock)
        let credentials =
            settings.tenants.hasCredentials
            ? CredentialAuthenticator(try Self.credentials(settings.tenants, logger: logger)) : nil
        let ports = Ports(
            settings.listeners, tls: try settings.tls.map { try PortContexts($0) },
            dispatcher: Dispatcher(
                engine: engine, tellsProcess: credentials == nil, isTracing: observability.isTracing, logger: logger),
            authenticator: credentials ?? SingleTenant() as any Authenticator, coldEmbedders: embedders.cold,
            group: group,
            logger: logger)
        let reloader = Reloader(
            Reloader.Parts(engine: engine, ports: ports, credentials: credentials, log: log), started: settings,
            read: read, logger: logger)
        observability.collect(from: ports)
        let services: [(any Service)?] = [
            observability.exporter, opened.upkeep,
            opened.coherence.map { CoherenceService(coherence: $0, observer: engine) },
            EmbedderService(embedders: embedders, state: ports.state), JudgeService(judges: judges),
            ports.admin(observability: observability, settings: { reloader.settings }),
            reloader,
        ]
        try await Self.run(services.compactMap { $0 }, ports, settings.listeners)
        await opened.close()
        logger.info("stopped")
    }

    /// - Parameter services: Are shut down after the ports, the last one first.
    private static func run(_ services: [any Service], _ ports: Ports, _ settings: ListenerSettings) async throws {
        typealias Entry = ServiceGroupConfiguration.ServiceConfiguration
        var configuration = ServiceGroupConfiguration(
            services: services.map { Entry(service: $0) } + [
                Entry(service: ports, failureTerminationBehavior: .gracefullyShutdownGroup),
                Entry(
                    service: Announcement(state: ports.state, delay: settings.drainDelay, logger: ports.logger),
                    successTerminationBehavior: .ignore),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: "semcached.lifecycle") { _ in SwiftLogNoOpLogHandler() })
        configuration.maximumGracefulShutdownDuration = settings.drainDelay + settings.gracePeriod
        configuration.maximumCancellationDuration = Duration.seconds(5)
        try await ServiceGroup(configuration: configuration).run()
    }

    /// What lets peers in. Reads the file of token keys, if there is one.
    ///
    /// - Parameter previous: Its keys stay in force if those of the same URL cannot be fetched again.
    static func credentials(
        _ settings: TenantSettings, succeeding previous: JSONWebTokenVerifier? = nil, logger: Logger
    ) throws -> CredentialAuthenticator.Configuration {
        var verifier: JSONWebTokenVerifier?
        if let tokens = settings.tokens {
            verifier = try JSONWebTokenVerifier(tokens, succeeding: previous, logger: logger)
        }
        return CredentialAuthenticator.Configuration(
            keys: settings.keys, tokens: verifier, certificates: settings.certificates)
    }

    static let wallClock: @Sendable () -> Timestamp = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
