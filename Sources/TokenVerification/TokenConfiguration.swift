// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Which tokens are let in, and where they say what.
package struct TokenConfiguration: Sendable, Equatable {
    /// How a token may be signed; the raw value is the `alg` of its header.
    package enum Algorithm: String, Sendable, CaseIterable {
        case hs256 = "HS256"
        case rs256 = "RS256"
        case es256 = "ES256"
    }

    /// Where the keys come from.
    package enum Keys: Sendable, Equatable {
        /// Shared with the issuer; at least ``Limits/minimumTokenSecretBytes``. For HS256 only.
        case secret([UInt8])
        /// Path of a JSON Web Key Set, read when the verifier is made.
        case file(String)
        /// Of a JSON Web Key Set: `https`, or `http` on the loopback interface.
        case url(String)
    }

    /// Equal to `iss`.
    package var issuer: String
    /// One of `aud`.
    package var audience: String
    /// Name of the claim that holds the tenant. A dot leads into an object, unless a claim has the whole name.
    package var tenantClaim: String
    /// Name of the claim that holds the roles: an array of strings, or one string with spaces.
    package var rolesClaim: String
    /// What a token without that claim is granted; `nil` if it is refused.
    package var roles: Roles?
    package var algorithms: Set<Algorithm>
    /// By how much the issuer's clock may differ from ours; up to ``Limits/maximumTokenLeeway``.
    package var leeway: Duration
    package var keys: Keys
    /// Age from which keys of a URL are fetched again; ``Limits/keyFetchInterval`` to ``Limits/maximumKeyAge``.
    package var refresh: Duration

    package init(
        issuer: String, audience: String, tenantClaim: String = "tenant", rolesClaim: String = "roles",
        roles: Roles? = nil, algorithms: Set<Algorithm>, leeway: Duration = .seconds(30), keys: Keys,
        refresh: Duration = .seconds(600)
    ) {
        self.issuer = issuer
        self.audience = audience
        self.tenantClaim = tenantClaim
        self.rolesClaim = rolesClaim
        self.roles = roles
        self.algorithms = algorithms
        self.leeway = leeway
        self.keys = keys
        self.refresh = refresh
    }

    /// Of all that decides which tokens are let in, and as whom.
    ///
    /// - Parameter keyMaterial: The secret, the key set of a file, or the URL.
    func identity(keyMaterial: [UInt8]) -> Digest {
        var fingerprint = Fingerprint(.tokenVerifier)
        for text in [self.issuer, self.audience, self.tenantClaim, self.rolesClaim] { fingerprint.append(text) }
        fingerprint.append(UInt64(self.roles?.rawValue ?? 0))
        fingerprint.append(self.algorithms.map(\.rawValue).sorted().joined(separator: " "))
        keyMaterial.withUnsafeBytes { fingerprint.append($0) }
        return fingerprint.finish()
    }

    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field.
    package func validate() throws(CacheError) {
        let texts: [(StaticString, String)] = [
            ("issuer", self.issuer), ("audience", self.audience), ("tenant_claim", self.tenantClaim),
            ("roles_claim", self.rolesClaim),
        ]
        for (field, text) in texts where text.isEmpty { throw .invalidArgument(field, "is empty") }
        if let roles = self.roles, roles.isEmpty { throw .invalidArgument("roles", "is empty") }
        guard self.leeway >= .zero, self.leeway <= Limits.maximumTokenLeeway else {
            throw .invalidArgument("leeway", "is not 0 to \(Limits.maximumTokenLeeway)")
        }
        guard self.refresh >= Limits.keyFetchInterval, self.refresh <= Limits.maximumKeyAge else {
            throw .invalidArgument("refresh", "is not \(Limits.keyFetchInterval) to \(Limits.maximumKeyAge)")
        }
        guard !self.algorithms.isEmpty else { throw .invalidArgument("algorithms", "is empty") }
        switch self.keys {
        case .secret(let secret):
            guard self.algorithms == [.hs256] else {
                throw .invalidArgument("algorithms", "must be HS256 alone with a secret")
            }
            guard secret.count >= Limits.minimumTokenSecretBytes else {
                throw .invalidArgument("secret_file", "has less than \(Limits.minimumTokenSecretBytes) bytes")
            }
        case .file, .url:
            guard !self.algorithms.contains(.hs256) else {
                throw .invalidArgument("algorithms", "must not be HS256 with public keys")
            }
        }
        if case .url(let url) = self.keys { try KeyAddress.validate(url) }
    }
}

extension TokenConfiguration.Keys: CustomStringConvertible, CustomReflectable {
    package var description: String {
        switch self {
        case .secret: "a secret"
        case .file: "a file"
        case .url: "a URL"
        }
    }

    /// A dump shows no secret either.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
