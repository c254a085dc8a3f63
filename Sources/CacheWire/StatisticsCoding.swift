// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

/// A counter of a noun and of its structure: both ends go through the same list.
typealias Counter<Noun, Packed> = (
    noun: any WritableKeyPath<Noun, UInt64> & Sendable, packed: any WritableKeyPath<Packed, UInt64> & Sendable
)

private let cacheCounters: [Counter<CacheStatistics, Semcached__V1__CacheStats>] = [
    (\.entries, \.entries), (\.responseBytes, \.response_bytes), (\.exactHitsL1, \.exact_hits_l1),
    (\.exactHitsStore, \.exact_hits_store), (\.semanticHitsL1, \.semantic_hits_l1),
    (\.semanticHitsStore, \.semantic_hits_store), (\.missesNoEntry, \.misses_no_entry),
    (\.missesNotStored, \.misses_not_stored), (\.missesBelowThreshold, \.misses_below_threshold),
    (\.missesTooOld, \.misses_too_old), (\.missesFiltered, \.misses_filtered), (\.missesDegraded, \.misses_degraded),
    (\.stores, \.stores), (\.invalidatedEntries, \.invalidated_entries), (\.bypasses, \.bypasses),
    (\.evictedEntries, \.evicted_entries), (\.leasesGranted, \.leases_granted), (\.waitsFilled, \.waits_filled),
    (\.staleHits, \.stale_hits), (\.abortedStores, \.aborted_stores), (\.missesRefused, \.misses_refused),
]

private let tenantCounters: [Counter<TenantStatistics, Semcached__V1__TenantStats>] = [
    (\.entries, \.entries), (\.bytes, \.bytes), (\.maximumEntries, \.maximum_entries),
    (\.maximumBytes, \.maximum_bytes), (\.orphanedEntries, \.orphaned_entries), (\.evictedEntries, \.evicted_entries),
    (\.refusedByRate, \.refused_by_rate), (\.refusedByCallsInFlight, \.refused_by_calls_in_flight),
    (\.refusedByRequestBytes, \.refused_by_request_bytes), (\.refusedByRole, \.refused_by_role),
    (\.refusedByQuota, \.refused_by_quota),
]

private let serviceCounters: [Counter<ServiceStatistics, Semcached__V1__StatsResponse>] = [
    (\.l1Entries, \.l1_entries), (\.l1Bytes, \.l1_bytes), (\.indexBytes, \.index_bytes),
    (\.embeddingsComputed, \.embeddings_computed), (\.embeddingsCached, \.embeddings_cached),
    (\.connections, \.connections),
]

func copy<Noun, Packed>(
    _ counters: [Counter<Noun, Packed>], from noun: Noun, to packed: UnsafeMutablePointer<Packed>
) {
    for counter in counters { packed.pointee[keyPath: counter.packed] = noun[keyPath: counter.noun] }
}

func copy<Noun, Packed>(_ counters: [Counter<Noun, Packed>], from packed: Packed, to noun: inout Noun) {
    for counter in counters { noun[keyPath: counter.noun] = packed[keyPath: counter.packed] }
}

extension MessageBuilder {
    func statistics(_ statistics: ServiceStatistics) -> UnsafeMutablePointer<Semcached__V1__StatsResponse> {
        let packed = self.make(semcached__v1__stats_response__init)
        copy(serviceCounters, from: statistics, to: packed)
        packed.pointee.uptime_ms = UInt64(clamping: statistics.uptime.wholeMilliseconds)
        packed.pointee.embedder = self.bytes(statistics.embedder)
        let tenant = self.make(semcached__v1__tenant_stats__init)
        copy(tenantCounters, from: statistics.tenant, to: tenant)
        packed.pointee.tenant = tenant
        let caches = statistics.caches.prefix(Limits.maximumCachesInStats)
        (packed.pointee.n_caches, packed.pointee.caches) = self.list(Array(caches.enumerated())) { place, cache in
            let packed: UnsafeMutablePointer<Semcached__V1__CacheStats>? = self.make(semcached__v1__cache_stats__init)
            if let packed {
                packed.pointee.cache = self.bytes(cache.cache)
                copy(cacheCounters, from: cache, to: packed)
                // Those of all caches might not fit into a frame.
                if place < Limits.maximumDecisionsInStats {
                    packed.pointee.decision = self.decisions(cache.decision)
                }
            }
            return packed
        }
        return packed
    }
}

extension ServiceStatistics {
    init(_ packed: Semcached__V1__StatsResponse) {
        self.init()
        copy(serviceCounters, from: packed, to: &self)
        self.uptime = .milliseconds(Int64(clamping: packed.uptime_ms))
        self.embedder = String(decoding: packed.embedder.bytes, as: UTF8.self)
        if let tenant = packed.tenant?.pointee { copy(tenantCounters, from: tenant, to: &self.tenant) }
        self.caches = RepeatedMessages(packed.caches, packed.n_caches).map { packed in
            var cache = CacheStatistics(cache: String(decoding: packed.cache.bytes, as: UTF8.self))
            copy(cacheCounters, from: packed, to: &cache)
            cache.decision = DecisionStatistics(packed.decision)
            return cache
        }
    }
}
