// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

extension LookupMiss.Reason {
    var wire: Semcached__V1__MissReason {
        switch self {
        case .noEntry: SEMCACHED__V1__MISS_REASON__MISS_REASON_NO_ENTRY
        case .notStored: SEMCACHED__V1__MISS_REASON__MISS_REASON_NOT_STORED
        case .belowThreshold: SEMCACHED__V1__MISS_REASON__MISS_REASON_BELOW_THRESHOLD
        case .tooOld: SEMCACHED__V1__MISS_REASON__MISS_REASON_TOO_OLD
        case .filtered: SEMCACHED__V1__MISS_REASON__MISS_REASON_FILTERED
        case .guarded: SEMCACHED__V1__MISS_REASON__MISS_REASON_GUARDED
        case .tooRisky: SEMCACHED__V1__MISS_REASON__MISS_REASON_RISK
        case .blocked: SEMCACHED__V1__MISS_REASON__MISS_REASON_BLOCKED
        case .judged: SEMCACHED__V1__MISS_REASON__MISS_REASON_JUDGED
        case .shadow: SEMCACHED__V1__MISS_REASON__MISS_REASON_SHADOW
        case .audited: SEMCACHED__V1__MISS_REASON__MISS_REASON_AUDITED
        case .degraded: SEMCACHED__V1__MISS_REASON__MISS_REASON_DEGRADED
        }
    }

    /// A reason that is not known is a newer server's: that nothing was near enough is all that a client needs.
    init(_ miss: Semcached__V1__Miss) {
        switch miss.reason {
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_NO_ENTRY: self = .noEntry
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_NOT_STORED: self = .notStored
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_BELOW_THRESHOLD: self = .belowThreshold
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_TOO_OLD: self = .tooOld
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_FILTERED: self = .filtered
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_GUARDED:
            // A guard of a newer server: it refused, that is what matters.
            self = Guard(rawValue: String(decoding: miss.guard.bytes, as: UTF8.self)).map { .guarded($0) } ?? .tooRisky
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_RISK: self = .tooRisky
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_BLOCKED: self = .blocked
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_JUDGED: self = .judged
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_SHADOW: self = .shadow
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_AUDITED: self = .audited
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_DEGRADED:
            let degradation = LookupMiss.Degradation.allCases.first { $0.wire == miss.degraded }
            self = degradation.map { .degraded($0) } ?? .belowThreshold
        default: self = .belowThreshold
        }
    }
}

extension LookupMiss.Degradation {
    var wire: Semcached__V1__Degraded {
        switch self {
        case .embedderOverloaded: SEMCACHED__V1__DEGRADED__DEGRADED_EMBEDDER_OVERLOADED
        case .embedderFailed: SEMCACHED__V1__DEGRADED__DEGRADED_EMBEDDER_FAILED
        case .storeUnavailable: SEMCACHED__V1__DEGRADED__DEGRADED_STORE_UNAVAILABLE
        case .deadlineExceeded: SEMCACHED__V1__DEGRADED__DEGRADED_DEADLINE_EXCEEDED
        }
    }
}
