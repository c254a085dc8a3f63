// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Synchronization

/// What an API key may do.
package struct APIKeyGrant: Sendable, Equatable {
    package enum Tenancy: Sendable, Equatable {
        case tenant(TenantID)
        /// The tenants that a gateway may name; any if `nil`.
        case gateway(Set<TenantID>?)
    }

    /// SHA-256 of the key's UTF-8: the key itself is known to its holder only. Keys are random, so a fast digest without
    /// salt is enough.
    package let digest: Digest
    package let tenancy: Tenancy
    package let roles: Roles

    package init(digest: Digest, tenancy: Tenancy, roles: Roles) {
        self.digest = digest
        self.tenancy = tenancy
        self.roles = roles
    }
}

/// Decides by API keys and by tokens. What it knows can be replaced while the service runs.
package final class CredentialAuthenticator: Authenticator {
    package struct Configuration: Sendable {
        /// Of distinct digests.
        package var keys: [APIKeyGrant]
        /// `nil` if tokens are not accepted.
        package var tokens: (any TokenVerifier)?

        package init(keys: [APIKeyGrant], tokens: (any TokenVerifier)? = nil) {
            self.keys = keys
            self.tokens = tokens
        }
    }

    private let configuration: Mutex<Configuration>

    package init(_ configuration: Configuration) { self.configuration = Mutex(configuration) }

    package var requiresCredential: Bool { true }
    package var tokens: (any TokenVerifier)? { self.configuration.withLock { $0.tokens } }

    /// Puts another configuration in force; connections that were let in by the last one must be asked about.
    package func replace(_ configuration: Configuration) { self.configuration.withLock { $0 = configuration } }

    package func authenticate(_ credential: Credential, at now: Timestamp) async throws(CacheError) -> Principal {
        let configuration = self.configuration.withLock { $0 }
        switch credential {
        case .none:
            throw CacheError(.unauthenticated, "a credential is needed")
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
                expiresAt: verified.expiresAt, proof: .token(verifier: verifier.identity))
        }
    }

    package func accepts(_ principal: Principal) -> Bool {
        let configuration = self.configuration.withLock { $0 }
        switch principal.proof {
        case .none: return false
        // In force until it expires, for as long as the same decides on tokens.
        case .token(let verifier): return configuration.tokens?.identity == verifier
        case .apiKey(let digest):
            guard let grant = Self.grant(of: digest, among: configuration.keys) else { return false }
            let now = Self.principal(grant)
            return now.roles == principal.roles && now.tenancy == principal.tenancy
        }
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
        let tenancy: Principal.Tenancy =
            switch grant.tenancy {
            case .tenant(let tenant): .tenant(TenantScope(authenticated: tenant))
            case .gateway(let tenants): .gateway(tenants)
            }
        return Principal(tenancy: tenancy, roles: grant.roles, proof: .apiKey(grant.digest))
    }
}
