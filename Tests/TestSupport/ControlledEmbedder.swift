// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Synchronization

/// An embedder that holds chosen texts until the test answers them, and answers others at once as
/// ``HashingEmbedder`` would.
package final class ControlledEmbedder: Embedder {
    /// A batch that waits for the test.
    package struct Held: Sendable {
        package let texts: [String]
        fileprivate let dimensions: Int
        fileprivate let completion: @Sendable (EmbeddingResults) -> Void

        package func succeed() {
            self.completion(self.texts.map { .success(HashingEmbedder.embedding(of: $0, dimensions: self.dimensions)) })
        }

        package func fail(_ message: String = "broken on purpose") {
            self.completion(EmbeddingResults(.failure(EmbedderError(.failed, message)), texts: self.texts.count))
        }
    }

    package let identity: EmbeddingIdentity
    package let concurrency: Int
    package let batchLimit = Limits.embeddingBatch
    private let isHeld: @Sendable (String) -> Bool
    private let batches = Mailbox<Held>()
    private let batchesSeen = Atomic<Int>(0)

    /// - Parameters:
    ///   - concurrency: Large, so that a held text does not keep others waiting, unless a test wants that.
    ///   - isHeld: Whether a batch with this text waits for the test. All do by default.
    package init(
        dimensions: Int = 64, concurrency: Int = 1024, isHeld: @escaping @Sendable (String) -> Bool = { _ in true }
    ) {
        self.identity = EmbeddingIdentity(
            provider: "test", model: "hashing", dimensions: dimensions, revision: "1")
        self.concurrency = concurrency
        self.isHeld = isHeld
    }

    /// Batches handed to the embedder so far.
    package var batchCount: Int { self.batchesSeen.load(ordering: .sequentiallyConsistent) }

    /// Waits for the next batch that is held.
    package func nextHeld() async -> Held { await self.batches.next()! }

    package func embed(
        _ texts: [String], by deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (EmbeddingResults) -> Void
    ) {
        self.batchesSeen.add(1, ordering: .sequentiallyConsistent)
        let batch = Held(texts: texts, dimensions: self.identity.dimensions, completion: completion)
        if texts.contains(where: self.isHeld) { self.batches.append(batch) } else { batch.succeed() }
    }
}
