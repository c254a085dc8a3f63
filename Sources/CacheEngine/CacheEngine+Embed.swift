// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Embeds prompts as a Lookup in the cache would.
    ///
    /// - Throws: ``CacheError`` with `.resourceExhausted`, `.unavailable` or `.deadlineExceeded` if there is no vector for
    ///   one of them, and as ``route(cache:vary:scope:)``.
    package func embed(
        _ request: EmbedRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> EmbedOutcome {
        try await self.metrics.measure(.embed) { () async throws(CacheError) -> EmbedOutcome in
            let route = try self.route(cache: request.cache, vary: [], scope: scope)
            var vectors: [[Float]] = []
            for text in request.texts {
                vectors.append(try await self.embedding(of: text, on: route, given: nil, by: deadline).values)
            }
            return EmbedOutcome(identity: self.pool.identity.description, vectors: vectors)
        }
    }
}
