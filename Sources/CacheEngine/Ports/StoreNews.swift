// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// What has changed in a tenant's part of a store, by whichever replica.
package enum StoreNews: Sendable, Hashable {
    /// - Parameter partition: The first half of the partition's key.
    case stored(EntryID, partition: EntryID, cache: Digest)
    case removed([EntryID], cache: Digest)
    case emptied(cache: Digest)
    case emptiedTenant
    /// Whoever was to make the answer to this prompt has given up.
    case released(EntryID)
    /// News may have been missed: nothing that was read before is known to be right.
    case missed
}

/// Is told what changes in a store.
package protocol StoreObserver: AnyObject, Sendable {
    /// Returns when nothing is served any more that the news make false. Called on event loops, so it must be quick.
    func heard(_ news: StoreNews, of tenant: TenantScope)
}
