// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// The right to make the answer to a prompt, which one caller at a time has, on all servers together.
///
/// It ends by the store that it is given to, by its release, by its time, or by an invalidation of what it is on; not with
/// the connection.
public struct FillLease: Sendable, Hashable {
    let token: LeaseToken
    /// The cache that the answer is for.
    public let cache: String
    /// What was left of it when the server answered.
    public let remaining: Duration

    /// What a server knows it by: opaque, 1 to 64 bytes, and a secret of its holder.
    public var bytes: [UInt8] { self.token.bytes }

    /// Makes a lease of what another process was given.
    ///
    /// - Returns: `nil` for bytes that cannot be one.
    public init?(bytes: [UInt8], cache: String, remaining: Duration = .zero) {
        guard let token = LeaseToken(bytes: bytes) else { return nil }
        self.init(token: token, cache: cache, remaining: remaining)
    }

    init(token: LeaseToken, cache: String, remaining: Duration) {
        self.token = token
        self.cache = cache
        self.remaining = remaining
    }
}

extension FillLease: CustomStringConvertible {
    /// Without what is secret.
    public var description: String { "lease on an answer in \(self.cache)" }
}

/// Whether a lookup asks for the lease on making the answer.
public enum CacheLeaseWish: Sendable, Hashable {
    /// It does not.
    case none
    /// For as long as this, 1 second to 10 minutes: longer than the answer usually takes.
    case acquire(for: Duration = .seconds(30))
}

/// Whether a lookup waits for an answer that another caller is making.
public enum CacheWait: Sendable, Hashable {
    /// It does not.
    case no
    /// Until shortly before the call's time is up.
    case untilTimeout
    /// For as long as this at most.
    case atMost(Duration)
}

extension CacheLeaseWish {
    var time: Duration? {
        switch self {
        case .none: nil
        case .acquire(let time): time
        }
    }
}

extension CacheWait {
    var wait: LookupRequest.Wait {
        switch self {
        case .no: .none
        case .untilTimeout: .untilDeadline
        case .atMost(let time): .atMost(time)
        }
    }
}

extension FillLease {
    /// `nil` if the caller has none.
    init?(_ fill: FillStatus?, _ cache: String) {
        guard case .lease(let token, let remaining) = fill else { return nil }
        self.init(token: token, cache: cache, remaining: remaining)
    }
}

extension FillStatus? {
    var timeUnderWay: Duration? {
        guard case .underWay(let remaining) = self else { return nil }
        return remaining
    }
}

extension LookupRequest {
    func checkLease() throws(CacheClientError) {
        if let lease = self.lease {
            try checkLeaseTime(lease, "lease_ttl_ms")
        } else if self.wait != .none {
            throw .invalid("wait", "needs a lease: one who waits may become the one who makes the answer")
        }
        if case .atMost(let time) = self.wait, time <= .zero { throw .invalid("maximum_wait_ms", "is not positive") }
    }
}

func checkLeaseTime(_ time: Duration, _ field: String) throws(CacheClientError) {
    guard Limits.leaseTimeToLive.contains(time) else {
        throw .invalid(field, "is \(time); it must be 1 second to 10 minutes")
    }
}
