// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// The scopes that the operator's own port acts in: whoever reaches it sees figures of all tenants, and nothing else of
/// them. No peer of the service's own ports gets one.
package enum OperatorScopes {
    package static func scopes(of tenants: some Sequence<TenantID>) -> [TenantScope] {
        tenants.map { TenantScope(authenticated: $0) }
    }

    /// What the store is asked for to see whether it answers: of a tenant that has no name, as no other may.
    package static let probe = CacheScope("", of: TenantScope(authenticated: TenantID("")))
}
