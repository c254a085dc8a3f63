// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension CacheClient {
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
    ///   - staleTimeToLive: How long after that it may be served as stale, 0 for not at all; the cache's default if `nil`.
    ///   - embedding: The prompt's vector by the cache's own model, if the caller has it.
    ///   - usage: What the response cost to make.
    ///   - lease: Under which the answer was made: it is not stored if something was invalidated meanwhile, or if the
    ///     lease has ended.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``; with `.aborted` if the lease has ended or is void, and also if this call was made
    ///   before under the same lease and had succeeded.
    public func store(
        _ response: [UInt8], for prompt: String, in cache: String = "default", vary: [String: String] = [:],
        contentType: String? = nil, attributes: [String: CacheAttribute] = [:], tags: [String] = [],
        timeToLive: Duration? = nil, staleTimeToLive: Duration? = nil, embedding: [Float]? = nil,
        usage: CacheUsage? = nil, lease: FillLease? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> StoreReceipt {
        try await self.store(
            StoreRequest(
                cache: cache, prompt: try .make(prompt), vary: VaryPart.parts(vary), response: response,
                contentType: contentType ?? CacheEntry.defaultContentType,
                attributes: try Attribute.attributes(attributes, tags: tags), timeToLive: timeToLive,
                staleTimeToLive: staleTimeToLive, embedding: embedding, usage: usage.map { $0.usage },
                lease: lease?.token),
            timeout: timeout)
    }

    /// Stores the answer to a chat; otherwise the same as the operation for a prompt.
    ///
    /// - Parameter messages: 1…1,000, oldest first, without the answer.
    /// - Throws: ``CacheClientError``; with `.failedPrecondition` if the cache keeps no chats as long as this.
    public func store(
        _ response: [UInt8], for messages: [CacheChatMessage], in cache: String = "default",
        vary: [String: String] = [:], contentType: String? = nil, attributes: [String: CacheAttribute] = [:],
        tags: [String] = [], timeToLive: Duration? = nil, staleTimeToLive: Duration? = nil, embedding: [Float]? = nil,
        usage: CacheUsage? = nil, lease: FillLease? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> StoreReceipt {
        try await self.store(
            StoreRequest(
                cache: cache, prompt: try .make(messages), vary: VaryPart.parts(vary), response: response,
                contentType: contentType ?? CacheEntry.defaultContentType,
                attributes: try Attribute.attributes(attributes, tags: tags), timeToLive: timeToLive,
                staleTimeToLive: staleTimeToLive, embedding: embedding, usage: usage.map { $0.usage },
                lease: lease?.token),
            timeout: timeout)
    }

    /// Stores a text as the answer to a prompt; otherwise the same as the operation for bytes.
    ///
    /// - Throws: ``CacheClientError``.
    public func store(
        _ response: String, for prompt: String, in cache: String = "default", vary: [String: String] = [:],
        contentType: String? = nil, attributes: [String: CacheAttribute] = [:], tags: [String] = [],
        timeToLive: Duration? = nil, staleTimeToLive: Duration? = nil, embedding: [Float]? = nil,
        usage: CacheUsage? = nil, lease: FillLease? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> StoreReceipt {
        try await self.store(
            Array(response.utf8), for: prompt, in: cache, vary: vary, contentType: contentType,
            attributes: attributes, tags: tags, timeToLive: timeToLive, staleTimeToLive: staleTimeToLive,
            embedding: embedding, usage: usage, lease: lease, timeout: timeout)
    }

    /// Stores a text as the answer to a chat; otherwise the same as the operation for bytes.
    ///
    /// - Throws: ``CacheClientError``.
    public func store(
        _ response: String, for messages: [CacheChatMessage], in cache: String = "default",
        vary: [String: String] = [:], contentType: String? = nil, attributes: [String: CacheAttribute] = [:],
        tags: [String] = [], timeToLive: Duration? = nil, staleTimeToLive: Duration? = nil, embedding: [Float]? = nil,
        usage: CacheUsage? = nil, lease: FillLease? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> StoreReceipt {
        try await self.store(
            Array(response.utf8), for: messages, in: cache, vary: vary, contentType: contentType,
            attributes: attributes, tags: tags, timeToLive: timeToLive, staleTimeToLive: staleTimeToLive,
            embedding: embedding, usage: usage, lease: lease, timeout: timeout)
    }

    private func store(
        _ request: StoreRequest, timeout: Duration?
    ) async throws(CacheClientError) -> StoreReceipt {
        guard case .store(let outcome) = try await self.call(.store(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return StoreReceipt(outcome)
    }
}
