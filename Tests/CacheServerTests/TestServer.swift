// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import CoreMetrics
import Logging
import NIOCore
import NIOPosix
import OpenSSLTLS
import ServiceLifecycle
import TestSupport

/// A server on a port of its own, over an engine whose parts the test has in hand.
struct TestServer: Sendable {
    let address: SocketAddress
    let engine: CacheEngine
    let store: MemoryVectorStore
    let clock: ManualClock
    let server: CacheServer
    private let services: ServiceGroup

    func connect(
        from source: String? = nil, tls: TLSContext? = nil, receiveBufferBytes: Int? = nil
    ) async throws -> WireClient {
        try await WireClient.connect(
            to: self.address, from: source, tls: tls, receiveBufferBytes: receiveBufferBytes)
    }

    func open(
        from source: String? = nil, tls: TLSContext? = nil, credential: Credential = .none,
        receiveBufferBytes: Int? = nil
    ) async throws -> WireClient {
        try await WireClient.open(
            to: self.address, from: source, tls: tls, credential: credential, receiveBufferBytes: receiveBufferBytes)
    }

    /// Opens a connection where hellos have little time, which a machine that stands still for a moment takes away.
    func openInTime(tls: TLSContext? = nil) async throws -> WireClient {
        for _ in 0..<20 { if let client = try? await self.open(tls: tls) { return client } }
        return try await self.open(tls: tls)
    }

    /// Connections that the server has now, as a client of it is told.
    func connections(toldTo client: WireClient) async throws -> UInt64 {
        guard case .stats(let statistics) = try await client.ask(.stats(cache: nil)).get() else { return .max }
        return statistics.connections
    }

    /// Begins what SIGTERM begins.
    func beginShutdown() async { await self.services.triggerGracefulShutdown() }

    /// Runs a server for as long as the body runs.
    ///
    /// - Parameters:
    ///   - memoryBytes: Of L1; 0 for none.
    ///   - port: 0 for one that the system chooses.
    ///   - tls: `nil` for plain TCP.
    ///   - log: Gets what the server says.
    ///   - metrics: Gets what the server counts.
    ///   - endsGracefully: Whether to wait, after the body, until the server has stopped by itself.
    static func run(
        embedder: any Embedder = HashingEmbedder(), store: MemoryVectorStore = MemoryVectorStore(),
        clock: ManualClock = ManualClock(), memoryBytes: Int = 64 << 20, policy: CachePolicy = CachePolicy(),
        directory: TenantDirectory? = nil, authenticator: any Authenticator = SingleTenant(),
        limits: ConnectionLimits = .patient, port: Int = 0, tls: TLSContext? = nil,
        log: RecordedLog = RecordedLog(level: .info),
        metrics: any MetricsFactory = NOOPMetricsHandler.instance, endsGracefully: Bool = false,
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let engine = CacheEngine(
            store: store, pool: EmbeddingPool(embedder: embedder),
            memory: MemoryTier(limit: memoryBytes) { PreparedMatch($0) },
            directory: directory ?? TenantDirectory(undeclared: TenantPolicy(template: policy)), logger: silent,
            clock: clock.read, random: { 0.5 })
        let addresses = Mailbox<SocketAddress>()
        var configuration = CacheServer.Configuration(host: "127.0.0.1", port: port)
        configuration.limits = limits
        configuration.tls = tls
        let server = CacheServer(
            configuration: configuration,
            dispatcher: Dispatcher(
                engine: engine, tellsProcess: !authenticator.requiresCredential, metrics: metrics),
            authenticator: authenticator,
            group: MultiThreadedEventLoopGroup.singleton, logger: log.logger, onListening: { addresses.append($0) })
        let services = ServiceGroup(services: [Listener(server: server)], logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { addresses.close() }
                try await services.run()
            }
            guard let address = await addresses.next() else { return try await group.waitForAll() }
            try await body(
                TestServer(
                    address: address, engine: engine, store: store, clock: clock, server: server, services: services))
            if endsGracefully { try await group.waitForAll() }
            group.cancelAll()
        }
    }
}

extension ConnectionLimits {
    /// Nothing ends for want of time but what a test shortens.
    static var patient: Self {
        var limits = Self()
        limits.handshakeDeadline = .seconds(60)
        return limits
    }
}

private struct Listener: Service {
    let server: CacheServer

    func run() async throws { try await self.server.run() }
}

// MARK: Short forms

func prompt(_ text: String) -> Prompt {
    do {
        return .text(try CanonicalPrompt(text))
    } catch {
        preconditionFailure("a test's prompt is refused: \(error)")
    }
}

func lookup(_ text: String, mode: LookupRequest.Mode = .both) -> LookupRequest {
    LookupRequest(cache: "support", prompt: prompt(text), mode: mode)
}

func store(_ text: String, _ response: String) -> StoreRequest {
    StoreRequest(cache: "support", prompt: prompt(text), response: Array(response.utf8))
}

extension LookupOutcome {
    var hit: LookupHit? {
        guard case .hit(let hit) = self else { return nil }
        return hit
    }

    var missReason: LookupMiss.Reason? {
        guard case .miss(let miss) = self else { return nil }
        return miss.reason
    }

    /// The best match's response, as text.
    var response: String? { self.hit.map { String(decoding: $0.matches[0].entry.response, as: UTF8.self) } }
}

extension Reply {
    var error: CacheError? {
        guard case .failure(let error) = self.result else { return nil }
        return error
    }

    var lookup: LookupOutcome? {
        guard case .success(.lookup(let outcome)) = self.result else { return nil }
        return outcome
    }
}

let serverVersion = ServiceResponse.ping(serverVersion: ServiceVersion.current)
