// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import HTTPEmbedder
import LocalEmbedder
import Logging
import ServiceLifecycle

/// The embedders that caches use, each behind its pool.
struct Embedders {
    /// How long one attempt to make a first vector may take, and what lies between two.
    private static let patience = Duration.seconds(30)
    private static let pauses = (first: Duration.seconds(1), longest: Duration.seconds(30))

    let pools: EmbeddingPools
    private let providers: [(name: String, embedder: HTTPEmbedder)]
    private let logger: Logger

    /// Loads the model and reads credentials; asks no provider.
    ///
    /// - Parameters:
    ///   - used: Names, the default's among them; others are not made.
    ///   - vectors: The store, if it can keep vectors.
    /// - Throws: ``SettingsError`` or ``ModelError``.
    init(
        _ settings: EmbedderSettings, used: Set<String>, vectors: (any VectorMemory)?, logger: Logger
    ) async throws {
        var (pools, made): ([String: EmbeddingPool], [String: HTTPEmbedder]) = ([:], [:])
        for name in used.sorted() where name != EmbedderSettings.localName {
            for other in settings.chain(of: name) where made[other] == nil {
                made[other] = try await Self.make(other, settings, vectors: vectors, logger: logger)
            }
        }
        for name in used {
            let embedder: any Embedder
            if name == EmbedderSettings.localName {
                embedder = try Self.local(settings.local, logger)
            } else {
                embedder = try Self.chain(settings.chain(of: name), of: made)
            }
            let persists = settings.providers[name]?.persists ?? settings.persistsLocal
            pools[name] = EmbeddingPool(
                embedder: embedder, name: name, memoryBytes: settings.memoryBytes, vectors: persists ? vectors : nil)
        }
        self.pools = EmbeddingPools(pools, default: settings.defaultName)
        self.providers = made.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        self.logger = logger
    }

    private static func local(_ settings: EmbedderSettings.Local, _ logger: Logger) throws -> LocalEmbedder {
        let embedder = try LocalEmbedder(
            files: ModelFiles(folder: settings.modelPath, verify: settings.verifiesModel),
            precision: settings.precision, threads: settings.threads)
        logger.info(
            "model loaded",
            metadata: ["embedder.identity": "\(embedder.identity)", "embedder.path": "\(embedder.instructionSet)"])
        return embedder
    }

    private static func chain(_ names: [String], of made: [String: HTTPEmbedder]) throws -> any Embedder {
        let chain = names.compactMap { made[$0] }
        guard chain.count > 1 else { return chain[0] }
        return try FallbackEmbedder(chain[0], fallingBackOn: Array(chain.dropFirst()))
    }

    private static func make(
        _ name: String, _ settings: EmbedderSettings, vectors: (any VectorMemory)?, logger: Logger
    ) async throws -> HTTPEmbedder {
        guard let configuration = settings.providers[name]?.configuration else {
            throw SettingsError("there is no embedder \(name)")
        }
        let canary = vectors.map { CanaryMemory($0, of: configuration, logger: logger) }
        let known = await canary?.known()
        do throws(CacheError) {
            return try HTTPEmbedder(
                configuration, knownCanary: known?.vector, logger: logger,
                // What could not be read must not be replaced.
                onCanary: { vector in if known?.isRead == true { canary?.keep(vector) } })
        } catch {
            throw SettingsError(error, at: "embedder \(name)", of: configuration)
        }
    }

    /// Names of those that have made no vector yet.
    var cold: Set<String> { Set(self.pools.all.filter { !$0.isReady }.map(\.name)) }

    /// Sees that providers are asked, and has each embedder make a first vector.
    ///
    /// - Parameter onReady: Called with the name of each that was cold, once it has.
    func run(onReady: @escaping @Sendable (String) -> Void) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for provider in self.providers { group.addTask { try await provider.embedder.run() } }
            for pool in self.pools.all {
                group.addTask {
                    await self.warmUp(pool)
                    if pool.isReady { onReady(pool.name) }
                }
            }
        }
    }

    /// Tries until it has succeeded; each kind of trouble is told once.
    private func warmUp(_ pool: EmbeddingPool) async {
        var pause = Self.pauses.first
        var told: Set<EmbedderError.Code> = []
        while !Task.isCancelled, !pool.isReady {
            do throws(EmbedderError) {
                try await pool.warmUp(by: .now + Self.patience)
            } catch {
                // Of a provider that comes back, one worker tries first.
                if pool.isReady { break }
                if error.code != .cancelled, told.insert(error.code).inserted {
                    self.logger.warning(
                        "embedder not ready; it is tried again",
                        metadata: ["embedder.name": "\(pool.name)", "error.code": "\(error.code.rawValue)"])
                }
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, Self.pauses.longest)
            }
        }
        guard pool.isReady else { return }
        self.logger.info(
            "embedder ready", metadata: ["embedder.name": "\(pool.name)", "embedder.identity": "\(pool.identity)"])
    }

    /// Has each embedder that is in this process make a vector, so that the ports open ready.
    func warmUpLocal() async throws(EmbedderError) {
        guard let pool = self.pools[EmbedderSettings.localName] else { return }
        try await pool.warmUp(by: .now + Self.patience)
    }

    /// Has each embedder, those that are only fallen back to as well, make a vector.
    ///
    /// - Returns: A line for each.
    func probe() async throws -> [String] {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for provider in self.providers { group.addTask { try await provider.embedder.run() } }
            defer { group.cancelAll() }
            var lines: [String] = []
            if self.pools[EmbedderSettings.localName] != nil {
                lines.append(
                    try await Self.probe(EmbedderSettings.localName) { () async throws(EmbedderError) in
                        try await self.warmUpLocal()
                    })
            }
            for provider in self.providers {
                lines.append(
                    try await Self.probe(provider.name) { () async throws(EmbedderError) in
                        _ = try await provider.embedder.probe(by: .now + Self.patience)
                    })
            }
            return lines
        }
    }

    private static func probe(
        _ name: String, _ body: () async throws(EmbedderError) -> Void
    ) async throws -> String {
        let start = ContinuousClock.now
        do throws(EmbedderError) {
            try await body()
        } catch {
            throw SettingsError("embedder \(name): \(error.code.rawValue): \(error.message)")
        }
        let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        return "embedder \(name) made a vector in \(Int(milliseconds)) ms"
    }
}

/// Runs embedders until the ports have stopped.
struct EmbedderService: Service {
    let embedders: Embedders
    let state: ServiceState

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await self.embedders.run { self.state.isWarm($0) }
            // Without a provider there is nothing to run, and a service that ends by itself ends all.
            try? await gracefulShutdown()
        }
    }
}

/// Keeps what a provider's model made of the fixed text, so that another model behind the same name is noticed by the next
/// process too.
private struct CanaryMemory: Sendable {
    private static let attempts = 5

    private let vectors: any VectorMemory
    private let identity: EmbeddingIdentity
    private let key: Digest
    private let logger: Logger

    init(_ vectors: any VectorMemory, of configuration: HTTPEmbedder.Configuration, logger: Logger) {
        self.vectors = vectors
        self.identity = configuration.identity
        var fingerprint = Fingerprint(.text)
        fingerprint.append("canary")
        fingerprint.append(configuration.identity.key)
        self.key = fingerprint.finish()
        self.logger = logger
    }

    /// Without it, the first vector of this process is what the later ones are compared with.
    ///
    /// - Returns: Also whether the store could be read, as it may have to be asked more than once.
    func known() async -> (vector: Embedding?, isRead: Bool) {
        for attempt in 1...Self.attempts {
            do throws(VectorStoreError) {
                let found = try await self.vectors.vectors(
                    [self.key], identity: self.identity.key, dimensions: self.identity.dimensions)
                return (found.first ?? nil, true)
            } catch {
                if attempt == Self.attempts { self.warn(error) }
            }
        }
        return (nil, false)
    }

    func keep(_ vector: Embedding) {
        // Not waited for: the provider's answer is on its way to whoever asked.
        Task {
            do throws(VectorStoreError) {
                // No tenant has an empty name.
                let kept = KeptVector(key: self.key, tenant: TenantID(""), vector: vector)
                try await self.vectors.remember([kept], identity: self.identity.key)
            } catch {
                self.warn(error)
            }
        }
    }

    private func warn(_ error: VectorStoreError) {
        self.logger.warning(
            "the store does not keep what tells whether a provider's model has changed",
            metadata: ["error.code": "\(error.code.rawValue)"])
    }
}
