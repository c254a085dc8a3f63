// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// The embedding pools of a service, by the names by which caches choose them (``CachePolicy/embedder``).
///
/// Names are of the configuration, which allows ASCII only: no two of them are equal as text and differ in bytes.
package struct EmbeddingPools: Sendable {
    /// Sorted.
    package let names: [String]
    package let defaultName: String
    /// Of caches that choose none.
    package let `default`: EmbeddingPool
    private let pools: [String: EmbeddingPool]

    /// - Parameters:
    ///   - pools: At least one.
    ///   - name: One of theirs.
    package init(_ pools: [String: EmbeddingPool], default name: String) {
        guard let chosen = pools[name] else { preconditionFailure("the default embedder is none of the embedders") }
        self.pools = pools
        self.names = pools.keys.sorted()
        self.defaultName = name
        self.default = chosen
    }

    /// - Parameter name: The default's if `nil`.
    /// - Returns: `nil` if there is none of that name.
    package subscript(name: String?) -> EmbeddingPool? {
        guard let name else { return self.default }
        return self.pools[name]
    }

    /// In the order of their names.
    package var all: [EmbeddingPool] { self.names.compactMap { self.pools[$0] } }

    /// What vectors in use are made by; a store's entries of any other model are orphans.
    package var identities: Set<Digest> { Set(self.all.map(\.identity.key)) }

    /// What the caches of a policy are searched with, each once: the default's first.
    func identities(of policy: TenantPolicy) -> [EmbeddingIdentity] {
        let used = Set(policy.cachePolicies.compactMap(\.embedder))
        var identities: [EmbeddingIdentity] = []
        for pool in [self.default] + used.sorted().compactMap({ self.pools[$0] })
        where !identities.contains(pool.identity) {
            identities.append(pool.identity)
        }
        return identities
    }
}
