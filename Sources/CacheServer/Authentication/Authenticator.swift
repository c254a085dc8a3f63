// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// For whom a connection acts, and what it may do.
package struct Principal: Sendable {
    package enum Tenancy: Sendable, Equatable {
        case tenant(TenantScope)
        /// Names the tenant of each call, one of these; any if `nil`.
        case gateway(Set<TenantID>?)
    }

    package let tenancy: Tenancy
    package let roles: Roles
    /// When the credential ends; the connection ends with it.
    package let expiresAt: Timestamp?
    /// What the configuration may take back.
    let proof: Proof
    /// That of the connection, if the proof is something else.
    private(set) var certificate: ClientCertificate?

    enum Proof: Sendable {
        case none
        case apiKey(Digest)
        /// - verifier: Of whoever let the token in.
        /// - key: That it was signed with, if that may be withdrawn.
        case token(verifier: Digest, key: Digest?)
        case certificate(ClientCertificate)
    }

    init(tenancy: Tenancy, roles: Roles, expiresAt: Timestamp? = nil, proof: Proof) {
        self.tenancy = tenancy
        self.roles = roles
        self.expiresAt = expiresAt
        self.proof = proof
    }

    /// - Parameter certificate: Of the connection on which the credential was shown.
    func shown(with certificate: ClientCertificate?) -> Principal {
        var principal = self
        principal.certificate = certificate
        return principal
    }
}

/// Decides for which tenant a connection acts. Only files of this folder make a ``TenantScope``.
package protocol Authenticator: Sendable {
    /// Whether a peer must show something. If so, one that has not is told nothing else.
    var requiresCredential: Bool { get }

    /// - Parameter certificate: The peer's, as TLS has found it; `nil` if there is none.
    /// - Throws: ``CacheError`` with `.unauthenticated`, or `.unavailable` if it cannot be told now.
    func authenticate(
        _ credential: Credential, certificate: ClientCertificate?, at now: Timestamp
    ) async throws(CacheError) -> Principal

    /// Whether a principal is still what it was: asked of every connection when the configuration was read again.
    func accepts(_ principal: Principal) -> Bool
}

extension Principal {
    /// The scope of a call.
    ///
    /// - Parameter tenant: As the call names it; `nil` if it does not.
    /// - Throws: ``CacheError`` with `.permissionDenied` or `.invalidArgument`.
    package func scope(naming tenant: String?) throws(CacheError) -> TenantScope {
        switch (self.tenancy, tenant) {
        case (.tenant(let scope), nil):
            return scope
        case (.tenant, _?):
            throw CacheError(
                .permissionDenied, "only a gateway's credential names the tenant of a call", field: "tenant")
        case (.gateway, nil):
            throw .invalidArgument("tenant", "is missing: a gateway's credential must name it with each call")
        case (.gateway(let allowed), let name?):
            let tenant = TenantID(name)
            guard allowed?.contains(tenant) ?? true else {
                throw CacheError(.permissionDenied, "the credential does not reach this tenant", field: "tenant")
            }
            return TenantScope(authenticated: tenant)
        }
    }
}

/// Takes every peer for the one tenant of a service without credentials. Safe on loopback only, and the settings see to
/// it that it is used there only.
package struct SingleTenant: Authenticator {
    package static let tenant = TenantID("default")

    package init() {}

    package var requiresCredential: Bool { false }

    package func authenticate(
        _ credential: Credential, certificate: ClientCertificate?, at now: Timestamp
    ) async throws(CacheError) -> Principal {
        Principal(tenancy: .tenant(TenantScope(authenticated: Self.tenant)), roles: .all, proof: .none)
    }

    package func accepts(_ principal: Principal) -> Bool { true }
}
