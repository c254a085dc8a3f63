// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Synchronization
import TestSupport
import Testing

struct FallbackEmbedderTests {
    /// Answers as it is told, and counts.
    private final class Scripted: Embedder {
        let identity: EmbeddingIdentity
        let concurrency: Int
        let batchLimit: Int
        let calls = Atomic<Int>(0)
        private let error: EmbedderError?

        init(_ error: EmbedderError.Code?, model: String = "m", concurrency: Int = 1, batchLimit: Int = 16) {
            self.identity = EmbeddingIdentity(provider: "p", model: model, dimensions: 8, revision: "1")
            self.error = error.map { EmbedderError($0, "on purpose") }
            self.concurrency = concurrency
            self.batchLimit = batchLimit
        }

        func embed(
            _ texts: [String], by deadline: ContinuousClock.Instant,
            completion: @escaping @Sendable (EmbeddingResults) -> Void
        ) {
            self.calls.add(1, ordering: .sequentiallyConsistent)
            completion(
                texts.map { text in
                    self.error.map { .failure($0) }
                        ?? .success(HashingEmbedder.embedding(of: text, dimensions: 8))
                })
        }

        var count: Int { self.calls.load(ordering: .sequentiallyConsistent) }
    }

    /// Takes all texts but "bad", unless it takes all.
    private final class Choosy: Embedder {
        let identity = EmbeddingIdentity(provider: "p", model: "m", dimensions: 8, revision: "1")
        let concurrency = 1
        let batchLimit = 16
        private let takesAll: Bool
        private let batches = Mutex<[[String]]>([])

        init(takesAll: Bool = false) { self.takesAll = takesAll }

        var asked: [[String]] { self.batches.withLock { $0 } }

        static func embedding(of text: String) -> Embedding { HashingEmbedder.embedding(of: text, dimensions: 8) }

        func embed(
            _ texts: [String], by deadline: ContinuousClock.Instant,
            completion: @escaping @Sendable (EmbeddingResults) -> Void
        ) {
            self.batches.withLock { $0.append(texts) }
            completion(
                texts.map { text in
                    self.takesAll || text != "bad"
                        ? .success(Self.embedding(of: text)) : .failure(EmbedderError(.failed, "on purpose"))
                })
        }
    }

    private func result(
        _ embedder: FallbackEmbedder, by deadline: ContinuousClock.Instant = .now + .seconds(30)
    ) async -> Result<Embedding, EmbedderError> {
        let results = await withCheckedContinuation { continuation in
            embedder.embed(["a"], by: deadline) { continuation.resume(returning: $0) }
        }
        #expect(results.count == 1)
        return results[0]
    }

    @Test(arguments: [EmbedderError.Code.unavailable, .overloaded, .failed, .refused, .deadlineExceeded])
    func `the next one is asked when one cannot`(_ code: EmbedderError.Code) async throws {
        let (first, second, third) = (Scripted(code), Scripted(code), Scripted(nil))
        let chain = try FallbackEmbedder(first, fallingBackOn: [second, third])
        #expect(try await self.result(chain).get() == HashingEmbedder.embedding(of: "a", dimensions: 8))
        #expect([first.count, second.count, third.count] == [1, 1, 1])
    }

    @Test func `nobody else is asked while the first one can`() async throws {
        let (first, second) = (Scripted(nil), Scripted(nil))
        _ = try await self.result(try FallbackEmbedder(first, fallingBackOn: [second])).get()
        #expect([first.count, second.count] == [1, 0])
    }

    @Test(arguments: [EmbedderError.Code.cancelled])
    func `what another would not help with is told at once`(_ code: EmbedderError.Code) async throws {
        let (first, second) = (Scripted(code), Scripted(nil))
        let result = await self.result(try FallbackEmbedder(first, fallingBackOn: [second]))
        #expect(throws: EmbedderError(code, "on purpose")) { try result.get() }
        #expect(second.count == 0)
    }

    @Test func `only the texts that failed are asked of the next one`() async throws {
        let (first, second) = (Choosy(), Choosy(takesAll: true))
        let chain = try FallbackEmbedder(first, fallingBackOn: [second])
        let results = await withCheckedContinuation { continuation in
            chain.embed(["good", "bad", "fine"], by: .now + .seconds(30)) { continuation.resume(returning: $0) }
        }
        #expect(try results.map { try $0.get() } == ["good", "bad", "fine"].map { Choosy.embedding(of: $0) })
        #expect(second.asked == [["bad"]])
    }

    @Test func `the last one's error is told when none can`() async throws {
        let chain = try FallbackEmbedder(Scripted(.failed), fallingBackOn: [Scripted(.overloaded)])
        let result = await self.result(chain)
        #expect(throws: EmbedderError(.overloaded, "on purpose")) { try result.get() }
    }

    @Test func `no other is asked when no time is left`() async throws {
        let second = Scripted(nil)
        let chain = try FallbackEmbedder(Scripted(.unavailable), fallingBackOn: [second])
        let result = await self.result(chain, by: .now - .seconds(1))
        #expect(throws: EmbedderError.self) { try result.get() }
        #expect(second.count == 0)
    }

    @Test func `a chain of two identities is refused and names both`() {
        let error = #expect(throws: CacheError.self) {
            try FallbackEmbedder(Scripted(nil, model: "one"), fallingBackOn: [Scripted(nil, model: "two")])
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("p/one/8/1") == true)
        #expect(error?.message.contains("p/two/8/1") == true)
    }

    @Test func `it takes as much at once as the first, and batches that fit all`() throws {
        let first = Scripted(nil, concurrency: 3, batchLimit: 16)
        let chain = try FallbackEmbedder(first, fallingBackOn: [Scripted(nil, concurrency: 9, batchLimit: 4)])
        #expect(chain.concurrency == 3)
        #expect(chain.batchLimit == 4)
        #expect(chain.identity == first.identity)
    }
}
