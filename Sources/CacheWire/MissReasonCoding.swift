// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

extension LookupMiss.Reason {
    var wire: (Semcached__V1__MissReason, Semcached__V1__Degraded) {
        switch self {
        case .noEntry: (SEMCACHED__V1__MISS_REASON__MISS_REASON_NO_ENTRY, none)
        case .notStored: (SEMCACHED__V1__MISS_REASON__MISS_REASON_NOT_STORED, none)
        case .belowThreshold: (SEMCACHED__V1__MISS_REASON__MISS_REASON_BELOW_THRESHOLD, none)
        case .tooOld: (SEMCACHED__V1__MISS_REASON__MISS_REASON_TOO_OLD, none)
        case .filtered: (SEMCACHED__V1__MISS_REASON__MISS_REASON_FILTERED, none)
        case .degraded(let degradation): (SEMCACHED__V1__MISS_REASON__MISS_REASON_DEGRADED, degradation.wire)
        }
    }

    init?(_ reason: Semcached__V1__MissReason, _ degraded: Semcached__V1__Degraded) {
        switch reason {
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_NO_ENTRY: self = .noEntry
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_NOT_STORED: self = .notStored
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_BELOW_THRESHOLD: self = .belowThreshold
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_TOO_OLD: self = .tooOld
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_FILTERED: self = .filtered
        case SEMCACHED__V1__MISS_REASON__MISS_REASON_DEGRADED:
            guard let degradation = LookupMiss.Degradation.allCases.first(where: { $0.wire == degraded }) else {
                return nil
            }
            self = .degraded(degradation)
        default: return nil
        }
    }
}

private let none = SEMCACHED__V1__DEGRADED__DEGRADED_NONE

extension LookupMiss.Degradation {
    fileprivate var wire: Semcached__V1__Degraded {
        switch self {
        case .embedderOverloaded: SEMCACHED__V1__DEGRADED__DEGRADED_EMBEDDER_OVERLOADED
        case .embedderFailed: SEMCACHED__V1__DEGRADED__DEGRADED_EMBEDDER_FAILED
        case .storeUnavailable: SEMCACHED__V1__DEGRADED__DEGRADED_STORE_UNAVAILABLE
        case .deadlineExceeded: SEMCACHED__V1__DEGRADED__DEGRADED_DEADLINE_EXCEEDED
        }
    }
}
