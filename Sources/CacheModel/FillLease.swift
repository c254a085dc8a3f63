// SPDX-License-Identifier: Apache-2.0

/// Says whose turn it is to make the answer to a prompt. Whoever gets it takes it for bytes; a store that made it finds
/// its lease by it.
package struct LeaseToken: Sendable, Hashable {
    package static let maximumBytes = 64
    private static let form: UInt8 = 1
    private static let nonceBytes = 16

    package let bytes: [UInt8]

    /// - Returns: `nil` for what cannot be one. What is one need not be of a lease.
    package init?(bytes: some Collection<UInt8>) {
        guard (1...Self.maximumBytes).contains(bytes.count) else { return nil }
        self.bytes = Array(bytes)
    }

    /// Draws one: nobody can guess its 128 bits.
    package init(for id: EntryID) {
        let nonce = EntryID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
        self.bytes = [Self.form] + nonce.bytes + id.bytes
    }

    /// Of the entry that its holder is to store; `nil` if no store of ours made it.
    package var id: EntryID? {
        guard self.bytes.first == Self.form else { return nil }
        return EntryID(bytes: self.bytes.dropFirst(1 + Self.nonceBytes))
    }

    /// What nobody else knows of it.
    package var nonce: ArraySlice<UInt8> { self.bytes.dropFirst().prefix(Self.nonceBytes) }
}

/// What a Lookup that asked for a lease is told.
package enum FillStatus: Sendable, Hashable {
    /// The caller is the one who makes the answer.
    case lease(LeaseToken, remaining: Duration)
    /// Another is, for as long as this at most, unless it prolongs its lease.
    case underWay(remaining: Duration)
}

/// What a Lease asks.
package struct LeaseRequest: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        /// From now on; within ``Limits/leaseTimeToLive``.
        case extend(Duration)
        /// Gives it up.
        case release
    }

    package var cache: String
    package var token: LeaseToken
    package var action: Action

    package init(cache: String, token: LeaseToken, action: Action) {
        self.cache = cache
        self.token = token
        self.action = action
    }
}

/// What a Lease did.
package struct LeaseOutcome: Sendable, Equatable {
    /// What is left of it.
    package let remaining: Duration
    /// Whether a release has ended it; false if it had ended before.
    package let isReleased: Bool

    package init(remaining: Duration, isReleased: Bool) {
        self.remaining = remaining
        self.isReleased = isReleased
    }
}
