// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel

/// Statistics as JSON.
struct StatisticsObject: Encodable {
    struct Cache: Encodable {
        let name: String
        let entries: UInt64
        let responseBytes: UInt64
        let stores: UInt64
        let invalidatedEntries: UInt64
        let evictedEntries: UInt64
        let exactHitsL1: UInt64
        let exactHitsStore: UInt64
        let semanticHitsL1: UInt64
        let semanticHitsStore: UInt64
        let missesNoEntry: UInt64
        let missesNotStored: UInt64
        let missesBelowThreshold: UInt64
        let missesTooOld: UInt64
        let missesFiltered: UInt64
        let missesDegraded: UInt64
        let bypasses: UInt64
        let staleHits: UInt64
        let leasesGranted: UInt64
        let waitsFilled: UInt64
        let abortedStores: UInt64
        let missesRefused: UInt64
        let decisions: DecisionsObject
        let hitRate: Double?

        enum CodingKeys: String, CodingKey {
            case name
            case entries
            case responseBytes = "response_bytes"
            case stores
            case invalidatedEntries = "invalidated_entries"
            case evictedEntries = "evicted_entries"
            case exactHitsL1 = "exact_hits_l1"
            case exactHitsStore = "exact_hits_store"
            case semanticHitsL1 = "semantic_hits_l1"
            case semanticHitsStore = "semantic_hits_store"
            case missesNoEntry = "misses_no_entry"
            case missesNotStored = "misses_not_stored"
            case missesBelowThreshold = "misses_below_threshold"
            case missesTooOld = "misses_too_old"
            case missesFiltered = "misses_filtered"
            case missesDegraded = "misses_degraded"
            case bypasses
            case staleHits = "stale_hits"
            case leasesGranted = "leases_granted"
            case waitsFilled = "waits_filled"
            case abortedStores = "aborted_stores"
            case missesRefused = "misses_refused"
            case decisions
            case hitRate = "hit_rate"
        }
    }

    struct Tenant: Encodable {
        let entries: UInt64
        let bytes: UInt64
        /// `nil` without a quota.
        let maximumEntries: UInt64?
        let maximumBytes: UInt64?
        let orphanedEntries: UInt64
        let evictedEntries: UInt64
        let refusedByRate: UInt64
        let refusedByCallsInFlight: UInt64
        let refusedByRequestBytes: UInt64
        let refusedByRole: UInt64
        let refusedByQuota: UInt64

        enum CodingKeys: String, CodingKey {
            case entries
            case bytes
            case maximumEntries = "maximum_entries"
            case maximumBytes = "maximum_bytes"
            case orphanedEntries = "orphaned_entries"
            case evictedEntries = "evicted_entries"
            case refusedByRate = "refused_by_rate"
            case refusedByCallsInFlight = "refused_by_calls_in_flight"
            case refusedByRequestBytes = "refused_by_request_bytes"
            case refusedByRole = "refused_by_role"
            case refusedByQuota = "refused_by_quota"
        }
    }

    let tenant: Tenant
    let embedder: String
    let uptimeMilliseconds: Int64
    let connections: UInt64
    let l1Entries: UInt64
    let l1Bytes: UInt64
    let indexBytes: UInt64
    let embeddingsComputed: UInt64
    let embeddingsCached: UInt64
    let caches: [Cache]

    enum CodingKeys: String, CodingKey {
        case tenant
        case embedder
        case uptimeMilliseconds = "uptime_ms"
        case connections
        case l1Entries = "l1_entries"
        case l1Bytes = "l1_bytes"
        case indexBytes = "index_bytes"
        case embeddingsComputed = "embeddings_computed"
        case embeddingsCached = "embeddings_cached"
        case caches
    }

    init(_ statistics: ServerStatistics) {
        self.tenant = Tenant(statistics.tenant)
        self.embedder = statistics.embedder
        self.uptimeMilliseconds = statistics.uptime.wholeMilliseconds
        self.connections = statistics.connections
        self.l1Entries = statistics.l1Entries
        self.l1Bytes = statistics.l1Bytes
        self.indexBytes = statistics.indexBytes
        self.embeddingsComputed = statistics.embeddingsComputed
        self.embeddingsCached = statistics.embeddingsCached
        self.caches = statistics.caches.map { Cache($0) }
    }
}

extension StatisticsObject.Cache {
    init(_ cache: ServerStatistics.Cache) {
        self.name = cache.name
        self.entries = cache.entries
        self.responseBytes = cache.responseBytes
        self.stores = cache.stores
        self.invalidatedEntries = cache.invalidatedEntries
        self.evictedEntries = cache.evictedEntries
        self.exactHitsL1 = cache.exactHitsL1
        self.exactHitsStore = cache.exactHitsStore
        self.semanticHitsL1 = cache.semanticHitsL1
        self.semanticHitsStore = cache.semanticHitsStore
        self.missesNoEntry = cache.missesNoEntry
        self.missesNotStored = cache.missesNotStored
        self.missesBelowThreshold = cache.missesBelowThreshold
        self.missesTooOld = cache.missesTooOld
        self.missesFiltered = cache.missesFiltered
        self.missesDegraded = cache.missesDegraded
        self.bypasses = cache.bypasses
        self.staleHits = cache.staleHits
        self.leasesGranted = cache.leasesGranted
        self.waitsFilled = cache.waitsFilled
        self.abortedStores = cache.abortedStores
        self.missesRefused = cache.missesRefused
        self.decisions = DecisionsObject(cache.decisions)
        self.hitRate = cache.hitRate
    }
}

extension StatisticsObject.Tenant {
    init(_ tenant: ServerStatistics.Tenant) {
        self.entries = tenant.entries
        self.bytes = tenant.bytes
        self.maximumEntries = tenant.maximumEntries
        self.maximumBytes = tenant.maximumBytes
        self.orphanedEntries = tenant.orphanedEntries
        self.evictedEntries = tenant.evictedEntries
        self.refusedByRate = tenant.refusedByRate
        self.refusedByCallsInFlight = tenant.refusedByCallsInFlight
        self.refusedByRequestBytes = tenant.refusedByRequestBytes
        self.refusedByRole = tenant.refusedByRole
        self.refusedByQuota = tenant.refusedByQuota
    }
}
