// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine: StoreObserver {
    package func heard(_ news: StoreNews, of tenant: TenantScope) {
        // Memory first: whoever is woken looks there.
        switch news {
        case .stored(let id, let partition, let cache):
            self.memory.storeChanged(id, partition: partition, of: cache)
        case .removed(let ids, let cache):
            for id in ids { self.memory.remove(id, of: cache) }
        case .emptied(let cache):
            self.memory.removeAll(of: cache)
        case .emptiedTenant:
            self.memory.removeAll(of: tenant)
            self.deciders.forget(tenant)
            for pool in self.pools.all { pool.forget(tenant.tenant) }
        case .missed:
            self.memory.removeAll(of: tenant)
        case .released:
            break
        }
        self.fills.heard(news, of: tenant)
    }
}
