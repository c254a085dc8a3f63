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
    package var missesDegraded: UInt64 = 0
    package var stores: UInt64 = 0
    package var invalidatedEntries: UInt64 = 0

    package init(cache: String) { self.cache = cache }
}

/// What a Stats answers.
package struct ServiceStatistics: Sendable, Equatable {
    package var caches: [CacheStatistics] = []
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
