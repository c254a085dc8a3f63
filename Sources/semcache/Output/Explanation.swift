// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// Why an answer was served, or nothing was, in a line.
enum Explanation {
    static func line(_ hit: CacheHit, _ match: CacheMatch, position: Int) -> String {
        let what = position == 0 ? "\(hit.kind.rawValue) hit from \(Self.name(hit.tier))" : "match \(position + 1)"
        return "\(match.isStale ? "stale " : "")\(what): similarity \(NumberText.similarity(match.similarity)), "
            + "age \(DurationText.text(match.age)), entry \(match.entryID)"
            + (position == 0 ? Self.text(hit.decision) : "")
    }

    /// What feedback on the answer may go by.
    static func line(_ lookup: CacheLookupID?) -> String? {
        lookup.map { "lookup: \(LookupIDText($0).text); give it to feedback --lookup-id" }
    }

    static func line(_ miss: CacheMiss) -> String {
        var text = "miss: \(self.text(miss.reason))"
        if let nearest = miss.nearest {
            let about = nearest.isApproximate ? "about " : ""
            text += "; nearest \(about)\(NumberText.similarity(nearest.similarity)), entry \(nearest.entryID)"
        }
        return text + "; threshold \(NumberText.similarity(miss.similarityThreshold))\(self.text(miss.decision))"
    }

    private static func text(_ decision: CacheDecision?) -> String {
        guard let decision, let risk = decision.risk else { return "" }
        let limit = decision.riskLimit.map { " of at most \(NumberText.percent(Double($0)))" } ?? ""
        return "; risk \(NumberText.percent(Double(risk)))\(limit)"
    }

    /// What is to be known of an answer that is to be made.
    static func line(_ lease: FillLease?, underWay: Duration?) -> String? {
        if let lease {
            let left = DurationText.text(lease.remaining)
            return "lease: \(LeaseText(lease: lease.bytes).text) for \(left); give it to store --lease"
        }
        return underWay.map { "another makes the answer, for \(DurationText.text($0)) at most" }
    }

    static func line(_ bypass: CacheBypass) -> String {
        "bypass: the chat has \(NumberText.count(bypass.messages, "message that counts", "messages that count")), "
            + "the cache keeps chats of at most \(NumberText.grouped(bypass.maximumMessages))"
    }

    /// As the wire names it, in lower case.
    static func name(_ reason: CacheMiss.Reason) -> String {
        switch reason {
        case .noEntry: "no_entry"
        case .notStored: "not_stored"
        case .belowThreshold: "below_threshold"
        case .tooOld: "too_old"
        case .filtered: "filtered"
        case .guarded: "guarded"
        case .tooRisky: "risk"
        case .blocked: "blocked"
        case .judged: "judged"
        case .shadow: "shadow"
        case .audited: "audited"
        case .degraded: "degraded"
        }
    }

    static func name(_ degradation: CacheMiss.Degradation) -> String {
        switch degradation {
        case .embedderOverloaded: "embedder_overloaded"
        case .embedderFailed: "embedder_failed"
        case .storeUnavailable: "store_unavailable"
        case .deadlineExceeded: "deadline_exceeded"
        }
    }

    static func name(_ tier: CacheHit.Tier) -> String {
        switch tier {
        case .l1: "L1"
        case .store: "store"
        }
    }

    private static func text(_ reason: CacheMiss.Reason) -> String {
        switch reason {
        case .noEntry: "nothing is stored for this cache and vary"
        case .notStored: "this prompt is not stored"
        case .belowThreshold: "no stored prompt is similar enough"
        case .tooOld: "what is stored is older than --max-age"
        case .filtered: "what is stored is similar enough, but --filter does not take it"
        case .guarded(let name): "what is stored is similar enough, but the guard \(name.rawValue) refuses it"
        case .tooRisky: "what is stored is similar enough, but too likely to be wrong"
        case .blocked: "what is stored is similar enough, but was said to be wrong for this question"
        case .judged: "what is stored is similar enough, but the judge refuses it"
        case .shadow: "it would be a hit, but the cache is in shadow mode"
        case .audited: "it would be a hit, but is left out so that the answers can be compared"
        case .degraded(.embedderOverloaded): "degraded, the embedder is overloaded"
        case .degraded(.embedderFailed): "degraded, the embedder failed"
        case .degraded(.storeUnavailable): "degraded, the store is not available"
        case .degraded(.deadlineExceeded): "degraded, the time was up"
        }
    }
}
