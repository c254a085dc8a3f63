// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel

/// An embedder without a model: each word has a pseudo-random direction, a text is the sum of its words.
///
/// Deterministic; the similarity of two texts is about the share of words that they have in common.
package final class HashingEmbedder: Embedder {
    package let identity: EmbeddingIdentity
    package let concurrency: Int
    package let batchLimit = Limits.embeddingBatch
    private let threads: WorkerThreads

    package init(dimensions: Int = 64, concurrency: Int = 2, revision: String = "1") {
        self.identity = EmbeddingIdentity(
            provider: "test", model: "hashing", dimensions: dimensions, revision: revision)
        self.concurrency = concurrency
        self.threads = WorkerThreads(count: concurrency, maximumQueued: concurrency)
    }

    deinit { self.threads.stop() }

    package func embed(
        _ texts: [String], by deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (EmbeddingResults) -> Void
    ) {
        let dimensions = self.identity.dimensions
        let isQueued = self.threads.submit {
            completion(texts.map { .success(Self.embedding(of: $0, dimensions: dimensions)) })
        }
        if isQueued { return }
        let error = EmbedderError(.failed, "more batches than the embedder works on")
        completion(EmbeddingResults(.failure(error), texts: texts.count))
    }

    /// The vector of a text: what a test compares with.
    package static func embedding(of text: String, dimensions: Int = 64) -> Embedding {
        var sum = [Double](repeating: 0, count: dimensions)
        for word in text.split(separator: " ") {
            // FNV-1a of the word seeds its direction.
            let seed = word.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            var generator = SeededGenerator(seed)
            for position in sum.indices { sum[position] += Double.random(in: -1...1, using: &generator) }
        }
        let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return Embedding(unitLength: sum.map { Float($0 / max(length, .leastNormalMagnitude)) })
    }
}
