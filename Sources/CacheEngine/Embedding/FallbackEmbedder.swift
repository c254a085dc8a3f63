// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Several embedders of one identity: when one cannot, the next is asked.
package final class FallbackEmbedder: Embedder {
    /// Asking another helps with these. One that refuses is a matter for whoever operates the service, and what has no
    /// time left has none for another either.
    private static let helped: Set<EmbedderError.Code> = [
        .unavailable, .overloaded, .failed, .refused, .deadlineExceeded,
    ]

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

    package func embed(
        _ texts: [String], by deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (Result<[Embedding], EmbedderError>) -> Void
    ) {
        self.embedEach(texts, by: deadline) { results in
            completion(
                Result { () throws(EmbedderError) in
                    var embeddings: [Embedding] = []
                    for result in results { embeddings.append(try result.get()) }
                    return embeddings
                })
        }
    }

    /// Only the texts that failed are asked for again.
    package func embedEach(
        _ texts: [String], by deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable ([Result<Embedding, EmbedderError>]) -> Void
    ) {
        self.askEach(0, texts, by: deadline, completion)
    }

    private func askEach(
        _ position: Int, _ texts: [String], by deadline: ContinuousClock.Instant,
        _ completion: @escaping @Sendable ([Result<Embedding, EmbedderError>]) -> Void
    ) {
        // One that hangs must leave the next one time.
        let isLast = position + 1 == self.embedders.count
        let end = isLast ? deadline : min(deadline, .now + (deadline - .now) / 2)
        self.embedders[position].embedEach(texts, by: end) { results in
            let failed = results.indices.filter { place in
                if case .failure(let error) = results[place] { Self.helped.contains(error.code) } else { false }
            }
            guard results.count == texts.count, !failed.isEmpty, !isLast, .now < deadline
            else { return completion(results) }
            self.askEach(position + 1, failed.map { texts[$0] }, by: deadline) { others in
                var results = results
                for (place, other) in zip(failed, others) { results[place] = other }
                completion(results)
            }
        }
    }
}
