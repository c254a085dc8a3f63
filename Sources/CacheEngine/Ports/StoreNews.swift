// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// What has happened in a store that others share: told to whoever keeps something of it, or waits for it.
package enum StoreNews: Sendable, Hashable {
    /// - partition: The first half of its key.
    case stored(EntryID, partition: EntryID, cache: Digest)
    /// Those that a removal named, found or not.
    case removed([EntryID], cache: Digest)
    /// A removal that does not name its entries.
    case emptied(cache: Digest)
    case emptiedTenant
    /// The lease on making this entry was given up.
    case released(EntryID)
    /// News may have been missed.
    case missed
}

/// Is told what changes in a store.
package protocol StoreObserver: AnyObject, Sendable {
    /// Returns when nothing is served any more that the news make false. Called on event loops, so it must be quick.
    func heard(_ news: StoreNews, of tenant: TenantScope)
}
