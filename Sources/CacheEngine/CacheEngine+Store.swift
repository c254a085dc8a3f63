// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Stores an answer, in place of the one to the same prompt. Durable when it returns.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` for an embedding that cannot be used, `.unavailable` or
    ///   `.resourceExhausted` if the embedder or the store cannot take it, `.deadlineExceeded`, `.cancelled`.
    package func store(
        _ request: StoreRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> StoreOutcome {
        let route = self.route(cache: request.cache, vary: request.vary, scope: scope)
        let embedding = try await self.embedding(of: request.prompt, given: request.embedding, by: deadline)
        // After the embedding: it may have taken a while, and an age counts from when an entry can be found.
        let now = self.now
        let timeToLive = route.policy.timeToLive(requested: request.timeToLive, random: self.random())
        let entry = CacheEntry(
            id: route.partition.entryID(of: request.prompt), prompt: request.prompt, response: request.response,
            contentType: request.contentType, attributes: request.attributes, usage: request.usage, createdAt: now,
            expiresAt: now + timeToLive)
        let isReplacement: Bool
        do throws(VectorStoreError) {
            isReplacement = try await self.store.put(entry, embedding: embedding, in: route.partition)
        } catch {
            // The outcome is not known for certain: memory must not keep what the store may have replaced.
            self.memory.storeChanged(entry.id, in: route.partition)
            throw CacheError(error)
        }
        self.memory.storeChanged(entry.id, in: route.partition)
        route.counters.countStore()
        return StoreOutcome(id: entry.id, expiresAt: entry.expiresAt, isReplacement: isReplacement)
    }

    /// The vector of a prompt that is to be stored or removed: without one there is nothing to do.
    func embedding(
        of prompt: CanonicalPrompt, given: [Float]?, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> Embedding {
        if let given { return try Embedding(normalising: given, dimensions: self.dimensions) }
        do throws(EmbedderError) {
            return try await self.pool.embed(prompt.text, by: deadline)
        } catch {
            switch error.code {
            case .overloaded: throw CacheError(.resourceExhausted, error.message)
            case .failed: throw CacheError(.unavailable, "the embedder failed: \(error.message)")
            case .deadlineExceeded: throw CacheError(.deadlineExceeded, error.message)
            case .cancelled: throw CacheError(.cancelled, error.message)
            }
        }
    }
}

extension CacheError {
    init(_ error: VectorStoreError) {
        switch error.code {
        case .unavailable: self.init(.unavailable, "the store is not available: \(error.message)")
        case .overloaded: self.init(.resourceExhausted, "the store has too much to do: \(error.message)")
        case .corrupt: self.init(.internal, "the store's data is damaged: \(error.message)")
        }
    }
}
