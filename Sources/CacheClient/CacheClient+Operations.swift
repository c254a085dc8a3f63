// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension CacheClient {
    /// Removes entries. When it returns, none of them is served any more.
    ///
    /// - Parameters:
    ///   - target: Which ones.
    ///   - cache: Name of the cache; `default` if `nil`. Not with a whole tenant.
    ///   - isDryRun: Whether only to count them and name some.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func invalidate(
        _ target: InvalidationTarget, in cache: String? = nil, isDryRun: Bool = false, timeout: Duration? = nil
    ) async throws(CacheClientError) -> InvalidationReceipt {
        let isTenant = if case .wholeTenant = target { true } else { false }
        guard !isTenant || cache == nil else {
            throw .invalid("cache", "is given, but the whole tenant is to be removed")
        }
        let request = InvalidateRequest(
            cache: isTenant ? "" : cache ?? "default", selector: try target.selector(), isDryRun: isDryRun)
        guard case .invalidate(let outcome) = try await self.call(.invalidate(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return InvalidationReceipt(outcome)
    }

    /// Reads the server's counters and sizes.
    ///
    /// - Parameters:
    ///   - cache: One cache, or all if `nil`.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func statistics(
        of cache: String? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> ServerStatistics {
        guard case .stats(let statistics) = try await self.call(.stats(cache: cache), timeout: timeout) else {
            throw .anotherAnswer
        }
        return ServerStatistics(statistics)
    }

    /// Embeds texts with a cache's model, as a lookup of them would.
    ///
    /// - Parameters:
    ///   - texts: 1…64 prompts.
    ///   - cache: Whose model.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Returns: One vector of unit length for each text, in order. Handed to a lookup or a store of the same cache, it
    ///   spares the server the work.
    /// - Throws: ``CacheClientError``.
    public func embed(
        _ texts: [String], in cache: String = "default", timeout: Duration? = nil
    ) async throws(CacheClientError) -> TextEmbeddings {
        var prompts: [CanonicalPrompt] = []
        for text in texts { prompts.append(try .make(text, field: "texts")) }
        let request = EmbedRequest(cache: cache, texts: prompts)
        guard case .embed(let outcome) = try await self.call(.embed(request), timeout: timeout),
            outcome.vectors.count == texts.count
        else { throw .anotherAnswer }
        return TextEmbeddings(identity: outcome.identity, vectors: outcome.vectors)
    }

    /// Asks the server whether it is there.
    ///
    /// - Parameter timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func ping(timeout: Duration? = nil) async throws(CacheClientError) -> ServerPing {
        let start = ContinuousClock.now
        guard case .ping(let version) = try await self.call(.ping, timeout: timeout) else { throw .anotherAnswer }
        return ServerPing(serverVersion: version, roundTrip: ContinuousClock.now - start)
    }
}

/// Vectors of texts, and which model made them.
public struct TextEmbeddings: Sendable, Hashable {
    /// Provider, model, dimensions and revision. Vectors of two identities cannot be compared.
    public let identity: String
    /// One for each text, of unit length.
    public let vectors: [[Float]]
}

extension CacheClientError {
    /// The connection ends with such an answer before its call does.
    static let anotherAnswer = Self.malformed("it answers another question than was asked")
}
