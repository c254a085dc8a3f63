// SPDX-License-Identifier: Apache-2.0

/// What a Lookup asks.
package struct LookupRequest: Sendable, Equatable {
    package enum Mode: Sendable, Hashable {
        case both
        case exact
        case semantic
    }

    /// For how long a Lookup waits for an answer that another caller is making.
    package enum Wait: Sendable, Hashable {
        case none
        case untilDeadline
        case atMost(Duration)
    }

    package var cache: String
    package var prompt: Prompt
    /// Names are distinct.
    package var vary: [VaryPart]
    /// Entries that it does not take are not there.
    package var filter: MetadataFilter?
    /// −1…1; the cache's default if `nil`. The tenant's floor holds in any case.
    package var similarityThreshold: Float?
    /// 1…``Limits/maximumTopK``.
    package var topK: Int
    package var maximumAge: Duration?
    package var mode: Mode
    /// Computed by the caller; checked for dimension and normalised by the engine.
    package var embedding: [Float]?
    /// Asks for the lease on making the answer, if there is none or it is stale; within ``Limits/leaseTimeToLive``.
    package var lease: Duration?
    /// Only with a lease.
    package var wait: Wait

    package init(
        cache: String, prompt: Prompt, vary: [VaryPart] = [], filter: MetadataFilter? = nil,
        similarityThreshold: Float? = nil, topK: Int = 1, maximumAge: Duration? = nil, mode: Mode = .both,
        embedding: [Float]? = nil, lease: Duration? = nil, wait: Wait = .none
    ) {
        self.cache = cache
        self.prompt = prompt
        self.vary = vary
        self.filter = filter
        self.similarityThreshold = similarityThreshold
        self.topK = topK
        self.maximumAge = maximumAge
        self.mode = mode
        self.embedding = embedding
        self.lease = lease
        self.wait = wait
    }
}

/// What a Lookup found.
package enum LookupOutcome: Sendable, Equatable {
    case hit(LookupHit)
    case miss(LookupMiss)
    /// The cache does not keep such prompts.
    case bypass(LookupBypass)

    /// In logs and spans.
    package var label: String {
        switch self {
        case .hit(let hit): hit.kind == .exact ? "hit_exact" : "hit_semantic"
        case .miss: "miss"
        case .bypass: "bypass"
        }
    }
}

/// Why a chat is not looked up: it has more messages than the cache's policy allows.
package struct LookupBypass: Sendable, Hashable {
    package let messages: Int
    package let limit: Int

    package init(messages: Int, limit: Int) {
        self.messages = messages
        self.limit = limit
    }
}

/// Where an answer came from.
package enum Tier: Sendable, Hashable {
    /// The memory of the replica that answered.
    case l1
    /// The store behind it.
    case store
}

package struct LookupHit: Sendable, Equatable {
    package enum Kind: Sendable, Hashable {
        case exact
        case semantic
    }

    package let kind: Kind
    package let tier: Tier
    /// Best first; not empty.
    package let matches: [LookupMatch]
    /// When the hit was decided: what an entry's age is counted to.
    package let at: Timestamp
    /// If a lease was asked for and the best match is the prompt's own entry and stale.
    package var fill: FillStatus?
    /// Of a semantic hit out of the store.
    package var decision: DecisionExplanation?
    /// Of a semantic hit out of the store: what a Feedback may name it by.
    package var lookup: LookupID?

    package init(kind: Kind, tier: Tier, matches: [LookupMatch], at: Timestamp, fill: FillStatus? = nil) {
        self.kind = kind
        self.tier = tier
        self.matches = matches
        self.at = at
        self.fill = fill
    }

    /// Whether what answers is past its time to live.
    package var isStale: Bool { self.matches.first?.entry.isStale(at: self.at) ?? false }
}

package struct LookupMatch: Sendable, Equatable {
    package let entry: CacheEntry
    /// Cosine, −1…1; 1 for an exact hit.
    package let similarity: Float

    package init(entry: CacheEntry, similarity: Float) {
        self.entry = entry
        self.similarity = similarity
    }
}

package struct LookupMiss: Sendable, Equatable {
    package enum Reason: Sendable, Hashable {
        case noEntry
        case notStored
        case belowThreshold
        case tooOld
        /// The nearest entry is close enough, but the request's filter does not take it.
        case filtered
        /// The nearest entry is close enough, but a guard refused each that is.
        case guarded(Guard)
        /// The decision policy takes it for too likely to be wrong.
        case tooRisky
        /// It was judged wrong for this question.
        case blocked
        /// The judge said no, or could not be asked.
        case judged
        /// It would have been served, but for a cache in shadow mode.
        case shadow
        /// It would have been served, but is left to the caller now and then, so that its answer can be compared.
        case audited
        case degraded(Degradation)
    }

    /// What kept the cache from looking.
    package enum Degradation: Sendable, Hashable, CaseIterable {
        case embedderOverloaded
        case embedderFailed
        case storeUnavailable
        case deadlineExceeded
    }

    package let reason: Reason
    package let nearest: NearestMiss?
    /// The threshold that was in force.
    package let similarityThreshold: Float
    /// If a lease was asked for and the cache could look.
    package var fill: FillStatus?
    /// If a candidate was decided on.
    package var decision: DecisionExplanation?

    package init(
        reason: Reason, nearest: NearestMiss? = nil, similarityThreshold: Float, fill: FillStatus? = nil
    ) {
        self.reason = reason
        self.nearest = nearest
        self.similarityThreshold = similarityThreshold
        self.fill = fill
    }
}

/// The nearest candidate that was not served.
package struct NearestMiss: Sendable, Equatable {
    package let id: EntryID
    /// Cosine, −1…1.
    package let similarity: Float
    /// Whether another entry below the threshold may be nearer: the search proves only that none reaches it. If not, none
    /// is nearer by more than 0.0002, to which the search knows similarities below the threshold.
    package let isApproximate: Bool

    package init(id: EntryID, similarity: Float, isApproximate: Bool) {
        self.id = id
        self.similarity = similarity
        self.isApproximate = isApproximate
    }
}
