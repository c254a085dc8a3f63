// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel

/// all-MiniLM-L6-v2 in this process, on threads of its own.
package final class LocalEmbedder: Embedder {
    package let identity: EmbeddingIdentity
    package let concurrency: Int
    /// Four together are a sixth quicker than one by one, sixteen a third; but all of a batch wait for the last of it, and
    /// so does the next tenant.
    package let batchLimit = 4
    private let tokenizer: WordPieceTokenizer
    private let encoder: MiniLMEncoder
    private let threads: WorkerThreads
    private let workspaces: BlockingQueue<MiniLMEncoder.Workspace>

    /// Loads the model.
    ///
    /// - Parameters:
    ///   - threads: At least 1; each embeds one batch at a time.
    ///   - instructionSet: Names a path of the kernels; nil is the best of this CPU. By default what `SEMCACHED_ISA`
    ///     says, which is read here and nowhere else.
    /// - Throws: ``ModelError``.
    package init(
        files: ModelFiles, precision: MiniLMEncoder.Precision, threads: Int,
        instructionSet: String? = InstructionSet.requested
    ) throws(ModelError) {
        // The quickest to check comes first.
        let isa = try InstructionSet.path(named: instructionSet)
        self.tokenizer = try WordPieceTokenizer(vocabularyFile: files.vocabulary)
        self.encoder = try MiniLMEncoder(modelFile: files.weights, precision: precision, isa: isa)
        guard self.tokenizer.vocabularyCount == self.encoder.vocabularySize else {
            throw ModelError(
                .unsupported,
                "\(files.vocabulary) has \(self.tokenizer.vocabularyCount) tokens, the model has "
                    + "\(self.encoder.vocabularySize): they are not of one model")
        }
        self.concurrency = threads
        self.threads = WorkerThreads(count: threads, maximumQueued: 2 * threads)
        self.workspaces = BlockingQueue(limit: threads)
        self.identity = EmbeddingIdentity(
            provider: "local", model: "all-MiniLM-L6-v2", dimensions: MiniLMEncoder.dimensions,
            revision: files.revision + precision.revisionSuffix)
        for _ in 0..<threads { _ = self.workspaces.append(try self.encoder.makeWorkspace()) }
    }

    /// The path of the kernels that this CPU takes.
    package var instructionSet: String { InstructionSet.name(of: self.encoder.isa) }

    package func embed(
        _ texts: [String], by deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (EmbeddingResults) -> Void
    ) {
        let isQueued = self.threads.submit { completion(EmbeddingResults(self.embedded(texts), texts: texts.count)) }
        if isQueued { return }
        let error = EmbedderError(.overloaded, "the embedder has too much to do")
        completion(EmbeddingResults(.failure(error), texts: texts.count))
    }

    private func embedded(_ texts: [String]) -> Result<[Embedding], EmbedderError> {
        // As many as there are threads: one is always free.
        guard let workspace = self.workspaces.next() else {
            return .failure(EmbedderError(.failed, "the embedder has stopped"))
        }
        defer { _ = self.workspaces.append(workspace) }
        do throws(ModelError) {
            let vectors = try self.encoder.encode(texts.map { self.tokenizer.encode($0) }, using: workspace)
            return .success(vectors.map { Embedding(unitLength: $0) })
        } catch {
            return .failure(EmbedderError(.failed, error.message))
        }
    }
}
