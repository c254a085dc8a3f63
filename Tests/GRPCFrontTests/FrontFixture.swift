// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import CoreMetrics
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import NIOCore
import NIOPosix
import OpenSSLTLS
import ServiceLifecycle
import TestSupport
import Testing

@testable import GRPCFront

/// A front on a port of its own, over an engine whose parts the test has in hand.
struct TestFront: Sendable {
    typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    let port: Int
    let engine: CacheEngine
    let clock: ManualClock
    let front: GRPCFront
    let health: HealthState
    private let services: ServiceGroup

    /// Begins what SIGTERM begins.
    func beginShutdown() async { await self.services.triggerGracefulShutdown() }

    /// Runs a stock client for as long as the body runs.
    func withClient(
        _ security: HTTP2ClientTransport.Posix.TransportSecurity = .plaintext,
        _ body: (Client) async throws -> Void
    ) async throws {
        let transport = try HTTP2ClientTransport.Posix(
            target: .ipv4(address: "127.0.0.1", port: self.port), transportSecurity: security)
        try await withGRPCClient(transport: transport) { try await body($0) }
    }

    /// Runs a front for as long as the body runs.
    ///
    /// - Parameter endsGracefully: Whether to wait, after the body, until it has stopped by itself.
    static func run(
        embedder: any Embedder = HashingEmbedder(), store: MemoryVectorStore = MemoryVectorStore(),
        clock: ManualClock = ManualClock(), directory: TenantDirectory? = nil,
        authenticator: any Authenticator = SingleTenant(), limits: ConnectionLimits = ConnectionLimits(),
        tls: TLSContext? = nil, hasReflection: Bool = true, endsGracefully: Bool = false,
        goAwayNotice: Duration = Limits.goAwayNotice, metrics: any MetricsFactory = NOOPMetricsHandler.instance,
        _ body: (TestFront) async throws -> Void
    ) async throws {
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let engine = CacheEngine(
            store: store, pool: EmbeddingPool(embedder: embedder),
            memory: MemoryTier(limit: 64 << 20) { PreparedMatch($0) },
            directory: directory ?? TenantDirectory(undeclared: TenantPolicy(template: CachePolicy())),
            logger: silent, clock: clock.read, random: { 0.5 })
        var configuration = GRPCFront.Configuration(host: "127.0.0.1", port: 0)
        configuration.limits = limits
        configuration.tls = tls
        configuration.hasReflection = hasReflection
        configuration.goAwayNotice = goAwayNotice
        let ports = Mailbox<Int>()
        let health = HealthState(isServing: true)
        let front = GRPCFront(
            configuration: configuration, dispatcher: Dispatcher(engine: engine, tellsProcess: false, metrics: metrics),
            authenticator: authenticator, health: health, group: MultiThreadedEventLoopGroup.singleton,
            logger: silent, onListening: { ports.append($0.port ?? 0) })
        let services = ServiceGroup(services: [RunningFront(front: front)], logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { ports.close() }
                try await services.run()
            }
            guard let port = await ports.next() else { return try await group.waitForAll() }
            try await body(
                TestFront(
                    port: port, engine: engine, clock: clock, front: front, health: health, services: services))
            if endsGracefully { try await group.waitForAll() }
            group.cancelAll()
        }
    }
}

private struct RunningFront: Service {
    let front: GRPCFront

    func run() async throws { try await self.front.run() }
}

// MARK: Calls

struct Bytes: MessageSerializer, MessageDeserializer {
    func serialize<Serialized: GRPCContiguousBytes>(_ message: [UInt8]) -> Serialized { Serialized(message) }
    func deserialize<Serialized: GRPCContiguousBytes>(_ bytes: Serialized) -> [UInt8] {
        bytes.withUnsafeBytes { Array($0) }
    }
}

extension TestFront.Client {
    /// Calls a method of ours.
    ///
    /// - Throws: `RPCError`.
    @discardableResult
    func call(
        _ request: ServiceRequest, _ metadata: Metadata = [:], timeout: Duration? = nil
    ) async throws -> ServiceResponse {
        let method = request.method
        let answer = try await self.unary(
            "\(method.service)/\(method.rawValue)", StockMessages.request(request), metadata, timeout: timeout)
        return try StockMessages.response(method, answer)
    }

    /// Calls any method that has one request and one response.
    ///
    /// - Parameter path: Without the slash before it.
    func unary(
        _ path: String, _ message: [UInt8], _ metadata: Metadata = [:], timeout: Duration? = nil
    ) async throws -> [UInt8] {
        let parts = path.split(separator: "/")
        var options = CallOptions.defaults
        options.timeout = timeout
        return try await self.unary(
            request: ClientRequest(message: message, metadata: metadata),
            descriptor: MethodDescriptor(fullyQualifiedService: String(parts[0]), method: String(parts[1])),
            serializer: Bytes(), deserializer: Bytes(), options: options
        ) { try $0.message }
    }

    /// The error of a call that fails.
    func error(
        _ request: ServiceRequest, _ metadata: Metadata = [:], timeout: Duration? = nil
    ) async throws -> RPCError? {
        do {
            try await self.call(request, metadata, timeout: timeout)
            return nil
        } catch let error as RPCError {
            return error
        }
    }
}

extension TestFront.Client {
    /// Calls a method of ours, in vain.
    func expect(
        _ code: RPCError.Code, of request: ServiceRequest, _ metadata: Metadata = [:],
        at place: SourceLocation = #_sourceLocation
    ) async throws {
        let error = try await self.error(request, metadata)
        #expect(error?.code == code, sourceLocation: place)
    }
}

// MARK: Short forms

let serverVersion = ServiceVersion.current

func prompt(_ text: String) -> Prompt {
    do {
        return .text(try CanonicalPrompt(text))
    } catch {
        preconditionFailure("a test's prompt is refused: \(error)")
    }
}

func lookup(_ text: String, mode: LookupRequest.Mode = .both) -> ServiceRequest {
    .lookup(LookupRequest(cache: "support", prompt: prompt(text), mode: mode))
}

func store(_ text: String, _ response: String) -> ServiceRequest {
    .store(StoreRequest(cache: "support", prompt: prompt(text), response: Array(response.utf8)))
}

extension ServiceResponse {
    /// The best match's response, as text.
    var text: String? {
        guard case .lookup(.hit(let hit)) = self else { return nil }
        return String(decoding: hit.matches[0].entry.response, as: UTF8.self)
    }

    var missReason: LookupMiss.Reason? {
        guard case .lookup(.miss(let miss)) = self else { return nil }
        return miss.reason
    }
}
