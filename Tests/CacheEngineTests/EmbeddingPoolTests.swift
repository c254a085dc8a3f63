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
                completion: @escaping @Sendable (Result<[Embedding], EmbedderError>) -> Void
            ) { completion(.success([])) }
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

    // The machine itself, with strings for waiters.

    private func key(_ text: String) -> Digest {
        var fingerprint = Fingerprint(.text)
        fingerprint.append(text)
        return fingerprint.finish()
    }

    @Test func `texts that wait are batched in order, up to the limit`() {
        var machine = EmbeddingPoolStateMachine<String>(
            concurrency: 1, queueLimit: 10, batchLimit: 3, memoryLimit: 10)
        var first: EmbeddingPoolStateMachine<String>.Batch?
        for (id, text) in ["a", "b", "c", "d", "e"].enumerated() {
            let action = machine.embed(
                self.key(text), text: text, tenant: self.tenant, waiter: text, id: UInt64(id), deadline: self.later)
            if case .dispatch(let batch) = action { first = batch }
        }
        #expect(first?.texts == ["a"])
        let vector = Embedding(unitLength: [1])
        let action = machine.finish(first!, .success([vector]), at: .now)
        #expect(action.resumed.map(\.0) == ["a"])
        #expect(action.dispatch?.texts == ["b", "c", "d"])
    }

    @Test func `one whose deadline has passed is answered and not computed`() {
        var machine = EmbeddingPoolStateMachine<String>(
            concurrency: 1, queueLimit: 10, batchLimit: 3, memoryLimit: 10)
        let now = ContinuousClock.now
        guard
            case .dispatch(let first) = machine.embed(
                self.key("a"), text: "a", tenant: self.tenant, waiter: "a", id: 1, deadline: self.later)
        else { return #expect(Bool(false), "an idle pool dispatches at once") }
        _ = machine.embed(
            self.key("b"), text: "b", tenant: self.tenant, waiter: "b", id: 2, deadline: now + .milliseconds(5))
        _ = machine.embed(self.key("c"), text: "c", tenant: self.tenant, waiter: "c", id: 3, deadline: self.later)
        let action = machine.finish(first, .success([Embedding(unitLength: [1])]), at: now + .milliseconds(5))
        #expect(action.resumed.map(\.0) == ["a", "b"])
        #expect(action.dispatch?.texts == ["c"])
    }

    @Test func `one that everybody gave up is not computed, and frees its place`() {
        var machine = EmbeddingPoolStateMachine<String>(concurrency: 1, queueLimit: 1, batchLimit: 3, memoryLimit: 10)
        guard
            case .dispatch(let first) = machine.embed(
                self.key("a"), text: "a", tenant: self.tenant, waiter: "a", id: 1, deadline: self.later)
        else { return #expect(Bool(false), "an idle pool dispatches at once") }
        _ = machine.embed(self.key("b"), text: "b", tenant: self.tenant, waiter: "b", id: 2, deadline: self.later)
        #expect(machine.cancel(self.key("b"), id: 2) == "b")
        guard
            case .wait = machine.embed(
                self.key("c"), text: "c", tenant: self.tenant, waiter: "c", id: 3, deadline: self.later)
        else {
            return #expect(Bool(false), "the place of a text that was given up is free")
        }
        let action = machine.finish(first, .success([Embedding(unitLength: [1])]), at: .now)
        #expect(action.dispatch?.texts == ["c"])
    }
}
