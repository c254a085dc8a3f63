// SPDX-License-Identifier: Apache-2.0

import CacheModel
import MetricsTestKit
import Synchronization
import TestSupport
import Testing

@testable import CacheEngine

/// Vectors that outlive the pool.
@Suite struct KeptVectorsTests {
    private let tenant = TenantID("acme")
    private let later = ContinuousClock.now + .seconds(60)

    /// Keeps vectors in a dictionary, and fails on demand.
    private final class Memory: VectorMemory {
        private let kept = Mutex<[Digest: KeptVector]>([:])
        private let isBroken = Mutex(false)
        let writes = Mailbox<Int>()

        var all: [KeptVector] { self.kept.withLock { Array($0.values) } }

        func fail() { self.isBroken.withLock { $0 = true } }

        func vectors(
            _ keys: [Digest], identity: Digest, dimensions: Int
        ) async throws(VectorStoreError) -> [Embedding?] {
            if self.isBroken.withLock({ $0 }) { throw VectorStoreError(.unavailable, "broken on purpose") }
            return self.kept.withLock { kept in keys.map { kept[$0]?.vector } }
        }

        func remember(_ vectors: [KeptVector], identity: Digest) async throws(VectorStoreError) {
            defer { self.writes.append(vectors.count) }
            if self.isBroken.withLock({ $0 }) { throw VectorStoreError(.unavailable, "broken on purpose") }
            self.kept.withLock { kept in for vector in vectors { kept[vector.key] = vector } }
        }
    }

    @Test func `what one pool computed another one reads, and only of the same tenant and model`() async throws {
        let (memory, embedder) = (Memory(), ControlledEmbedder(isHeld: { _ in false }))
        let first = EmbeddingPool(embedder: embedder, vectors: memory)
        let vector = try await first.embed("a text", for: self.tenant, by: self.later)
        #expect(await memory.writes.next() == 1)
        #expect(memory.all.map(\.tenant) == [self.tenant] && memory.all.map(\.vector) == [vector])

        let second = EmbeddingPool(embedder: embedder, vectors: memory)
        #expect(try await second.embed("a text", for: self.tenant, by: self.later) == vector)
        #expect(second.counters.computed == 0 && second.counters.restored == 1)
        #expect(!second.isReady, "the embedder has not proved itself")
        _ = try await second.embed("a text", for: self.tenant, by: self.later)
        #expect(second.counters.restored == 1 && second.counters.remembered == 1)
        #expect(embedder.batchCount == 1)

        _ = try await second.embed("a text", for: TenantID("rival"), by: self.later)
        let other = EmbeddingPool(embedder: HashingEmbedder(revision: "2"), vectors: memory)
        _ = try await other.embed("a text", for: self.tenant, by: self.later)
        #expect(embedder.batchCount == 2 && other.counters.computed == 1)
        // A vector that is kept under the key with other dimensions is none.
        #expect(await memory.writes.next() == 1)
        #expect(await memory.writes.next() == 1)
        #expect(Set(memory.all.map(\.key)).count == 3)
    }

    @Test func `warming up neither reads nor keeps vectors`() async throws {
        let memory = Memory()
        let pool = EmbeddingPool(embedder: HashingEmbedder(), vectors: memory)
        try await pool.warmUp(by: self.later)
        _ = try await pool.embed("a text", for: self.tenant, by: self.later)
        var written = 0
        while written < 1 { written += await memory.writes.next() ?? 1 }
        #expect(memory.all.map(\.tenant) == [self.tenant])
    }

    @Test func `trouble costs a computation, and is counted`() async throws {
        let (memory, metrics) = (Memory(), TestMetrics())
        memory.fail()
        let pool = EmbeddingPool(embedder: HashingEmbedder(), vectors: memory, metrics: metrics)
        let vector = try await pool.embed("a text", for: self.tenant, by: self.later)
        #expect(vector == HashingEmbedder.embedding(of: "a text"))
        _ = await memory.writes.next()
        while pool.writes.load(ordering: .relaxed) > 0 { await Task.yield() }
        for operation in ["read", "write"] {
            let labels = [("embedder", "default"), ("operation", operation)]
            #expect(try metrics.expectCounter("semcache_vector_memory_errors_total", labels).totalValue == 1)
        }
    }
}
