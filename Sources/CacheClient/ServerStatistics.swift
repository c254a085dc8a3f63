// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Counters since the server started; sizes as of now.
public struct ServerStatistics: Sendable, Hashable {
    /// Of one cache.
    public struct Cache: Sendable, Hashable {
        public let name: String
        public let entries: UInt64
        public let responseBytes: UInt64
        public let exactHitsL1: UInt64
        public let exactHitsStore: UInt64
        public let semanticHitsL1: UInt64
        public let semanticHitsStore: UInt64
        public let missesNoEntry: UInt64
        public let missesNotStored: UInt64
        public let missesBelowThreshold: UInt64
        public let missesTooOld: UInt64
        public let missesDegraded: UInt64
        public let stores: UInt64
        public let invalidatedEntries: UInt64

        public var hits: UInt64 {
            Self.sum(self.exactHitsL1, self.exactHitsStore, self.semanticHitsL1, self.semanticHitsStore)
        }

        public var misses: UInt64 {
            Self.sum(
                self.missesNoEntry, self.missesNotStored, self.missesBelowThreshold, self.missesTooOld,
                self.missesDegraded)
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

    public let caches: [Cache]
    public let uptime: Duration
    public let l1Entries: UInt64
    public let l1Bytes: UInt64
    public let indexBytes: UInt64
    public let embeddingsComputed: UInt64
    public let embeddingsCached: UInt64
    public let connections: UInt64
    /// Provider, model, dimensions and revision.
    public let embedder: String
}

extension ServerStatistics {
    init(_ statistics: ServiceStatistics) {
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
        self.missesDegraded = statistics.missesDegraded
        self.stores = statistics.stores
        self.invalidatedEntries = statistics.invalidatedEntries
    }
}
