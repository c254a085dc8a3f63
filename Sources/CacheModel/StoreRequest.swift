// SPDX-License-Identifier: Apache-2.0

/// What a Store asks.
package struct StoreRequest: Sendable, Equatable {
    package var cache: String
    package var prompt: Prompt
    /// Names are distinct.
    package var vary: [VaryPart]
    /// Not empty; at most ``Limits/maximumResponseBytes``.
    package var response: [UInt8]
    package var contentType: String
    /// Names are distinct; the tags are the attribute ``Attribute/tagsName``.
    package var attributes: [Attribute]
    /// Positive; the cache's default if `nil`.
    package var timeToLive: Duration?
    /// For how long it may be served as stale after that, 0 or more; the cache's default if `nil`.
    package var staleTimeToLive: Duration?
    /// Computed by the caller; checked for dimension and normalised by the engine.
    package var embedding: [Float]?
    package var usage: Usage?
    /// Under which the answer was made.
    package var lease: LeaseToken?

    package init(
        cache: String, prompt: Prompt, vary: [VaryPart] = [], response: [UInt8],
        contentType: String = CacheEntry.defaultContentType, attributes: [Attribute] = [],
        timeToLive: Duration? = nil, staleTimeToLive: Duration? = nil, embedding: [Float]? = nil,
        usage: Usage? = nil, lease: LeaseToken? = nil
    ) {
        self.cache = cache
        self.prompt = prompt
        self.vary = vary
        self.response = response
        self.contentType = contentType
        self.attributes = attributes
        self.timeToLive = timeToLive
        self.staleTimeToLive = staleTimeToLive
        self.embedding = embedding
        self.usage = usage
        self.lease = lease
    }
}

/// What a Store did.
package struct StoreOutcome: Sendable, Equatable {
    package let id: EntryID
    package let freshUntil: Timestamp
    package let expiresAt: Timestamp
    /// Whether the same prompt was stored already.
    package let isReplacement: Bool

    package init(id: EntryID, freshUntil: Timestamp? = nil, expiresAt: Timestamp, isReplacement: Bool) {
        self.id = id
        self.freshUntil = freshUntil ?? expiresAt
        self.expiresAt = expiresAt
        self.isReplacement = isReplacement
    }
}
