// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import CacheWire

/// Decides for which tenant a connection acts. The only place where a ``TenantScope`` is made.
package protocol Authenticator: Sendable {
    /// - Throws: ``CacheError`` with `.unauthenticated`.
    func authenticate(_ hello: Hello) throws(CacheError) -> TenantScope
}

/// Takes every peer for the one tenant of a service without credentials. Safe on loopback only, where the listener
/// checks that it is used.
package struct SingleTenant: Authenticator {
    package init() {}

    package func authenticate(_ hello: Hello) throws(CacheError) -> TenantScope {
        TenantScope(authenticated: TenantID("default"))
    }
}
