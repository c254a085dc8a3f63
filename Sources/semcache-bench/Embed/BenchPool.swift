// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import LocalEmbedder
import NIOCore
import NIOPosix
import Synchronization

/// A pool over an encoder of its own, and the loop on which its callers run, as they do in the service.
final class BenchPool: Sendable {
    let threads: Int
    private let pool: EmbeddingPool
    private let group: MultiThreadedEventLoopGroup
    private let executor: LoopExecutor
    private let nextText = Atomic<Int>(0)
    private let tenant = TenantID("bench")

    /// Of remembered vectors: few, so that the memory of the process is that of the queue. No text comes twice.
    private static let memoryBytes = 64 << 10

    init(threads: Int, options: Embed) throws {
        self.threads = threads
        let embedder = try LocalEmbedder(
            files: try Corpus.modelFiles(options.common.model), precision: options.precision, threads: threads)
        self.pool = EmbeddingPool(embedder: embedder, memoryBytes: Self.memoryBytes)
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.executor = LoopExecutor(self.group.any())
    }

    func close() throws { try self.group.syncShutdownGracefully() }

    /// Runs calls on the loop and waits for them.
    func wait<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
        try self.executor.wait(body)
    }

    /// Embeds a text that was never embedded before.
    func embed(by deadline: ContinuousClock.Instant) async throws(EmbedderError) {
        let number = self.nextText.add(1, ordering: .relaxed).newValue
        keep(try await self.pool.embed(SampleTexts.distinctQuestion(number), for: self.tenant, by: deadline))
    }

    /// Keeps as many calls in flight as keep all threads busy.
    ///
    /// - Returns: Texts per second.
    func rate(seconds: Double) throws -> Double {
        let start = Machine.now
        let end = start + UInt64(seconds * 1e9)
        let callers = 32 * self.threads
        let texts = try self.wait {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<callers {
                    group.addTask {
                        var texts = 0
                        while Machine.now < end {
                            try await self.embed(by: .now + .seconds(60))
                            texts += 1
                        }
                        return texts
                    }
                }
                return try await group.reduce(0, +)
            }
        }
        return Double(texts) * 1e9 / Double(Machine.now - start)
    }
}
