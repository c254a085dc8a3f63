// SPDX-License-Identifier: Apache-2.0

/// What a credential allows. None implies another: reading is not writing.
package struct Roles: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Lookup.
    package static let read = Self(rawValue: 1)
    /// Store.
    package static let write = Self(rawValue: 2)
    /// Invalidate.
    package static let invalidate = Self(rawValue: 4)
    /// Feedback on answers.
    package static let feedback = Self(rawValue: 8)
    /// Stats, and what else is about a tenant's caches as a whole.
    package static let admin = Self(rawValue: 16)

    package static let all: Self = [.read, .write, .invalidate, .feedback, .admin]

    private static let named: [(name: String, role: Self)] = [
        ("read", .read), ("write", .write), ("invalidate", .invalidate), ("feedback", .feedback), ("admin", .admin),
    ]

    /// - Returns: `nil` if a name is none of a role.
    package init?(names: [String]) {
        self = []
        for name in names {
            guard let known = Self.named.first(where: { $0.name == name }) else { return nil }
            self.insert(known.role)
        }
    }

    package var names: [String] { Self.named.filter { self.contains($0.role) }.map(\.name) }
}

/// What a peer shows to be let in.
package enum Credential: Sendable, Equatable {
    case none
    /// UTF-8, at most ``Limits/maximumAPIKeyBytes``.
    case apiKey(String)
    /// A JSON Web Token in its compact form; at most ``Limits/maximumTokenBytes``.
    case token(String)
}

extension Credential: CustomStringConvertible, CustomReflectable {
    /// Without the secret: what is printed ends up in logs.
    package var description: String {
        switch self {
        case .none: "no credential"
        case .apiKey: "an API key"
        case .token: "a token"
        }
    }

    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a token that was found valid says.
package struct VerifiedToken: Sendable, Equatable {
    /// 1 to ``Limits/maximumTenantNameBytes`` bytes, without NUL.
    package let tenant: String
    /// Not empty.
    package let roles: Roles
    package let expiresAt: Timestamp
    /// Of the key that signed it, if its issuer may withdraw that while the verifier is in force.
    package let key: Digest?

    package init(tenant: String, roles: Roles, expiresAt: Timestamp, key: Digest? = nil) {
        self.tenant = tenant
        self.roles = roles
        self.expiresAt = expiresAt
        self.key = key
    }
}

/// Tells whether a token is genuine and in force.
package protocol TokenVerifier: Sendable {
    /// Of issuer, audience, keys and whatever else decides. A token that another verifier let in is let in by this one
    /// only if they are equal.
    var identity: Digest { get }

    /// - Throws: ``CacheError`` with `.unauthenticated`, or `.unavailable` if it cannot be told; the message holds
    ///   nothing of the token.
    func verify(_ token: String, at now: Timestamp) async throws(CacheError) -> VerifiedToken

    /// Whether a key is still in force, as far as is known.
    func trusts(_ key: Digest) -> Bool

    /// Waits until it is known which keys are in force, for a bounded time.
    func refresh(at now: Timestamp) async
}
