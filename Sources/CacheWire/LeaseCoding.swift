// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

// What requests say of leases.

/// The lease that a Lookup asks for, if it does.
func wantedLease(_ lookup: borrowing Semcached__V1__LookupRequest) throws(CacheError) -> Duration? {
    guard lookup.lease_present_case == SEMCACHED__V1__LOOKUP_REQUEST__LEASE_PRESENT_LEASE_TTL_MS else { return nil }
    return try leaseTimeToLive(lookup.lease_ttl_ms, "lease_ttl_ms")
}

func wantedWait(_ lookup: borrowing Semcached__V1__LookupRequest) throws(CacheError) -> LookupRequest.Wait {
    guard lookup.wait != 0 else { return .none }
    guard lookup.lease_present_case == SEMCACHED__V1__LOOKUP_REQUEST__LEASE_PRESENT_LEASE_TTL_MS else {
        throw .invalidArgument("wait", "needs lease_ttl_ms: one who waits may become the one who makes the answer")
    }
    return lookup.maximum_wait_ms == 0
        ? .untilDeadline : .atMost(.milliseconds(Int64(clamping: lookup.maximum_wait_ms)))
}

/// - Parameter milliseconds: 0 for the default.
private func leaseTimeToLive(_ milliseconds: UInt64, _ field: StaticString) throws(CacheError) -> Duration {
    if milliseconds == 0 { return Limits.defaultLeaseTimeToLive }
    let duration = Duration.milliseconds(Int64(clamping: milliseconds))
    let range = Limits.leaseTimeToLive
    guard range.contains(duration) else {
        let (least, most) = (range.lowerBound.wholeMilliseconds, range.upperBound.wholeMilliseconds)
        throw .invalidArgument(field, "is \(milliseconds); it must be \(least) to \(most), or 0 for the default")
    }
    return duration
}

func leaseToken(_ data: ProtobufCBinaryData) throws(CacheError) -> LeaseToken {
    guard data.len <= LeaseToken.maximumBytes else {
        throw .tooLong("lease_token", data.len, limit: LeaseToken.maximumBytes)
    }
    guard let token = LeaseToken(bytes: data.bytes) else { throw .invalidArgument("lease_token", "is empty") }
    return token
}

func wantedStaleTime(_ store: borrowing Semcached__V1__StoreRequest) throws(CacheError) -> Duration? {
    guard store.stale_ttl_present_case == SEMCACHED__V1__STORE_REQUEST__STALE_TTL_PRESENT_STALE_TTL_MS else {
        return nil
    }
    let duration = Duration.milliseconds(Int64(clamping: store.stale_ttl_ms))
    guard duration <= Limits.maximumTimeToLive else {
        let limit = Limits.maximumTimeToLive.wholeMilliseconds
        throw .invalidArgument("stale_ttl_ms", "is \(store.stale_ttl_ms); it must be 0 to \(limit)")
    }
    return duration
}

extension LeaseRequest {
    /// Checks and copies a request.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field and the limit.
    init(_ lease: borrowing Semcached__V1__LeaseRequest) throws(CacheError) {
        let action: Action
        switch lease.action_case {
        case SEMCACHED__V1__LEASE_REQUEST__ACTION_EXTEND_TTL_MS:
            action = .extend(try leaseTimeToLive(lease.extend_ttl_ms, "extend_ttl_ms"))
        case SEMCACHED__V1__LEASE_REQUEST__ACTION_RELEASE: action = .release
        default: throw .invalidArgument("action", "is missing: extend_ttl_ms or release")
        }
        self.init(cache: try cacheName(lease.cache), token: try leaseToken(lease.lease_token), action: action)
    }
}

extension MessageBuilder {
    func addLease(of lookup: LookupRequest, to packed: UnsafeMutablePointer<Semcached__V1__LookupRequest>) {
        if let lease = lookup.lease {
            packed.pointee.lease_present_case = SEMCACHED__V1__LOOKUP_REQUEST__LEASE_PRESENT_LEASE_TTL_MS
            packed.pointee.lease_ttl_ms = UInt64(clamping: lease.wholeMilliseconds)
        }
        switch lookup.wait {
        case .none: break
        case .untilDeadline: packed.pointee.wait = 1
        case .atMost(let time):
            packed.pointee.wait = 1
            packed.pointee.maximum_wait_ms = time.millisecondsRoundedUp
        }
    }

    func lease(_ lease: LeaseRequest) -> UnsafeMutablePointer<Semcached__V1__LeaseRequest> {
        let packed = self.make(semcached__v1__lease_request__init)
        packed.pointee.cache = self.bytes(lease.cache)
        packed.pointee.lease_token = self.bytes(lease.token.bytes)
        switch lease.action {
        case .extend(let time):
            packed.pointee.action_case = SEMCACHED__V1__LEASE_REQUEST__ACTION_EXTEND_TTL_MS
            packed.pointee.extend_ttl_ms = UInt64(clamping: time.wholeMilliseconds)
        case .release:
            packed.pointee.action_case = SEMCACHED__V1__LEASE_REQUEST__ACTION_RELEASE
            packed.pointee.release = self.make(semcached__v1__release_lease__init)
        }
        return packed
    }

    func lease(_ outcome: LeaseOutcome) -> UnsafeMutablePointer<Semcached__V1__LeaseResponse> {
        let packed = self.make(semcached__v1__lease_response__init)
        packed.pointee.remaining_ms = UInt64(clamping: outcome.remaining.wholeMilliseconds)
        packed.pointee.released = outcome.isReleased ? 1 : 0
        return packed
    }

    func fill(_ fill: FillStatus?) -> UnsafeMutablePointer<Semcached__V1__Fill>? {
        guard let fill else { return nil }
        let packed = self.make(semcached__v1__fill__init)
        switch fill {
        case .lease(let token, let remaining):
            packed.pointee.lease_token = self.bytes(token.bytes)
            packed.pointee.remaining_ms = UInt64(clamping: remaining.wholeMilliseconds)
        case .underWay(let remaining):
            packed.pointee.remaining_ms = UInt64(clamping: remaining.wholeMilliseconds)
        }
        return packed
    }

    /// What tells of a stale window: 0 without one.
    static func staleUntil(_ freshUntil: Timestamp, _ expiresAt: Timestamp) -> UInt64 {
        expiresAt > freshUntil ? UInt64(clamping: expiresAt.milliseconds) : 0
    }
}

extension FillStatus? {
    init(_ packed: UnsafeMutablePointer<Semcached__V1__Fill>?) throws(CacheError) {
        guard let packed = packed?.pointee else {
            self = nil
            return
        }
        let remaining = Duration.milliseconds(Int64(clamping: packed.remaining_ms))
        if packed.lease_token.len == 0 {
            self = .underWay(remaining: remaining)
        } else if let token = LeaseToken(bytes: packed.lease_token.bytes) {
            self = .lease(token, remaining: remaining)
        } else {
            throw CacheError(.internal, "the reply has a malformed lease")
        }
    }
}

extension LeaseOutcome {
    init(_ packed: Semcached__V1__LeaseResponse) {
        self.init(
            remaining: .milliseconds(Int64(clamping: packed.remaining_ms)), isReleased: packed.released != 0)
    }
}

/// The end of an entry.
///
/// - Parameter staleUntil: 0 if it has no stale window.
func end(_ expiresAt: UInt64, _ staleUntil: UInt64) -> Timestamp {
    timestamp(staleUntil == 0 ? expiresAt : max(expiresAt, staleUntil))
}
