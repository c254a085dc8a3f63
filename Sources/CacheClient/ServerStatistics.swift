// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Counters since the server started; sizes as of now.
public struct ServerStatistics: Sendable, Hashable {
    /// Of one cache.
    public struct Cache: Sendable, Hashable {
        /// The cache's name.
        public let name: String
        /// Entries stored now.
        public let entries: UInt64
        /// Bytes of the responses stored now.
        public let responseBytes: UInt64
        /// Lookups of a stored prompt that the memory answered.
        public let exactHitsL1: UInt64
        /// Lookups of a stored prompt that the store answered.
        public let exactHitsStore: UInt64
        /// Lookups answered by meaning that the memory answered.
        public let semanticHitsL1: UInt64
        /// Lookups answered by meaning that the store answered.
        public let semanticHitsStore: UInt64
        /// Misses because nothing was stored.
        public let missesNoEntry: UInt64
        /// Misses in exact mode.
        public let missesNotStored: UInt64
        /// Misses because nothing was close enough.
        public let missesBelowThreshold: UInt64
        /// Misses because of the lookup's maximum age.
        public let missesTooOld: UInt64
        /// Misses because the lookup's filter did not take what was close enough.
        public let missesFiltered: UInt64
        /// Misses because the cache could not look.
        public let missesDegraded: UInt64
        /// Entries stored, with those that replaced others.
        public let stores: UInt64
        /// Entries removed by invalidation; not those that expired.
        public let invalidatedEntries: UInt64
        /// Chats that the cache's policy kept from being looked up.
        public let bypasses: UInt64
        /// Entries that went because the tenant's quota was full.
        public let evictedEntries: UInt64
        /// Leases on making an answer that lookups were given.
        public let leasesGranted: UInt64
        /// Lookups that waited for another's answer and got it.
        public let waitsFilled: UInt64
        /// Hits whose answer was stale.
        public let staleHits: UInt64
        /// Answers that were not stored because their lease had ended or was void.
        public let abortedStores: UInt64
        /// Misses because a guard, the decision policy, a block or the judge refused what was close enough, or because it
        /// was kept back by an audit or shadow mode.
        public let missesRefused: UInt64
        /// What decides on answers found by meaning, and how well. Of an answer for all caches, only the first 1,000 have it.
        public let decisions: Decisions

        /// All hits.
        public var hits: UInt64 {
            Self.sum(self.exactHitsL1, self.exactHitsStore, self.semanticHitsL1, self.semanticHitsStore)
        }

        /// All misses.
        public var misses: UInt64 {
            Self.sum(
                self.missesNoEntry, self.missesNotStored, self.missesBelowThreshold, self.missesTooOld,
                self.missesFiltered, self.missesDegraded, self.missesRefused)
        }

        /// 0…1; `nil` before the first lookup.
        public var hitRate: Double? {
            let lookups = Double(self.hits) + Double(self.misses)
            return lookups == 0 ? nil : Double(self.hits) / lookups
        }

        /// Saturates: the terms are a peer's.
        private static func sum(_ terms: UInt64...) -> UInt64 {
            terms.reduce(0) { sum, term in
                let (next, overflow) = sum.addingReportingOverflow(term)
                return overflow ? .max : next
            }
        }
    }

    /// The tenant as a whole: sizes as of now, and what it was refused since the server started.
    public struct Tenant: Sendable, Hashable {
        /// Entries stored now.
        public let entries: UInt64
        /// What the byte quota counts.
        public let bytes: UInt64
        /// The quota; `nil` if there is none.
        public let maximumEntries: UInt64?
        /// The quota; `nil` if there is none.
        public let maximumBytes: UInt64?
        /// Entries of an older key scheme or of another model: never found, gone when they expire or with the whole tenant.
        public let orphanedEntries: UInt64
        /// Entries that went because the quota was full.
        public let evictedEntries: UInt64
        /// Requests refused because there were too many in a short time.
        public let refusedByRate: UInt64
        /// Requests refused because too many others were under way.
        public let refusedByCallsInFlight: UInt64
        /// Requests refused because they were too large.
        public let refusedByRequestBytes: UInt64
        /// Requests refused because the credential does not allow the operation.
        public let refusedByRole: UInt64
        /// Entries refused because they alone were larger than the quota.
        public let refusedByQuota: UInt64
    }

    /// The tenant as a whole.
    public let tenant: Tenant
    /// By cache.
    public let caches: [Cache]
    /// Time since the server started.
    public let uptime: Duration
    // What follows, except for the embedder, is of the whole process: 0 if the server has more than one tenant.

    /// Entries in memory.
    public let l1Entries: UInt64
    /// Bytes that they take.
    public let l1Bytes: UInt64
    /// Bytes of the vectors that are searched.
    public let indexBytes: UInt64
    /// Texts embedded.
    public let embeddingsComputed: UInt64
    /// Vectors remembered by their text.
    public let embeddingsCached: UInt64
    /// Connections open now.
    public let connections: UInt64
    /// Provider, model, dimensions and revision.
    public let embedder: String
}

extension ServerStatistics {
    init(_ statistics: ServiceStatistics) {
        self.tenant = Tenant(statistics.tenant)
        self.caches = statistics.caches.map { Cache($0) }
        self.uptime = statistics.uptime
        self.l1Entries = statistics.l1Entries
        self.l1Bytes = statistics.l1Bytes
        self.indexBytes = statistics.indexBytes
        self.embeddingsComputed = statistics.embeddingsComputed
        self.embeddingsCached = statistics.embeddingsCached
        self.connections = statistics.connections
        self.embedder = statistics.embedder
    }
}

extension ServerStatistics.Cache {
    init(_ statistics: CacheStatistics) {
        self.name = statistics.cache
        self.entries = statistics.entries
        self.responseBytes = statistics.responseBytes
        self.exactHitsL1 = statistics.exactHitsL1
        self.exactHitsStore = statistics.exactHitsStore
        self.semanticHitsL1 = statistics.semanticHitsL1
        self.semanticHitsStore = statistics.semanticHitsStore
        self.missesNoEntry = statistics.missesNoEntry
        self.missesNotStored = statistics.missesNotStored
        self.missesBelowThreshold = statistics.missesBelowThreshold
        self.missesTooOld = statistics.missesTooOld
        self.missesFiltered = statistics.missesFiltered
        self.missesDegraded = statistics.missesDegraded
        self.stores = statistics.stores
        self.invalidatedEntries = statistics.invalidatedEntries
        self.bypasses = statistics.bypasses
        self.evictedEntries = statistics.evictedEntries
        self.leasesGranted = statistics.leasesGranted
        self.waitsFilled = statistics.waitsFilled
        self.staleHits = statistics.staleHits
        self.abortedStores = statistics.abortedStores
        self.missesRefused = statistics.missesRefused
        self.decisions = ServerStatistics.Decisions(statistics.decision)
    }
}

extension ServerStatistics.Tenant {
    init(_ statistics: TenantStatistics) {
        self.entries = statistics.entries
        self.bytes = statistics.bytes
        self.maximumEntries = statistics.maximumEntries == 0 ? nil : statistics.maximumEntries
        self.maximumBytes = statistics.maximumBytes == 0 ? nil : statistics.maximumBytes
        self.orphanedEntries = statistics.orphanedEntries
        self.evictedEntries = statistics.evictedEntries
        self.refusedByRate = statistics.refusedByRate
        self.refusedByCallsInFlight = statistics.refusedByCallsInFlight
        self.refusedByRequestBytes = statistics.refusedByRequestBytes
        self.refusedByRole = statistics.refusedByRole
        self.refusedByQuota = statistics.refusedByQuota
    }
}
