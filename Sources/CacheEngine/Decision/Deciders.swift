// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions
import Synchronization

/// The deciders of the caches that were in use last.
final class Deciders: Sendable {
    fileprivate struct Kept {
        let decider: CacheDecider
        /// Greater the later.
        var lastUse: UInt64
    }

    fileprivate struct State {
        var kept: [Digest: Kept] = [:]
        var uses: UInt64 = 0
        var counts: [TenantScope: Int] = [:]
    }

    private let state = Mutex(State())
    private let maximum: Int
    private let store: ObservedStore
    private let memory: MemoryTier
    private let troubles: TroubleLog

    init(_ store: ObservedStore, _ memory: MemoryTier, _ troubles: TroubleLog, maximum: Int = Limits.maximumDeciders) {
        self.store = store
        self.memory = memory
        self.troubles = troubles
        self.maximum = maximum
    }

    /// That of a route's cache; another one if its policy has changed.
    func decider(of route: CacheRoute) -> CacheDecider {
        let (cache, policy) = (route.partition.cache, route.policy)
        return self.state.withLock { state in
            state.uses += 1
            if let kept = state.kept[cache.key]?.decider, kept.policy == policy.decision,
                kept.threshold == policy.threshold(requested: nil)
            {
                state.kept[cache.key]?.lastUse = state.uses
                return kept
            }
            let decider = CacheDecider(cache, policy, store: self.store, memory: self.memory, troubles: self.troubles)
            if state.kept[cache.key] == nil {
                if state.kept.count >= self.maximum { state.evict() }
                state.counts[cache.tenant, default: 0] += 1
            }
            state.kept[cache.key] = Kept(decider: decider, lastUse: state.uses)
            route.counters.include(decider)
            return decider
        }
    }

    /// What was learnt in a tenant's caches goes with it.
    func forget(_ tenant: TenantScope) {
        self.state.withLock { state in
            for (key, kept) in state.kept where kept.decider.cache.tenant == tenant {
                kept.decider.forget()
                state.kept[key] = nil
            }
            state.counts[tenant] = nil
        }
    }
}

extension Deciders.State {
    /// Lets go of the one that was not used for the longest time, of the tenant that has the most: nobody's many caches
    /// cost others theirs. What it knew is in the store.
    fileprivate mutating func evict() {
        guard let most = self.counts.values.max() else { return }
        let victim = self.kept.filter { self.counts[$0.value.decider.cache.tenant] == most }
            .min { $0.value.lastUse < $1.value.lastUse }
        guard let victim else { return }
        self.kept[victim.key] = nil
        self.counts[victim.value.decider.cache.tenant] = most - 1
    }
}
