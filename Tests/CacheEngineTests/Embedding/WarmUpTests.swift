// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import CacheEngine

@Suite struct WarmUpTests {
    private let tenant = TenantID("acme")
    private let later = ContinuousClock.now + .seconds(60)

    @Test func `each worker embeds a text at the same time, and again the next time`() async throws {
        let embedder = ControlledEmbedder(concurrency: 3)
        let pool = EmbeddingPool(embedder: embedder)
        for round in 1...2 {
            async let done: Void = pool.warmUp(by: self.later)
            // None is answered before all are there: they are not one after the other.
            var held: [ControlledEmbedder.Held] = []
            for _ in 0..<3 { held.append(await embedder.nextHeld()) }
            #expect(held.allSatisfy { $0.texts.count == 1 } && Set(held.flatMap(\.texts)).count == 3)
            for batch in held { batch.succeed() }
            try await done
            #expect(pool.isReady && embedder.batchCount == 3 * round)
        }
    }

    @Test func `a pool is ready once there was a vector, and not before`() async throws {
        let embedder = ControlledEmbedder(concurrency: 1)
        let pool = EmbeddingPool(embedder: embedder)
        #expect(!pool.isReady)
        let warmUp = Task { try await pool.warmUp(by: self.later) }
        await embedder.nextHeld().fail()
        await #expect { try await warmUp.value } throws: { ($0 as? EmbedderError)?.code == .failed }
        #expect(!pool.isReady)
        async let embedded = pool.embed("a text", for: self.tenant, by: self.later)
        await embedder.nextHeld().succeed()
        _ = try await embedded
        #expect(pool.isReady)
    }

    @Test func `a vector of another dimension is a failure and not remembered`() async throws {
        struct Other: Embedder {
            let identity = EmbeddingIdentity(provider: "test", model: "other", dimensions: 4, revision: "1")
            let concurrency = 1
            let batchLimit = 16

            func embed(
                _ texts: [String], by deadline: ContinuousClock.Instant,
                completion: @escaping @Sendable (EmbeddingResults) -> Void
            ) { completion(texts.map { _ in .success(Embedding(unitLength: [1, 0, 0])) }) }
        }
        let pool = EmbeddingPool(embedder: Other())
        for _ in 0..<2 {
            await #expect { try await pool.embed("a text", for: self.tenant, by: self.later) } throws: {
                ($0 as? EmbedderError)?.code == .failed
            }
        }
        #expect(!pool.isReady && pool.counters.computed == 0)
    }
}
