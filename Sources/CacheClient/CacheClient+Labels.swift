// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// A decision of a cache on a stored answer, and what turned out. Holds nothing of either question.
public struct CacheLabelledDecision: Sendable, Hashable {
    /// Whence it is known.
    public enum Source: String, Sendable, Hashable, CaseIterable {
        /// The answer that was stored after a miss, beside the candidate's.
        case store
        /// The same, where the candidate would have been served but for the audit.
        case audit
        /// Feedback.
        case feedback
    }

    /// Goes up by time; never used again in its cache.
    public let number: UInt64
    /// Cosine of the two questions, −1…1.
    public let similarity: Float
    /// Estimated probability that the answer was wrong, 0…1; `nil` without an estimate.
    public let risk: Float?
    /// Whether the answer was right.
    public let isRight: Bool
    /// Whether it was served, or would have been.
    public let wouldServe: Bool
    /// Whether a guard refused the candidate: no threshold would have served it.
    public let isGuarded: Bool
    /// Whence it is known.
    public let source: Source

    /// Makes one, as a stand-in for a client in tests may need to.
    public init(
        number: UInt64, similarity: Float, risk: Float?, isRight: Bool, wouldServe: Bool, source: Source,
        isGuarded: Bool = false
    ) {
        self.number = number
        self.similarity = similarity
        self.risk = risk
        self.isRight = isRight
        self.wouldServe = wouldServe
        self.isGuarded = isGuarded
        self.source = source
    }
}

/// Some of a cache's labelled decisions.
public struct CacheLabelsPage: Sendable, Hashable {
    /// Ascending by number. May be empty though more pages follow.
    public let decisions: [CacheLabelledDecision]
    /// After which number the next page begins; `nil` on the last.
    public let next: UInt64?
    /// Number of the newest; 0 if there is none.
    public let last: UInt64
}

extension CacheClient {
    /// Reads a page of a cache's decisions whose outcome is known: what its decision policy learns from. Older ones are
    /// not kept. Needs the right to administer.
    ///
    /// - Parameters:
    ///   - cache: Name of the cache.
    ///   - number: Only decisions with higher numbers; 0 for all that are kept.
    ///   - pageSize: How many a page may have, 1…1,024.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func labels(
        of cache: String = "default", after number: UInt64 = 0, pageSize: Int = 1024, timeout: Duration? = nil
    ) async throws(CacheClientError) -> CacheLabelsPage {
        let request = LabelsRequest(cache: cache, after: number, pageSize: pageSize)
        guard case .labels(let page) = try await self.call(.labels(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return CacheLabelsPage(page)
    }
}

extension CacheLabelsPage {
    init(_ page: LabelsPage) {
        self.decisions = page.decisions.map { CacheLabelledDecision($0) }
        self.next = page.next
        self.last = page.last
    }
}

extension CacheLabelledDecision {
    init(_ decision: LabelledDecision) {
        let source: Source =
            switch decision.source {
            case .store: .store
            case .audit: .audit
            case .feedback: .feedback
            }
        self.init(
            number: decision.number, similarity: decision.similarity, risk: decision.risk, isRight: decision.isRight,
            wouldServe: decision.wouldServe, source: source, isGuarded: decision.isGuarded)
    }
}
