// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Telemetry

/// The names are those of `semcache stats --json`.
extension JSONWriter {
    mutating func write(_ figures: EngineFigures) {
        self.object { writer in
            writer.member("uptime_seconds", Double(figures.process.uptime.wholeMilliseconds) / 1000)
            writer.key("embedder")
            writer.string(figures.process.embedder)
            writer.member("connections", figures.process.connections)
            writer.member("l1_entries", figures.process.l1Entries)
            writer.member("l1_bytes", figures.process.l1Bytes)
            writer.member("l1_evicted", figures.forgottenByMemory)
            writer.member("index_bytes", figures.process.indexBytes)
            writer.member("embeddings_computed", figures.process.embeddingsComputed)
            writer.member("embeddings_cached", figures.process.embeddingsCached)
            writer.member("embedding_queue_length", UInt64(figures.embeddingQueueLength))
            writer.key("embedders")
            writer.array { writer in
                for embedder in figures.embedders { writer.write(embedder) }
            }
            if let isStoreAnswering = figures.isStoreAnswering {
                writer.key("store_up")
                writer.bool(isStoreAnswering)
            }
            writer.key("tenants")
            writer.array { writer in
                for tenant in figures.tenants { writer.write(tenant) }
            }
            writer.member("other_tenants", UInt64(figures.othersCount))
            guard figures.othersCount > 0 else { return }
            writer.key("other")
            writer.write(figures.others)
        }
    }

    private mutating func write(_ embedder: EngineFigures.Embedder) {
        self.object { writer in
            writer.key("name")
            writer.string(embedder.name)
            writer.key("identity")
            writer.string(embedder.identity.description)
            writer.key("ready")
            writer.bool(embedder.isReady)
            writer.member("queue_length", UInt64(embedder.queueLength))
            writer.member("embeddings_computed", embedder.computed)
            writer.member("embeddings_cached", embedder.remembered)
            writer.member("embeddings_restored", embedder.restored)
        }
    }

    private mutating func write(_ tenant: EngineFigures.Tenant) {
        let statistics = tenant.statistics
        self.object { writer in
            writer.key("name")
            writer.string(tenant.name)
            writer.key("declared")
            writer.bool(tenant.isDeclared)
            if tenant.hasSizes {
                writer.member("entries", statistics.entries)
                writer.member("bytes", statistics.bytes)
                writer.member("orphaned_entries", statistics.orphanedEntries)
            }
            if statistics.maximumEntries > 0 { writer.member("maximum_entries", statistics.maximumEntries) }
            if statistics.maximumBytes > 0 { writer.member("maximum_bytes", statistics.maximumBytes) }
            writer.member("calls_in_flight", UInt64(clamping: tenant.callsInFlight))
            writer.member("evicted_entries", statistics.evictedEntries)
            writer.member("refused_by_rate", statistics.refusedByRate)
            writer.member("refused_by_calls_in_flight", statistics.refusedByCallsInFlight)
            writer.member("refused_by_request_bytes", statistics.refusedByRequestBytes)
            writer.member("refused_by_role", statistics.refusedByRole)
            writer.member("refused_by_quota", statistics.refusedByQuota)
            writer.member("tokens_saved", tenant.tokensSaved)
            writer.member("cost_saved", tenant.costSaved)
            writer.writeCounters(tenant.sum)
            guard !tenant.caches.isEmpty else { return }
            writer.key("caches")
            writer.array { writer in
                for cache in tenant.caches { writer.write(cache, hasSizes: tenant.hasSizes) }
            }
        }
    }

    private mutating func write(_ cache: CacheStatistics, hasSizes: Bool) {
        self.object { writer in
            writer.key("name")
            writer.string(cache.cache)
            if hasSizes {
                writer.member("entries", cache.entries)
                writer.member("response_bytes", cache.responseBytes)
            }
            writer.member("evicted_entries", cache.evictedEntries)
            writer.writeCounters(cache)
            writer.key("decisions")
            writer.write(cache.decision)
        }
    }

    private mutating func writeCounters(_ cache: CacheStatistics) {
        self.member("stores", cache.stores)
        self.member("invalidated_entries", cache.invalidatedEntries)
        self.member("exact_hits_l1", cache.exactHitsL1)
        self.member("exact_hits_store", cache.exactHitsStore)
        self.member("semantic_hits_l1", cache.semanticHitsL1)
        self.member("semantic_hits_store", cache.semanticHitsStore)
        self.member("misses_no_entry", cache.missesNoEntry)
        self.member("misses_not_stored", cache.missesNotStored)
        self.member("misses_below_threshold", cache.missesBelowThreshold)
        self.member("misses_too_old", cache.missesTooOld)
        self.member("misses_filtered", cache.missesFiltered)
        self.member("misses_degraded", cache.missesDegraded)
        self.member("bypasses", cache.bypasses)
        self.member("stale_hits", cache.staleHits)
        self.member("leases_granted", cache.leasesGranted)
        self.member("waits_filled", cache.waitsFilled)
        self.member("aborted_stores", cache.abortedStores)
        self.member("misses_refused", cache.missesRefused)
    }

    mutating func member(_ name: String, _ value: UInt64) {
        self.key(name)
        self.integer(value)
    }

    mutating func member(_ name: String, _ value: Double) {
        self.key(name)
        self.number(value)
    }
}
