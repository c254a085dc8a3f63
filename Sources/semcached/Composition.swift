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
import TokenVerification
import UnixSignals

/// Puts the parts together.
enum Composition {
    /// Checks what can be wrong with the settings outside of them.
    static func check(_ settings: Settings) throws {
        _ = try ModelFiles(folder: settings.modelPath, verify: settings.verifiesModel)
        _ = try Self.credentials(settings.tenants, logger: Logger(label: "semcached"))
    }

    /// Runs the service until SIGTERM or SIGINT.
    ///
    /// - Parameter read: Reads the settings again, for SIGHUP.
    static func run(_ settings: Settings, reading read: @escaping @Sendable () throws -> Settings) async throws {
        let logger = Logger(label: "semcached")
        let embedder = try Self.loadEmbedder(settings, logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.threads)
        let opened = try await OpenedStore(settings, group: group, logger: logger)
        let engine = CacheEngine(
            store: opened.store, pool: EmbeddingPool(embedder: embedder),
            memory: MemoryTier(limit: settings.memoryBytes) { PreparedMatch($0) },
            directory: settings.tenants.directory, logger: logger, clock: Self.wallClock)
        let credentials =
            settings.tenants.hasCredentials
            ? CredentialAuthenticator(try Self.credentials(settings.tenants, logger: logger)) : nil
        let server = CacheServer(
            configuration: .init(host: settings.host, port: settings.port),
            dispatcher: Dispatcher(engine: engine, tellsProcess: credentials == nil),
            authenticator: credentials ?? SingleTenant() as any Authenticator,
            group: group, logger: logger)
        let reloader = Reloader(
            engine: engine, server: server, credentials: credentials, started: settings, read: read, logger: logger)
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(service: opened.upkeep),
                .init(service: reloader),
                .init(service: Listener(server: server), failureTerminationBehavior: .gracefullyShutdownGroup),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: "semcached.lifecycle") { _ in
                SwiftLogNoOpLogHandler()
            })
        configuration.maximumGracefulShutdownDuration = settings.gracePeriod
        configuration.maximumCancellationDuration = Duration.seconds(5)
        try await ServiceGroup(configuration: configuration).run()
        await opened.close()
        logger.info("stopped")
    }

    private static func loadEmbedder(_ settings: Settings, _ logger: Logger) throws -> LocalEmbedder {
        let embedder = try LocalEmbedder(
            files: ModelFiles(folder: settings.modelPath, verify: settings.verifiesModel),
            precision: settings.precision, threads: settings.embedderThreads)
        logger.info(
            "embedder ready",
            metadata: ["embedder.identity": "\(embedder.identity)", "embedder.path": "\(embedder.instructionSet)"])
        return embedder
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
        return CredentialAuthenticator.Configuration(keys: settings.keys, tokens: verifier)
    }

    static let wallClock: @Sendable () -> Timestamp = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// The native port as a part of the service group.
struct Listener: Service {
    let server: CacheServer

    func run() async throws { try await self.server.run() }
}
