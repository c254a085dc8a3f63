// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Turns texts into vectors.
package protocol Embedder: Sendable {
    var identity: EmbeddingIdentity { get }
    /// Batches that it works on at the same time; the pool never hands it more.
    var concurrency: Int { get }
    /// Texts that it gains by having together. All of a batch wait for the last of it.
    var batchLimit: Int { get }

    /// Embeds a batch on a thread of its own and returns at once.
    ///
    /// A closure instead of `async`: the pool dispatches its next batch from the thread that finished the last one, with
    /// no task and no hop between them.
    ///
    /// - Parameters:
    ///   - texts: 1…``Limits/embeddingBatch`` texts.
    ///   - deadline: The latest of whoever waits: nobody wants the vectors any more after it.
    ///   - completion: Called exactly once, from any thread. The texts of a batch are of different callers: one that is at
    ///     fault by itself fails alone.
    func embed(
        _ texts: [String], by deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (EmbeddingResults) -> Void
    )
}

/// What became of each text of a batch, in order.
package typealias EmbeddingResults = [Result<Embedding, EmbedderError>]

extension EmbeddingResults {
    /// Of texts that were embedded, or failed, all together.
    package init(_ batch: Result<[Embedding], EmbedderError>, texts: Int) {
        switch batch {
        case .success(let embeddings): self = embeddings.map { .success($0) }
        case .failure(let error): self = Self(repeating: .failure(error), count: texts)
        }
    }
}

/// Why there is no vector.
package struct EmbedderError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The queue is full, or its provider says that there is too much to do.
        case overloaded
        /// The embedder could not do it.
        case failed
        /// What it needs cannot be reached, or has failed so often that it is left alone for a while.
        case unavailable
        /// Its provider refuses: the credential, the model, or an answer that is not of the model that was asked for.
        case refused
        case deadlineExceeded = "deadline_exceeded"
        case cancelled
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(self.code.rawValue): \(self.message)" }
}
