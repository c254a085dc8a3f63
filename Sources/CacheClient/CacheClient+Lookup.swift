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
    ///   - filter: Only entries whose attributes it takes are found, such as `lang == "de" and not draft`.
    ///   - similarityThreshold: −1…1, higher is closer; the cache's default if `nil`.
    ///   - topK: How many matches to return at most, 1…100.
    ///   - maximumAge: Entries older than this are not served.
    ///   - mode: Where to look.
    ///   - embedding: The prompt's vector by the cache's own model, if the caller has it: spares the server the work.
    ///   - lease: Whether to ask for the lease on making the answer, if there is none or a stale one: of all callers, on
    ///     all servers, one gets it. Needs the right to store. Not by meaning only.
    ///   - waits: Whether to wait while another makes the answer. Only with a lease.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Returns: A hit, or a miss that says why.
    /// - Throws: ``CacheClientError``.
    public func lookup(
        _ prompt: String, in cache: String = "default", vary: [String: String] = [:], filter: String? = nil,
        similarityThreshold: Float? = nil, topK: Int = 1, maximumAge: Duration? = nil,
        mode: CacheLookupMode = .both, embedding: [Float]? = nil, lease: CacheLeaseWish = .none,
        waits: CacheWait = .no, timeout: Duration? = nil
    ) async throws(CacheClientError) -> CacheAnswer {
        try await self.lookup(
            LookupRequest(
                cache: cache, prompt: try .make(prompt), vary: VaryPart.parts(vary), filter: try .make(filter),
                similarityThreshold: similarityThreshold, topK: topK, maximumAge: maximumAge, mode: mode.mode,
                embedding: embedding, lease: lease.time, wait: waits.wait),
            timeout: timeout)
    }

    /// Finds an earlier answer to a chat whose question means the same and whose context is the same; otherwise the same
    /// as the operation for a prompt.
    ///
    /// - Parameter messages: 1…1,000, oldest first, exactly as they are sent to the model. The cache's prompt policy says
    ///   which of them are the question; by default it is the last one of the user.
    /// - Returns: A hit, a miss that says why, or a bypass if the cache keeps no chats as long as this.
    /// - Throws: ``CacheClientError``.
    public func lookup(
        _ messages: [CacheChatMessage], in cache: String = "default", vary: [String: String] = [:],
        filter: String? = nil, similarityThreshold: Float? = nil, topK: Int = 1, maximumAge: Duration? = nil,
        mode: CacheLookupMode = .both, embedding: [Float]? = nil, lease: CacheLeaseWish = .none,
        waits: CacheWait = .no, timeout: Duration? = nil
    ) async throws(CacheClientError) -> CacheAnswer {
        try await self.lookup(
            LookupRequest(
                cache: cache, prompt: try .make(messages), vary: VaryPart.parts(vary), filter: try .make(filter),
                similarityThreshold: similarityThreshold, topK: topK, maximumAge: maximumAge, mode: mode.mode,
                embedding: embedding, lease: lease.time, wait: waits.wait),
            timeout: timeout)
    }

    private func lookup(
        _ request: LookupRequest, timeout: Duration?
    ) async throws(CacheClientError) -> CacheAnswer {
        guard case .lookup(let outcome) = try await self.call(.lookup(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return CacheAnswer(outcome, to: request)
    }
}

extension CacheLookupMode {
    fileprivate var mode: LookupRequest.Mode {
        switch self {
        case .both: .both
        case .exact: .exact
        case .semantic: .semantic
        }
    }
}
