// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension CacheClient {
    /// Finds an earlier answer to a prompt that means the same.
    ///
    /// - Parameters:
    ///   - prompt: At most 64 KiB of UTF-8. White space at the ends does not count, and runs of it count as one space.
    ///   - cache: Name of the cache.
    ///   - vary: Exact-match parts of the prompt's identity, such as the model or the user's group. Only entries stored with
    ///     the same parts are found.
    ///   - similarityThreshold: −1…1, higher is closer; the cache's default if `nil`.
    ///   - topK: How many matches to return at most, 1…100.
    ///   - maximumAge: Entries older than this are not served.
    ///   - mode: Where to look.
    ///   - embedding: The prompt's vector by the cache's own model, if the caller has it: spares the server the work.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Returns: A hit, or a miss that says why.
    /// - Throws: ``CacheClientError``.
    public func lookup(
        _ prompt: String, in cache: String = "default", vary: [String: String] = [:],
        similarityThreshold: Float? = nil, topK: Int = 1, maximumAge: Duration? = nil,
        mode: CacheLookupMode = .both, embedding: [Float]? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> CacheAnswer {
        let mode: LookupRequest.Mode =
            switch mode {
            case .both: .both
            case .exact: .exact
            case .semantic: .semantic
            }
        let request = LookupRequest(
            cache: cache, prompt: try .make(prompt), vary: VaryPart.parts(vary),
            similarityThreshold: similarityThreshold, topK: topK, maximumAge: maximumAge, mode: mode,
            embedding: embedding)
        guard case .lookup(let outcome) = try await self.call(.lookup(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return CacheAnswer(outcome)
    }

    /// Stores the answer to a prompt. Storing the same prompt again, with the same `vary`, replaces the entry.
    ///
    /// - Parameters:
    ///   - response: Opaque; not empty, at most 2 MiB.
    ///   - prompt: At most 64 KiB of UTF-8.
    ///   - cache: Name of the cache.
    ///   - vary: Exact-match parts of the prompt's identity.
    ///   - contentType: What the response is; UTF-8 text if `nil`.
    ///   - attributes: Metadata by name, at most 64.
    ///   - tags: What the answer was made from, for later invalidation: documents, products, versions.
    ///   - timeToLive: How long it may be served, at least a millisecond; the cache's default if `nil`.
    ///   - embedding: The prompt's vector by the cache's own model, if the caller has it.
    ///   - usage: What the response cost to make.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func store(
        _ response: [UInt8], for prompt: String, in cache: String = "default", vary: [String: String] = [:],
        contentType: String? = nil, attributes: [String: CacheAttribute] = [:], tags: [String] = [],
        timeToLive: Duration? = nil, embedding: [Float]? = nil, usage: CacheUsage? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> StoreReceipt {
        let request = StoreRequest(
            cache: cache, prompt: try .make(prompt), vary: VaryPart.parts(vary), response: response,
            contentType: contentType ?? CacheEntry.defaultContentType,
            attributes: try Attribute.attributes(attributes, tags: tags), timeToLive: timeToLive,
            embedding: embedding, usage: usage.map { $0.usage })
        guard case .store(let outcome) = try await self.call(.store(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return StoreReceipt(outcome)
    }

    /// Stores a text as the answer to a prompt; otherwise the same as the operation for bytes.
    ///
    /// - Throws: ``CacheClientError``.
    public func store(
        _ response: String, for prompt: String, in cache: String = "default", vary: [String: String] = [:],
        contentType: String? = nil, attributes: [String: CacheAttribute] = [:], tags: [String] = [],
        timeToLive: Duration? = nil, embedding: [Float]? = nil, usage: CacheUsage? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> StoreReceipt {
        try await self.store(
            Array(response.utf8), for: prompt, in: cache, vary: vary, contentType: contentType,
            attributes: attributes, tags: tags, timeToLive: timeToLive, embedding: embedding, usage: usage,
            timeout: timeout)
    }

    /// Removes entries. When it returns, none of them is served any more.
    ///
    /// - Parameters:
    ///   - target: Which ones.
    ///   - cache: Name of the cache.
    ///   - isDryRun: Whether only to count them and name some.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func invalidate(
        _ target: InvalidationTarget, in cache: String = "default", isDryRun: Bool = false, timeout: Duration? = nil
    ) async throws(CacheClientError) -> InvalidationReceipt {
        let selector: InvalidateRequest.Selector
        switch target {
        case .entries(let ids):
            selector = .ids(ids.map { $0.id })
        case .prompt(let prompt, let vary):
            selector = .exactPrompt(try .make(prompt), vary: VaryPart.parts(vary))
        case .similar(let prompt, let similarity, let vary):
            selector = .semanticRadius(
                try .make(prompt), vary: VaryPart.parts(vary), similarity: similarity, embedding: nil)
        case .wholeCache:
            selector = .wholeCache
        }
        let request = InvalidateRequest(cache: cache, selector: selector, isDryRun: isDryRun)
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

extension CacheClientError {
    /// The connection ends with such an answer before its call does.
    fileprivate static let anotherAnswer = Self.malformed("it answers another question than was asked")
}
