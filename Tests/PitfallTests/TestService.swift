// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import EmbeddedStore
import FoundationEssentials
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import TestSupport

/// A folder of its own, gone when the test is over.
final class Folder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "pitfalls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        self.path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    var file: String { "\(self.path)/cache.db" }
}

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// The service as it is composed, but for the embedder and the clock: a file, memory, credentials, a port of its own.
struct TestService: Sendable {
    let address: SocketAddress
    let engine: CacheEngine
    let store: EmbeddedStore
    let clock: ManualClock
    let folder: Folder

    /// What holds for tenants in these tests, unless one says otherwise: nothing is random, and nothing hides what
    /// another tenant's entries would do.
    static let policy = CachePolicy(similarityThreshold: 0.8, similarityFloor: -1, timeToLiveJitter: 0)
    static let open = TenantDirectory(undeclared: TenantPolicy(template: Self.policy))

    func connect(_ key: String) async throws -> WireClient {
        try await WireClient.open(to: self.address, credential: .apiKey(key))
    }

    /// Runs the service for as long as the body runs.
    ///
    /// - Parameters:
    ///   - folder: Where the file lies, or will.
    ///   - grants: Of the keys that are known; one for the tenant "a" that is its name if `nil`.
    static func run(
        folder: Folder? = nil, embedder: any Embedder = HashingEmbedder(), clock: ManualClock = ManualClock(),
        directory: TenantDirectory = Self.open, grants: [APIKeyGrant]? = nil, tokens: (any TokenVerifier)? = nil,
        logger: Logger = silent, _ body: (TestService) async throws -> Void
    ) async throws {
        let folder = try folder ?? Folder()
        let store = try EmbeddedStore(path: folder.file, logger: logger)
        let engine = CacheEngine(
            store: store, pool: EmbeddingPool(embedder: embedder),
            memory: MemoryTier(limit: 64 << 20) { PreparedMatch($0) }, directory: directory, logger: logger,
            clock: clock.read, random: { 0.5 })
        let addresses = Mailbox<SocketAddress>()
        let server = CacheServer(
            configuration: CacheServer.Configuration(host: "127.0.0.1", port: 0),
            dispatcher: Dispatcher(engine: engine, tellsProcess: false),
            authenticator: CredentialAuthenticator(.init(keys: grants ?? [.tenant("a", key: "a")], tokens: tokens)),
            group: MultiThreadedEventLoopGroup.singleton, logger: logger, onListening: { addresses.append($0) })
        let services = ServiceGroup(services: [Listener(server: server)], logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { addresses.close() }
                try await services.run()
            }
            guard let address = await addresses.next() else { return try await group.waitForAll() }
            let service = TestService(address: address, engine: engine, store: store, clock: clock, folder: folder)
            try await body(service)
            group.cancelAll()
        }
        await store.close()
    }

    /// Runs the service for one tenant and one connection of it.
    static func run(
        embedder: any Embedder = HashingEmbedder(), directory: TenantDirectory = Self.open,
        _ body: (TestService, WireClient) async throws -> Void
    ) async throws {
        try await self.run(embedder: embedder, directory: directory) { service in
            try await body(service, try await service.connect("a"))
        }
    }
}

private struct Listener: Service {
    let server: CacheServer

    func run() async throws { try await self.server.run() }
}

extension APIKeyGrant {
    init(key: String, _ tenancy: GrantedTenancy, _ roles: Roles) {
        var hasher = SHA256Hasher()
        Array(key.utf8).withUnsafeBytes { hasher.update($0) }
        self.init(digest: hasher.finish(), tenancy: tenancy, roles: roles)
    }

    static func tenant(_ name: String, key: String, _ roles: Roles = .all) -> Self {
        Self(key: key, .tenant(TenantID(name)), roles)
    }

    /// - Parameter tenants: Those that it may name; any if `nil`.
    static func gateway(_ tenants: [String]?, key: String) -> Self {
        Self(key: key, .gateway(tenants.map { Set($0.map { TenantID($0) }) }), .all)
    }
}

// MARK: Short forms

/// What no answer should be.
struct Unexpected: Error, CustomStringConvertible {
    let description: String
}

/// A text that is a prompt for sure.
func text(_ text: String) -> Prompt {
    do {
        return .text(try CanonicalPrompt(text))
    } catch {
        preconditionFailure("a test's prompt is refused: \(error)")
    }
}

func lookup(
    _ prompt: String, cache: String = "support", vary: [VaryPart] = [], filter: MetadataFilter? = nil,
    threshold: Float? = nil, topK: Int = 1, maximumAge: Duration? = nil, mode: LookupRequest.Mode = .both
) -> LookupRequest {
    LookupRequest(
        cache: cache, prompt: text(prompt), vary: vary, filter: filter, similarityThreshold: threshold, topK: topK,
        maximumAge: maximumAge, mode: mode)
}

func store(
    _ prompt: String, _ response: String, cache: String = "support", vary: [VaryPart] = [],
    attributes: [Attribute] = [], timeToLive: Duration? = nil
) -> StoreRequest {
    StoreRequest(
        cache: cache, prompt: text(prompt), vary: vary, response: Array(response.utf8), attributes: attributes,
        timeToLive: timeToLive)
}

func invalidate(
    _ selector: InvalidateRequest.Selector, cache: String = "support", isDryRun: Bool = false
) -> InvalidateRequest {
    InvalidateRequest(cache: cache, selector: selector, isDryRun: isDryRun)
}

func tags(_ tags: String...) -> Attribute { Attribute(name: Attribute.tagsName, value: .strings(tags)) }

extension CacheEntry {
    var text: String { String(decoding: self.response, as: UTF8.self) }
}

extension LookupOutcome {
    var hit: LookupHit? {
        guard case .hit(let hit) = self else { return nil }
        return hit
    }

    var miss: LookupMiss? {
        guard case .miss(let miss) = self else { return nil }
        return miss
    }

    /// The best match's response, as text.
    var response: String? { self.hit?.matches[0].entry.text }
    var responses: Set<String> { Set(self.hit?.matches.map(\.entry.text) ?? []) }
}

extension WireClient {
    /// The error of a call; `nil` if it was answered.
    func error(_ request: ServiceRequest, tenant: String? = nil) async throws -> CacheError? {
        guard case .failure(let error) = try await self.ask(request, tenant: tenant) else { return nil }
        return error
    }

    /// The error of a call that is written by hand.
    func error(_ call: ProtobufBytes) async throws -> CacheError? {
        try await self.send(bytes: call.frame)
        guard case .failure(let error) = try await self.nextReply().result else { return nil }
        return error
    }

    func statistics(tenant: String? = nil) async throws -> ServiceStatistics {
        guard case .stats(let statistics) = try await self.ask(.stats(cache: nil), tenant: tenant).get() else {
            throw Unexpected(description: "not the answer to a stats")
        }
        return statistics
    }

    /// All of a cache, in pages of a few.
    func export(_ cache: String) async throws -> [ExportedEntry] {
        var (request, all) = (ExportRequest(cache: cache, pageSize: 5), [ExportedEntry]())
        repeat {
            guard case .export(let page) = try await self.ask(.export(request)).get() else {
                throw Unexpected(description: "not the answer to an export")
            }
            all += page.entries
            request.cursor = page.cursor
        } while request.cursor != nil
        return all
    }

    /// Entries of the tenant.
    func entries() async throws -> Int { Int(try await self.statistics().tenant.entries) }

    /// Stores with many calls in flight, so that they share commits.
    func storeAll(_ requests: [StoreRequest]) async throws {
        for start in stride(from: 0, to: requests.count, by: 256) {
            let part = requests[start..<min(start + 256, requests.count)]
            for (position, request) in part.enumerated() {
                try await self.send(.store(request), id: UInt64(1 + position))
            }
            for _ in part { _ = try await self.nextReply().result.get() }
        }
    }
}
