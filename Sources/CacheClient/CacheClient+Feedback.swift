// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// What feedback says of an answer.
public enum CacheVerdict: String, Sendable, Hashable, CaseIterable {
    /// It answers what was asked.
    case right
    /// It does not.
    case wrong
}

/// What feedback did.
public struct FeedbackReceipt: Sendable, Hashable {
    /// Whether the entry will not be served for that question any more, by any server.
    public let isBlocked: Bool
    /// Whether the cache's decision policy learns from it.
    public let isLearnt: Bool
}

extension CacheClient {
    /// Says that an answer was right, or wrong, for what was asked. What was wrong is not served for that question again,
    /// by any server, from when this returns. Needs the right to give feedback.
    ///
    /// - Parameters:
    ///   - verdict: What it was.
    ///   - hit: What the lookup found.
    ///   - entry: Whose answer it is about; that of the best match if `nil`.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``; with `.invalidArgument` if the hit has no such match.
    @discardableResult
    public func feedback(
        _ verdict: CacheVerdict, on hit: CacheHit, entry: CacheEntryID? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> FeedbackReceipt {
        guard let match = hit.matches.first(where: { entry == nil || $0.entryID == entry }) else {
            throw .invalid("entry_id", "is that of no match")
        }
        let asked = hit.asked
        return try await self.feedback(
            verdict, match.entryID, asked.cache,
            hit.lookupID.map { .lookup($0.id) }
                ?? .prompt(asked.prompt, vary: asked.vary, embedding: asked.embedding),
            timeout: timeout)
    }

    /// The same by the entry and what was asked, for an answer that is not at hand any more; or for one that was not
    /// served, such as a miss's nearest.
    ///
    /// - Parameters:
    ///   - verdict: What it was, or would have been.
    ///   - entry: Whose answer it is about.
    ///   - prompt: What was asked, as it was given to the lookup.
    ///   - cache: Name of the cache.
    ///   - vary: As they were given to the lookup.
    ///   - embedding: As it was given to the lookup.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    @discardableResult
    public func feedback(
        _ verdict: CacheVerdict, on entry: CacheEntryID, for prompt: String, in cache: String = "default",
        vary: [String: String] = [:], embedding: [Float]? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> FeedbackReceipt {
        try await self.feedback(
            verdict, entry, cache,
            .prompt(try .make(prompt), vary: VaryPart.parts(vary), embedding: embedding), timeout: timeout)
    }

    /// The same for a chat.
    ///
    /// - Parameter messages: What was asked, as it was given to the lookup.
    /// - Throws: ``CacheClientError``.
    @discardableResult
    public func feedback(
        _ verdict: CacheVerdict, on entry: CacheEntryID, for messages: [CacheChatMessage],
        in cache: String = "default", vary: [String: String] = [:], embedding: [Float]? = nil,
        timeout: Duration? = nil
    ) async throws(CacheClientError) -> FeedbackReceipt {
        try await self.feedback(
            verdict, entry, cache,
            .prompt(try .make(messages), vary: VaryPart.parts(vary), embedding: embedding), timeout: timeout)
    }

    /// The same by the entry and the lookup, in a process that was told no more of it.
    ///
    /// - Parameter lookup: As the hit has it, see ``CacheHit/lookupID``.
    /// - Throws: ``CacheClientError``.
    @discardableResult
    public func feedback(
        _ verdict: CacheVerdict, on entry: CacheEntryID, of lookup: CacheLookupID, in cache: String = "default",
        timeout: Duration? = nil
    ) async throws(CacheClientError) -> FeedbackReceipt {
        try await self.feedback(verdict, entry, cache, .lookup(lookup.id), timeout: timeout)
    }

    private func feedback(
        _ verdict: CacheVerdict, _ entry: CacheEntryID, _ cache: String, _ question: FeedbackRequest.Question,
        timeout: Duration?
    ) async throws(CacheClientError) -> FeedbackReceipt {
        let request = FeedbackRequest(
            cache: cache, entry: entry.id, question: question, verdict: verdict == .right ? .right : .wrong)
        guard case .feedback(let outcome) = try await self.call(.feedback(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return FeedbackReceipt(isBlocked: outcome.isBlocked, isLearnt: outcome.isLearnt)
    }
}
