// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Where a lookup looks.
public enum CacheLookupMode: String, Sendable, Hashable, CaseIterable {
    /// For the same prompt first, then by meaning.
    case both
    /// For the same prompt only.
    case exact
    /// By meaning only.
    case semantic
}

/// What a lookup found, and why.
public enum CacheAnswer: Sendable, Hashable {
    /// There is a stored answer.
    case hit(CacheHit)
    /// There is none that may be served.
    case miss(CacheMiss)
    /// The cache does not keep such prompts, so it was not asked; the answer need not be stored.
    case bypass(CacheBypass)

    /// The hit, if it is one.
    public var hit: CacheHit? {
        guard case .hit(let hit) = self else { return nil }
        return hit
    }
}

/// A stored answer that serves the question.
public struct CacheHit: Sendable, Hashable {
    /// How the question was found again.
    public enum Kind: String, Sendable, Hashable {
        /// The same prompt was stored.
        case exact
        /// A prompt that means the same was stored.
        case semantic
    }

    /// Where an answer came from.
    public enum Tier: String, Sendable, Hashable {
        /// The memory of the server that answered.
        case l1
        /// The store behind it.
        case store
    }

    /// How the question was found again.
    public let kind: Kind
    /// Where the answer came from.
    public let tier: Tier
    /// The nearest.
    public let best: CacheMatch
    /// Best first, with ``best``. More than one only if the lookup asked for more.
    public let matches: [CacheMatch]
    /// If the answer is stale and this caller is the one who is to make a new one.
    public let lease: FillLease?
    /// If it is stale and another makes a new one: for how long at most, unless that prolongs its lease.
    public let fillUnderWay: Duration?
    /// How the best match was decided on; `nil` of an exact hit, and of one out of the server's memory.
    public let decision: CacheDecision?
    /// Names the lookup for feedback from elsewhere; `nil` of an exact hit, and of one out of the server's memory, whose
    /// feedback goes by the prompt.
    public let lookupID: CacheLookupID?
    let asked: AskedQuestion
}

/// A stored answer and how near its question is.
public struct CacheMatch: Sendable, Hashable {
    /// The entry, such as for its invalidation.
    public let entryID: CacheEntryID
    /// Cosine, −1…1, higher is closer; 1 for an exact hit.
    public let similarity: Float
    /// As it was stored.
    public let response: [UInt8]
    /// What the response is, such as `text/plain; charset=utf-8`.
    public let contentType: String
    /// By name. Tags are the attribute `tags`.
    public let attributes: [String: CacheAttribute]
    /// What the response cost to make, if that was stored.
    public let usage: CacheUsage?
    /// When the entry was stored.
    public let createdAt: CacheInstant
    /// When its time to live ends; a hit does not move it.
    public let expiresAt: CacheInstant
    /// Until when it is served as stale after that; the same as ``expiresAt`` if not at all.
    public let staleUntil: CacheInstant
    /// Whether its time to live is over: it still answers, but a new one should be made.
    public let isStale: Bool
    /// Time since the entry was stored, by the server's clock.
    public let age: Duration

    /// The response as text; `nil` if it is not valid UTF-8.
    public var text: String? { String(validating: self.response, as: UTF8.self) }
}

/// Why nothing was served.
public struct CacheMiss: Sendable, Hashable {
    /// What kept the cache from serving something.
    public enum Reason: Sendable, Hashable {
        /// Nothing is stored for this cache, vary and model.
        case noEntry
        /// Exact mode: this prompt is not stored.
        case notStored
        /// The nearest entry is not close enough.
        case belowThreshold
        /// The nearest entry is older than the lookup allows.
        case tooOld
        /// The nearest entry is close enough, but the lookup's filter does not take it.
        case filtered
        /// What is close enough was refused by the words of the two questions.
        case guarded(CacheGuard)
        /// The decision policy takes what is close enough for too likely to be wrong.
        case tooRisky
        /// Feedback said that it is wrong for this question.
        case blocked
        /// The judge said no, or could not be asked.
        case judged
        /// It would have been served, but the cache is in shadow mode.
        case shadow
        /// It would have been served, but is left out now and then, so that the caller's own answer can be compared.
        case audited
        /// The cache could not look.
        case degraded(Degradation)
    }

    /// What kept the cache from looking.
    public enum Degradation: Sendable, Hashable {
        /// More texts wait for the embedder than it can take.
        case embedderOverloaded
        /// The prompt could not be embedded.
        case embedderFailed
        /// The store could not be read.
        case storeUnavailable
        /// The call's time was up first.
        case deadlineExceeded
    }

    /// The nearest candidate that was not served.
    public struct Nearest: Sendable, Hashable {
        /// The candidate.
        public let entryID: CacheEntryID
        /// Cosine, −1…1.
        public let similarity: Float
        /// Whether another entry may be nearer: the search proves only that none reaches the threshold.
        public let isApproximate: Bool
    }

    /// What kept the cache from serving something.
    public let reason: Reason
    /// The nearest candidate, if one was seen.
    public let nearest: Nearest?
    /// The threshold that was in force.
    public let similarityThreshold: Float
    /// If this caller is the one who is to make the answer.
    public let lease: FillLease?
    /// If another makes it: for how long at most, unless that prolongs its lease.
    public let fillUnderWay: Duration?
    /// How the nearest was decided on, if it was.
    public let decision: CacheDecision?
}

/// Why a chat is neither looked up nor stored: it has more messages than the cache's policy allows.
public struct CacheBypass: Sendable, Hashable {
    /// Messages of the chat that count.
    public let messages: Int
    /// How many the policy allows.
    public let maximumMessages: Int
}

extension CacheAnswer {
    init(_ outcome: LookupOutcome, to request: LookupRequest) {
        switch outcome {
        case .hit(let hit): self = .hit(CacheHit(hit, to: AskedQuestion(request)))
        case .miss(let miss): self = .miss(CacheMiss(miss, of: request.cache))
        case .bypass(let bypass):
            self = .bypass(CacheBypass(messages: bypass.messages, maximumMessages: bypass.limit))
        }
    }
}

extension CacheHit {
    init(_ hit: LookupHit, to asked: AskedQuestion) {
        self.kind = hit.kind == .exact ? .exact : .semantic
        self.tier = hit.tier == .l1 ? .l1 : .store
        self.matches = hit.matches.map { CacheMatch($0, at: hit.at) }
        // The decoder refuses a hit without a match.
        self.best = self.matches[0]
        self.lease = FillLease(hit.fill, asked.cache)
        self.fillUnderWay = hit.fill.timeUnderWay
        self.decision = hit.decision.map { CacheDecision($0) }
        self.lookupID = hit.lookup.map { CacheLookupID($0) }
        self.asked = asked
    }
}

extension CacheMatch {
    init(_ match: LookupMatch, at now: Timestamp) {
        let entry = match.entry
        self.entryID = CacheEntryID(entry.id)
        self.similarity = match.similarity
        self.response = entry.response
        self.contentType = entry.contentType
        self.attributes = CacheAttribute.byName(entry.attributes)
        self.usage = entry.usage.map { CacheUsage($0) }
        self.createdAt = CacheInstant(entry.createdAt)
        self.expiresAt = CacheInstant(entry.freshUntil)
        self.staleUntil = CacheInstant(entry.expiresAt)
        self.isStale = entry.isStale(at: now)
        self.age = max(.zero, now - entry.createdAt)
    }
}

extension CacheMiss {
    init(_ miss: LookupMiss, of cache: String) {
        self.reason = Reason(miss.reason)
        self.nearest = miss.nearest.map { nearest in
            Nearest(
                entryID: CacheEntryID(nearest.id), similarity: nearest.similarity,
                isApproximate: nearest.isApproximate)
        }
        self.similarityThreshold = miss.similarityThreshold
        self.lease = FillLease(miss.fill, cache)
        self.fillUnderWay = miss.fill.timeUnderWay
        self.decision = miss.decision.map { CacheDecision($0) }
    }
}

extension CacheMiss.Reason {
    init(_ reason: LookupMiss.Reason) {
        switch reason {
        case .noEntry: self = .noEntry
        case .notStored: self = .notStored
        case .belowThreshold: self = .belowThreshold
        case .tooOld: self = .tooOld
        case .filtered: self = .filtered
        case .guarded(let name): self = .guarded(CacheGuard(name))
        case .tooRisky: self = .tooRisky
        case .blocked: self = .blocked
        case .judged: self = .judged
        case .shadow: self = .shadow
        case .audited: self = .audited
        case .degraded(.embedderOverloaded): self = .degraded(.embedderOverloaded)
        case .degraded(.embedderFailed): self = .degraded(.embedderFailed)
        case .degraded(.storeUnavailable): self = .degraded(.storeUnavailable)
        case .degraded(.deadlineExceeded): self = .degraded(.deadlineExceeded)
        }
    }
}
