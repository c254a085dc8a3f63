// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Synchronization

/// For whom a credential acts.
package enum GrantedTenancy: Sendable, Equatable {
    case tenant(TenantID)
    /// The tenants that a gateway may name; any if `nil`.
    case gateway(Set<TenantID>?)
}

/// What an API key may do.
package struct APIKeyGrant: Sendable, Equatable {
    /// SHA-256 of the key's UTF-8: the key itself is known to its holder only. Keys are random, so a fast digest without
    /// salt is enough.
    package let digest: Digest
    package let tenancy: GrantedTenancy
    package let roles: Roles

    package init(digest: Digest, tenancy: GrantedTenancy, roles: Roles) {
        self.digest = digest
        self.tenancy = tenancy
        self.roles = roles
    }
}

/// What the holder of a certificate with a name may do.
package struct CertificateGrant: Sendable, Equatable {
    package let name: CertificateName
    package let tenancy: GrantedTenancy
    package let roles: Roles

    package init(name: CertificateName, tenancy: GrantedTenancy, roles: Roles) {
        self.name = name
        self.tenancy = tenancy
        self.roles = roles
    }
}

/// Decides by API keys, tokens and client certificates. What it knows can be replaced while the service runs.
package final class CredentialAuthenticator: Authenticator {
    package struct Configuration: Sendable {
        /// Of distinct digests.
        package var keys: [APIKeyGrant]
        /// `nil` if tokens are not accepted.
        package var tokens: (any TokenVerifier)?
        package let certificates: [CertificateName: CertificateGrant]

        /// - Parameter certificates: Of distinct names.
        package init(
            keys: [APIKeyGrant], tokens: (any TokenVerifier)? = nil, certificates: [CertificateGrant] = []
        ) {
            self.keys = keys
            self.tokens = tokens
            self.certificates = Dictionary(certificates.map { ($0.name, $0) }) { first, _ in first }
        }
    }

    private let configuration: Mutex<Configuration>

    package init(_ configuration: Configuration) { self.configuration = Mutex(configuration) }

    package var requiresCredential: Bool { true }
    package var tokens: (any TokenVerifier)? { self.configuration.withLock { $0.tokens } }

    /// Puts another configuration in force; connections that were let in by the last one must be asked about.
    package func replace(_ configuration: Configuration) { self.configuration.withLock { $0 = configuration } }

    package func authenticate(
        _ credential: Credential, certificate: ClientCertificate?, at now: Timestamp
    ) async throws(CacheError) -> Principal {
        let configuration = self.configuration.withLock { $0 }
        let holder = try certificate.flatMap { (certificate) throws(CacheError) in
            try Self.principal(of: certificate, among: configuration.certificates)
        }
        guard let principal = try await self.principal(of: credential, configuration, at: now) else {
            guard let holder else {
                throw CacheError(
                    .unauthenticated,
                    certificate == nil ? "a credential is needed" : "the names in the certificate are not known")
            }
            return holder
        }
        guard holder == nil || holder?.tenancy == principal.tenancy else {
            throw CacheError(.unauthenticated, "the certificate and the credential are of different tenants")
        }
        return principal.shown(with: certificate)
    }

    /// - Returns: `nil` if there is none.
    private func principal(
        of credential: Credential, _ configuration: Configuration, at now: Timestamp
    ) async throws(CacheError) -> Principal? {
        switch credential {
        case .none:
            return nil
        case .apiKey(let key):
            guard let grant = Self.grant(of: Digest(ofAPIKey: key), among: configuration.keys) else {
                throw CacheError(.unauthenticated, "the API key is not known")
            }
            return Self.principal(grant)
        case .token(let token):
            guard let verifier = configuration.tokens else {
                throw CacheError(.unauthenticated, "tokens are not accepted here")
            }
            let verified = try await verifier.verify(token, at: now)
            return Principal(
                tenancy: .tenant(TenantScope(authenticated: TenantID(verified.tenant))), roles: verified.roles,
                expiresAt: verified.expiresAt, proof: .token(verifier: verifier.identity, key: verified.key))
        }
    }

    package func accepts(_ principal: Principal) -> Bool {
        let configuration = self.configuration.withLock { $0 }
        guard Self.agrees(principal.certificate, with: principal, among: configuration.certificates) else {
            return false
        }
        let now: Principal?
        switch principal.proof {
        case .none: return false
        // In force until it expires, for as long as the same decides on tokens and the key was not withdrawn.
        case .token(let identity, let key):
            guard let verifier = configuration.tokens, verifier.identity == identity else { return false }
            return key.map { verifier.trusts($0) } ?? true
        case .apiKey(let digest): now = Self.grant(of: digest, among: configuration.keys).map(Self.principal)
        case .certificate(let certificate):
            now = try? Self.principal(of: certificate, among: configuration.certificates)
        }
        return now?.roles == principal.roles && now?.tenancy == principal.tenancy
    }

    /// Whether a certificate that was shown with a credential lets that be what it is.
    private static func agrees(
        _ certificate: ClientCertificate?, with principal: Principal,
        among grants: [CertificateName: CertificateGrant]
    ) -> Bool {
        guard let certificate else { return true }
        do throws(CacheError) {
            let holder = try Self.principal(of: certificate, among: grants)
            return holder == nil || holder?.tenancy == principal.tenancy
        } catch {
            return false
        }
    }

    /// - Returns: `nil` if none of the names is known: then the certificate only secures the connection.
    /// - Throws: ``CacheError`` with `.unauthenticated` if it has names of several.
    private static func principal(
        of certificate: ClientCertificate, among grants: [CertificateName: CertificateGrant]
    ) throws(CacheError) -> Principal? {
        let found = certificate.names.compactMap { grants[$0] }
        guard let first = found.first else { return nil }
        guard found.allSatisfy({ $0.tenancy == first.tenancy }) else {
            throw CacheError(.unauthenticated, "the certificate has names of different tenants")
        }
        return Principal(
            tenancy: Self.tenancy(first.tenancy), roles: Roles(found.map(\.roles)), expiresAt: certificate.notAfter,
            proof: .certificate(certificate))
    }

    /// Looks at all keys, and at all of each, so that the time it takes tells nothing of how near a guess came.
    private static func grant(of digest: Digest, among keys: [APIKeyGrant]) -> APIKeyGrant? {
        var found: Int?
        for (position, key) in keys.enumerated() {
            let difference =
                (key.digest.words.0 ^ digest.words.0) | (key.digest.words.1 ^ digest.words.1)
                | (key.digest.words.2 ^ digest.words.2) | (key.digest.words.3 ^ digest.words.3)
            found = difference == 0 ? position : found
        }
        return found.map { keys[$0] }
    }

    private static func principal(_ grant: APIKeyGrant) -> Principal {
        Principal(tenancy: self.tenancy(grant.tenancy), roles: grant.roles, proof: .apiKey(grant.digest))
    }

    private static func tenancy(_ granted: GrantedTenancy) -> Principal.Tenancy {
        switch granted {
        case .tenant(let tenant): .tenant(TenantScope(authenticated: tenant))
        case .gateway(let tenants): .gateway(tenants)
        }
    }
}
