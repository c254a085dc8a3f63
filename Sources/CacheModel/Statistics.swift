// SPDX-License-Identifier: Apache-2.0

/// Counters of one cache since the service started; sizes as of now.
package struct CacheStatistics: Sendable, Equatable {
    package var cache: String
    package var entries: UInt64 = 0
    package var responseBytes: UInt64 = 0
    package var exactHitsL1: UInt64 = 0
    package var exactHitsStore: UInt64 = 0
    package var semanticHitsL1: UInt64 = 0
    package var semanticHitsStore: UInt64 = 0
    package var missesNoEntry: UInt64 = 0
    package var missesNotStored: UInt64 = 0
    package var missesBelowThreshold: UInt64 = 0
    package var missesTooOld: UInt64 = 0
    package var missesFiltered: UInt64 = 0
    package var missesDegraded: UInt64 = 0
    package var stores: UInt64 = 0
    package var invalidatedEntries: UInt64 = 0
    package var bypasses: UInt64 = 0
    /// Entries that went because the tenant's quota was full.
    package var evictedEntries: UInt64 = 0
    package var leasesGranted: UInt64 = 0
    /// Lookups that waited for another's answer and got it.
    package var waitsFilled: UInt64 = 0
    /// Among the hits.
    package var staleHits: UInt64 = 0
    /// Stores that came when their lease had ended or was void.
    package var abortedStores: UInt64 = 0
    /// Would-be semantic hits that the decision policy, a guard, a block or the judge refused, or that an audit or shadow
    /// mode kept back.
    package var missesRefused: UInt64 = 0
    package var decision = DecisionStatistics()

    package init(cache: String) { self.cache = cache }
}

/// Sizes of a tenant as of now, and what was refused to it since the service started.
package struct TenantStatistics: Sendable, Equatable {
    package var entries: UInt64 = 0
    /// What the byte quota counts.
    package var bytes: UInt64 = 0
    /// 0 for none.
    package var maximumEntries: UInt64 = 0
    /// 0 for none.
    package var maximumBytes: UInt64 = 0
    /// Entries of an older key scheme or of another model: never found, gone when they expire or with the whole tenant.
    package var orphanedEntries: UInt64 = 0
    package var evictedEntries: UInt64 = 0
    package var refusedByRate: UInt64 = 0
    package var refusedByCallsInFlight: UInt64 = 0
    package var refusedByRequestBytes: UInt64 = 0
    package var refusedByRole: UInt64 = 0
    package var refusedByQuota: UInt64 = 0

    package init() {}
}

/// What a Stats answers.
package struct ServiceStatistics: Sendable, Equatable {
    package var tenant = TenantStatistics()
    package var caches: [CacheStatistics] = []
    // What follows is of the whole process, and told only where there is no other tenant; uptime and embedder always.
    package var uptime: Duration = .zero
    package var l1Entries: UInt64 = 0
    package var l1Bytes: UInt64 = 0
    package var indexBytes: UInt64 = 0
    package var embeddingsComputed: UInt64 = 0
    package var embeddingsCached: UInt64 = 0
    package var connections: UInt64 = 0
    package var embedder: String = ""

    package init() {}
}
