// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Logging
import TestSupport
import Testing

/// Caches that choose their embedder.
@Suite struct SeveralEmbeddersTests {
    private let scope = TenantScope(authenticated: TenantID("acme"))
    private let store = MemoryVectorStore()
    private let small = EmbeddingPool(embedder: HashingEmbedder(dimensions: 8), name: "small")
    private let large = EmbeddingPool(embedder: HashingEmbedder(dimensions: 3072), name: "large")
    private let engine: CacheEngine
    private let later = ContinuousClock.now + .seconds(60)

    init() {
        var policy = TenantPolicy()
        policy.declare("plain", CachePolicy(timeToLiveJitter: 0))
        policy.declare("rich", CachePolicy(timeToLiveJitter: 0, embedder: "large"))
        policy.declare("chosen", CachePolicy(timeToLiveJitter: 0, embedder: "small"))
        policy.declare("broken", CachePolicy(embedder: "gone"))
        self.engine = CacheEngine(
            store: self.store, pools: EmbeddingPools(["small": self.small, "large": self.large], default: "small"),
            memory: MemoryTier(limit: 1 << 20), directory: TenantDirectory(undeclared: policy),
            logger: Logger(label: "test"), clock: { Timestamp(milliseconds: 1) })
    }

    private func embed(
        _ texts: [String], cache: String, scope: TenantScope? = nil
    ) async throws -> (identity: String, vectors: [Embedding]) {
        let request = EmbedRequest(cache: cache, texts: try texts.map { try CanonicalPrompt($0) })
        let outcome = try await self.engine.embed(request, scope: scope ?? self.scope, by: self.later)
        return (outcome.identity, outcome.vectors.map { Embedding(unitLength: $0) })
    }

    private func keep(_ prompt: Prompt, _ response: String, cache: String) async throws {
        _ = try await self.engine.store(
            StoreRequest(cache: cache, prompt: prompt, response: Array(response.utf8)), scope: self.scope,
            by: self.later)
    }

    private func find(_ prompt: Prompt, cache: String, mode: LookupRequest.Mode = .semantic) async throws -> String? {
        try await self.engine.lookup(
            LookupRequest(cache: cache, prompt: prompt, mode: mode), scope: self.scope, by: self.later
        ).text
    }

    private func route(_ cache: String) throws -> CacheRoute {
        try self.engine.route(cache: cache, vary: [], scope: self.scope)
    }

    @Test func `the same prompt in two caches is embedded by each one's embedder and never mixes`() async throws {
        let prompt = Prompt.text(try CanonicalPrompt("a question of two caches"))
        try await self.keep(prompt, "plain", cache: "plain")
        #expect(self.small.counters.computed == 1 && self.large.counters.computed == 0)
        #expect(try await self.find(prompt, cache: "rich") == nil)
        try await self.keep(prompt, "rich", cache: "rich")
        #expect(self.small.counters.computed == 1 && self.large.counters.computed == 1)
        #expect(try await self.find(prompt, cache: "plain") == "plain")
        #expect(try await self.find(prompt, cache: "rich") == "rich")
        #expect(try await self.find(prompt, cache: "chosen") == nil)
        let (plain, rich, chosen) = (try self.route("plain"), try self.route("rich"), try self.route("chosen"))
        #expect(plain.identity.dimensions == 8 && rich.identity.dimensions == 3072)
        #expect(chosen.identity == plain.identity && chosen.pool === plain.pool)
        #expect(plain.partition.identity == plain.identity.key && rich.partition.identity == rich.identity.key)
        #expect(plain.partition.key != rich.partition.key)
    }

    @Test func `a chat with a context is of its cache's embedder`() async throws {
        let chat = Prompt.chat([
            ChatMessage(role: "system", content: "be brief"), ChatMessage(role: "user", content: "what is it?"),
        ])
        try await self.keep(chat, "rich", cache: "rich")
        #expect(try await self.find(chat, cache: "rich") == "rich")
        #expect(try await self.find(chat, cache: "plain") == nil)
        let size = try await self.store.sizes(
            of: self.scope, identities: [self.large.identity.key], at: Timestamp(milliseconds: 1))
        #expect(size.entries == 1 && size.orphanedEntries == 0)
    }

    @Test func `a vector of the caller's has the dimension of the cache's embedder`() async throws {
        let prompt = Prompt.text(try CanonicalPrompt("q"))
        for (cache, dimensions) in [("plain", 3072), ("rich", 8)] {
            let request = LookupRequest(
                cache: cache, prompt: prompt, mode: .semantic, embedding: [Float](repeating: 1, count: dimensions))
            await #expect {
                _ = try await self.engine.lookup(request, scope: self.scope, by: self.later)
            } throws: {
                ($0 as? CacheError)?.code == .invalidArgument
            }
        }
    }

    @Test func `entries of all embedders in use are none's orphans, and each is shown`() async throws {
        let prompt = Prompt.text(try CanonicalPrompt("q"))
        for cache in ["plain", "rich"] { try await self.keep(prompt, cache, cache: cache) }
        let statistics = try await self.engine.statistics(cache: nil, scope: self.scope)
        #expect(statistics.tenant.entries == 2 && statistics.tenant.orphanedEntries == 0)
        #expect(statistics.embedder == "test/hashing/8/1, test/hashing/3072/1")
        let figures = await self.engine.figures(of: [self.scope], probing: CacheScope("", of: self.scope))
        #expect(figures.embedders.map(\.name) == ["large", "small"])
        #expect(figures.embedders.map(\.computed) == [1, 1] && figures.embedders.allSatisfy { $0.isReady })
        #expect(figures.process.embeddingsComputed == 2)
        let computed = try #require(figures.families.first { $0.name == "semcache_embeddings_computed_total" })
        #expect(computed.samples.map { $0.labels.map(\.value) } == [["large"], ["small"]])
    }

    @Test func `an embedder that there is not is an error that says so`() async throws {
        let error = try #require(throws: CacheError.self) { try self.route("broken") }
        #expect(error.code == .failedPrecondition && error.message.contains("embedder"))
    }

    @Test func `texts are embedded as a Lookup of the cache would`() async throws {
        let texts = ["  two   words ", "another", "two words"]
        let (identity, vectors) = try await self.embed(texts, cache: "rich")
        #expect(identity == self.large.identity.description)
        #expect(
            vectors
                == ["two words", "another", "two words"].map { HashingEmbedder.embedding(of: $0, dimensions: 3072) })
        #expect(self.large.counters.computed == 2)
        try await self.keep(.text(try CanonicalPrompt("two words")), "known", cache: "rich")
        #expect(self.large.counters.computed == 2)
    }

    @Test func `as many texts as are allowed get their vectors, each its own`() async throws {
        let most = (0..<Limits.maximumEmbedTexts).map { "text \($0)" }
        let (_, vectors) = try await self.embed(most, cache: "plain")
        #expect(vectors == most.map { HashingEmbedder.embedding(of: $0, dimensions: 8) })
    }

    @Test func `the removal of a whole tenant forgets its vectors, and only its`() async throws {
        let rival = TenantScope(authenticated: TenantID("rival"))
        for scope in [self.scope, rival] {
            _ = try await self.embed(["q"], cache: "plain", scope: scope)
        }
        _ = try await self.engine.invalidate(
            InvalidateRequest(cache: "", selector: .wholeTenant(confirmation: "acme"), isDryRun: false),
            scope: self.scope, by: self.later)
        for scope in [rival, self.scope] {
            _ = try await self.embed(["q"], cache: "plain", scope: scope)
        }
        #expect(self.small.counters.computed == 3 && self.small.counters.remembered == 1)
    }
}
