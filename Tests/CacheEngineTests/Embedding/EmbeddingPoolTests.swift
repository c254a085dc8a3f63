// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import CacheEngine

@Suite struct EmbeddingPoolTests {
    private let tenant = TenantID("acme")
    private let later = ContinuousClock.now + .seconds(60)

    @Test func `a text that many ask for is computed once, and then remembered`() async throws {
        let embedder = ControlledEmbedder()
        let pool = EmbeddingPool(embedder: embedder)
        let expected = HashingEmbedder.embedding(of: "a text")
        async let first = pool.embed("a text", for: self.tenant, by: self.later)
        let held = await embedder.nextHeld()
        try await withThrowingTaskGroup(of: Embedding.self) { group in
            for _ in 0..<50 { group.addTask { try await pool.embed("a text", for: self.tenant, by: self.later) } }
            held.succeed()
            for try await vector in group { #expect(vector == expected) }
        }
        #expect(try await first == expected)
        #expect(embedder.batchCount == 1)
        #expect(pool.counters.computed == 1)
    }

    @Test func `cancelling one caller leaves the others`() async throws {
        let embedder = ControlledEmbedder()
        let pool = EmbeddingPool(embedder: embedder)
        let first = Task { try await pool.embed("a text", for: self.tenant, by: self.later) }
        let held = await embedder.nextHeld()
        async let second = pool.embed("a text", for: self.tenant, by: self.later)
        first.cancel()
        await #expect(throws: EmbedderError(.cancelled, "the call was given up")) { try await first.value }
        held.succeed()
        #expect(try await second == HashingEmbedder.embedding(of: "a text"))
    }

    @Test func `an embedder that gives too few vectors has failed`() async throws {
        final class Short: Embedder {
            let identity = EmbeddingIdentity(provider: "test", model: "short", dimensions: 4, revision: "1")
            let concurrency = 1
            let batchLimit = 16

            func embed(
                _ texts: [String], by deadline: ContinuousClock.Instant,
                completion: @escaping @Sendable (EmbeddingResults) -> Void
            ) { completion([]) }
        }
        let pool = EmbeddingPool(embedder: Short())
        await #expect { try await pool.embed("a text", for: self.tenant, by: self.later) } throws: {
            ($0 as? EmbedderError)?.code == .failed
        }
    }

    @Test func `a task that is cancelled already does not wait`() async throws {
        let pool = EmbeddingPool(embedder: ControlledEmbedder())
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await pool.embed("a text", for: self.tenant, by: self.later)
        }
        await #expect(throws: EmbedderError(.cancelled, "the call was given up")) { try await task.value }
    }

    @Test func `a failure is not remembered`() async throws {
        let embedder = ControlledEmbedder()
        let pool = EmbeddingPool(embedder: embedder)
        let first = Task { try await pool.embed("a text", for: self.tenant, by: self.later) }
        await embedder.nextHeld().fail()
        await #expect(throws: EmbedderError.self) { try await first.value }
        async let second = pool.embed("a text", for: self.tenant, by: self.later)
        await embedder.nextHeld().succeed()
        _ = try await second
    }
}
