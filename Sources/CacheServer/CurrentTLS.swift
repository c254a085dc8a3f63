// SPDX-License-Identifier: Apache-2.0

package import OpenSSLTLS
import Synchronization

/// What a listener speaks TLS with: another one after each reload, for connections that are made from then on.
package final class CurrentTLS: Sendable {
    private let current: Mutex<TLSContext?>

    /// - Parameter context: `nil` for plain TCP.
    package init(_ context: TLSContext?) { self.current = Mutex(context) }

    package var context: TLSContext? { self.current.withLock { $0 } }

    /// - Returns: That before.
    @discardableResult
    package func replace(_ context: TLSContext) -> TLSContext? {
        self.current.withLock { current in
            defer { current = context }
            return current
        }
    }

    /// Whether all who may have issued a client's certificate are still trusted.
    ///
    /// - Parameter context: That the client was let in by.
    package func trusts(clientsOf context: TLSContext) -> Bool {
        guard let now = self.context else { return false }
        return now === context || context.clientAuthorities.isSubset(of: now.clientAuthorities)
    }
}
