// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Embeds prompts as a Lookup in the cache would.
    ///
    /// - Throws: ``CacheError`` with `.unavailable`, `.resourceExhausted`, `.deadlineExceeded` or `.cancelled` if one of
    ///   them has no vector, and as ``route(cache:vary:scope:)``.
    package func embed(
        _ request: EmbedRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> EmbedOutcome {
        try await self.metrics.measure(.embed) { () async throws(CacheError) -> EmbedOutcome in
            let route = try self.route(cache: request.cache, vary: [], scope: scope)
            let embeddings = try await Self.embeddings(of: request.texts, on: route, by: deadline)
            return EmbedOutcome(identity: route.identity.description, vectors: embeddings.map(\.values))
        }
    }

    private struct Answer: Sendable {
        let place: Int
        let result: Result<Embedding, EmbedderError>
    }

    /// All at once, so that they can be one batch. The first failure gives the rest up.
    private static func embeddings(
        of prompts: [CanonicalPrompt], on route: CacheRoute, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> [Embedding] {
        let result: Result<[Embedding], EmbedderError> = await withTaskGroup(of: Answer.self) { group in
            for (place, prompt) in prompts.enumerated() {
                group.addTask {
                    Answer(place: place, result: await Self.embedding(of: prompt, on: route, by: deadline))
                }
            }
            var embeddings = [Embedding?](repeating: nil, count: prompts.count)
            var failure: EmbedderError?
            for await answer in group {
                switch answer.result {
                case .success(let embedding): embeddings[answer.place] = embedding
                case .failure(let error):
                    // Those given up for it fail after it.
                    failure = failure ?? error
                    group.cancelAll()
                }
            }
            if let failure { return .failure(failure) }
            return .success(embeddings.compactMap { $0 })
        }
        switch result {
        case .success(let embeddings): return embeddings
        case .failure(let error): throw CacheError(error)
        }
    }

    // On its own: in the closure of a task, with optimisation, the compiler makes a mess of the error's type.
    private static func embedding(
        of prompt: CanonicalPrompt, on route: CacheRoute, by deadline: ContinuousClock.Instant
    ) async -> Result<Embedding, EmbedderError> {
        do throws(EmbedderError) {
            return .success(
                try await route.pool.embed(
                    route.embedded(prompt), for: route.tenant.scope.tenant, by: deadline, priority: .lookup))
        } catch {
            return .failure(error)
        }
    }
}
