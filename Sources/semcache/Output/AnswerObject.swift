// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A lookup's answer as JSON.
struct AnswerObject: Encodable {
    struct Match: Encodable {
        let entryID: String
        let similarity: Float
        /// `nil` if it is not text; then it is in `responseBase64`.
        let response: String?
        let responseBase64: String?
        let contentType: String
        let attributes: [String: JSONAttribute]
        let usage: JSONUsage?
        let ageMilliseconds: Int64
        let createdAt: String
        let expiresAt: String
        let staleUntil: String?
        let isStale: Bool

        enum CodingKeys: String, CodingKey {
            case entryID = "entry_id"
            case similarity
            case response
            case responseBase64 = "response_base64"
            case contentType = "content_type"
            case attributes
            case usage
            case ageMilliseconds = "age_ms"
            case createdAt = "created_at"
            case expiresAt = "expires_at"
            case staleUntil = "stale_until"
            case isStale = "stale"
        }
    }

    struct Miss: Encodable {
        let reason: String
        let degraded: String?
        let nearestSimilarity: Float?
        let nearestEntryID: String?
        let isNearestApproximate: Bool?
        let similarityThreshold: Float
        /// Which guard refused.
        let refusedBy: String?
        let decision: Decision?

        enum CodingKeys: String, CodingKey {
            case reason
            case degraded
            case nearestSimilarity = "nearest_similarity"
            case nearestEntryID = "nearest_entry_id"
            case isNearestApproximate = "nearest_is_approximate"
            case similarityThreshold = "similarity_threshold"
            case refusedBy = "guard"
            case decision
        }
    }

    struct Decision: Encodable {
        let policy: String
        let risk: Float?
        let riskLimit: Float?

        enum CodingKeys: String, CodingKey {
            case policy
            case risk
            case riskLimit = "risk_limit"
        }

        init(_ decision: CacheDecision) {
            self.policy = decision.policy.rawValue
            self.risk = decision.risk
            self.riskLimit = decision.riskLimit
        }
    }

    struct Bypass: Encodable {
        let messages: Int
        let maximumMessages: Int

        enum CodingKeys: String, CodingKey {
            case messages
            case maximumMessages = "maximum_messages"
        }
    }

    struct Fill: Encodable {
        /// For `semcache store --lease`; `nil` if another makes the answer.
        let lease: String?
        let remainingMilliseconds: Int64

        enum CodingKeys: String, CodingKey {
            case lease
            case remainingMilliseconds = "remaining_ms"
        }

        init?(_ lease: FillLease?, underWay: Duration?) {
            guard let remaining = lease?.remaining ?? underWay else { return nil }
            self.lease = lease.map { LeaseText(lease: $0.bytes).text }
            self.remainingMilliseconds = remaining.wholeMilliseconds
        }
    }

    /// `hit_exact`, `hit_semantic`, `miss` or `bypass`.
    let outcome: String
    let tier: String?
    let matches: [Match]
    let miss: Miss?
    let bypass: Bypass?
    let fill: Fill?
    /// For `semcache feedback --lookup-id`.
    let lookupID: String?
    let decision: Decision?
    /// From the call to the answer, over an open connection.
    let elapsedMilliseconds: Double

    enum CodingKeys: String, CodingKey {
        case outcome
        case tier
        case matches
        case miss
        case bypass
        case fill
        case lookupID = "lookup_id"
        case decision
        case elapsedMilliseconds = "elapsed_ms"
    }

    init(_ answer: CacheAnswer, elapsed: Duration) {
        self.elapsedMilliseconds = elapsed / .milliseconds(1)
        self.matches = answer.hit.map { hit in hit.matches.map { Match($0) } } ?? []
        self.tier = answer.hit?.tier.rawValue
        self.lookupID = answer.hit?.lookupID.map { LookupIDText($0).text }
        self.decision = answer.hit?.decision.map { Decision($0) }
        switch answer {
        case .hit(let hit):
            self.outcome = "hit_\(hit.kind.rawValue)"
            self.miss = nil
            self.bypass = nil
            self.fill = Fill(hit.lease, underWay: hit.fillUnderWay)
        case .miss(let miss):
            self.outcome = "miss"
            self.miss = Miss(miss)
            self.bypass = nil
            self.fill = Fill(miss.lease, underWay: miss.fillUnderWay)
        case .bypass(let bypass):
            self.outcome = "bypass"
            self.miss = nil
            self.fill = nil
            self.bypass = Bypass(messages: bypass.messages, maximumMessages: bypass.maximumMessages)
        }
    }
}

extension AnswerObject.Match {
    init(_ match: CacheMatch) {
        self.entryID = match.entryID.description
        self.similarity = match.similarity
        self.response = match.text
        self.responseBase64 = match.text == nil ? Data(match.response).base64EncodedString() : nil
        self.contentType = match.contentType
        self.attributes = match.attributes.mapValues { JSONAttribute($0) }
        self.usage = match.usage.map { JSONUsage($0) }
        self.ageMilliseconds = match.age.wholeMilliseconds
        self.createdAt = match.createdAt.text
        self.expiresAt = match.expiresAt.text
        self.staleUntil = match.staleUntil == match.expiresAt ? nil : match.staleUntil.text
        self.isStale = match.isStale
    }
}

extension AnswerObject.Miss {
    init(_ miss: CacheMiss) {
        self.reason = Explanation.name(miss.reason)
        if case .degraded(let degradation) = miss.reason {
            self.degraded = Explanation.name(degradation)
        } else {
            self.degraded = nil
        }
        self.nearestSimilarity = miss.nearest?.similarity
        self.nearestEntryID = miss.nearest.map { $0.entryID.description }
        self.isNearestApproximate = miss.nearest?.isApproximate
        self.similarityThreshold = miss.similarityThreshold
        if case .guarded(let name) = miss.reason { self.refusedBy = name.rawValue } else { self.refusedBy = nil }
        self.decision = miss.decision.map { AnswerObject.Decision($0) }
    }
}
