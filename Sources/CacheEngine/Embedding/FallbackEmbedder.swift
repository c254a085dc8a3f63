// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Several embedders of one identity: when one cannot, the next is asked.
package final class FallbackEmbedder: Embedder {
    package let identity: EmbeddingIdentity
    /// The first one's: the others stand by.
    package let concurrency: Int
    package let batchLimit: Int
    private let embedders: [any Embedder]

    /// - Parameters:
    ///   - first: Asked for everything.
    ///   - others: Asked in this order.
    /// - Throws: ``CacheError`` with `.invalidArgument` unless all have one identity: vectors of two never meet.
    package init(_ first: any Embedder, fallingBackOn others: [any Embedder]) throws(CacheError) {
        for other in others where other.identity != first.identity {
            throw .invalidArgument(
                "fallback", "is refused: its vectors are of \(other.identity), and not of \(first.identity)")
        }
        self.embedders = [first] + others
        self.identity = first.identity
        self.concurrency = first.concurrency
        self.batchLimit = others.reduce(first.batchLimit) { min($0, $1.batchLimit) }
    }

    /// Only the texts that failed are asked for again.
    package func embed(
        _ texts: [String], by deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (EmbeddingResults) -> Void
    ) {
        self.ask(0, texts, by: deadline, completion)
    }

    private func ask(
        _ position: Int, _ texts: [String], by deadline: ContinuousClock.Instant,
        _ completion: @escaping @Sendable (EmbeddingResults) -> Void
    ) {
        // One that hangs must leave the next one time.
        let isLast = position + 1 == self.embedders.count
        let end = isLast ? deadline : min(deadline, .now + (deadline - .now) / 2)
        self.embedders[position].embed(texts, by: end) { results in
            let failed = results.indices.filter { place in
                if case .failure(let error) = results[place] { error.code != .cancelled } else { false }
            }
            guard results.count == texts.count, !failed.isEmpty, !isLast, .now < deadline
            else { return completion(results) }
            self.ask(position + 1, failed.map { texts[$0] }, by: deadline) { others in
                var results = results
                for (place, other) in zip(failed, others) { results[place] = other }
                completion(results)
            }
        }
    }
}
