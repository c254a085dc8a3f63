// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// What the engine counts and keeps, of all tenants: for whoever operates the service.
package struct EngineFigures: Sendable {
    /// Of one tenant, or of several together.
    package struct Tenant: Sendable {
        package let name: String
        package let isDeclared: Bool
        package internal(set) var statistics = TenantStatistics()
        /// Those that did something, and those that have entries if `hasSizes`; by name.
        package internal(set) var caches: [CacheStatistics] = []
        /// Of all of its caches, those without counters of their own too.
        package internal(set) var sum = CacheStatistics(cache: "")
        package internal(set) var callsInFlight = 0
        var savings = Savings()
        /// Whether entries and bytes are known; if not, they are 0.
        package internal(set) var hasSizes = false

        /// Tokens that hits saved.
        package var tokensSaved: UInt64 { self.savings.tokens }
        /// In the callers' unit.
        package var costSaved: Double { self.savings.cost }
    }

    package struct Embedder: Sendable {
        /// Of the configuration.
        package let name: String
        package let identity: EmbeddingIdentity
        package let isReady: Bool
        /// Texts that wait.
        package let queueLength: Int
        package let computed: UInt64
        /// Answered from memory.
        package let remembered: UInt64
        /// Read from where vectors outlive the process.
        package let restored: UInt64
    }

    /// Those that were asked for, by name.
    package internal(set) var tenants: [Tenant] = []
    /// All others together, without sizes.
    package internal(set) var others = Tenant(name: Self.other, isDeclared: false)
    /// What tenants had counted when a configuration came that declares them, less what those had that it no longer
    /// declares: a metric of all others keeps the one and does without the other, since a counter must not jump.
    var moved = Tenant(name: Self.other, isDeclared: false)
    /// How many the others are.
    package internal(set) var othersCount = 0
    /// But for the connections, which the engine does not know.
    package var process = ServiceStatistics()
    /// Answers that went from memory because others came.
    package internal(set) var forgottenByMemory: UInt64 = 0
    /// By name.
    package internal(set) var embedders: [Embedder] = []
    /// Texts that wait for any embedder.
    package var embeddingQueueLength: Int { self.embedders.reduce(0) { $0 + $1.queueLength } }
    /// Whether the store answers; `nil` if it was not asked.
    package internal(set) var isStoreAnswering: Bool?

    /// Label of all tenants that have none of their own.
    static let other = "other"

    /// Whether metrics have a series for a tenant: not for one that has the name that all others share.
    static func hasLabel(_ tenant: TenantID) -> Bool { !tenant.name.utf8.elementsEqual(self.other.utf8) }

    /// Of an engine that did nothing.
    package init() {}
}

extension EngineFigures.Embedder {
    init(name: String, _ pool: EmbeddingPool) {
        let counters = pool.counters
        self.init(
            name: name, identity: pool.identity, isReady: pool.isReady, queueLength: pool.queueLength,
            computed: counters.computed, remembered: counters.remembered, restored: counters.restored)
    }
}

extension EngineFigures.Tenant {
    /// Of an account, and of no name.
    init(_ account: TenantAccount) {
        self.init(name: EngineFigures.other, isDeclared: false)
        self.add(account)
        self.callsInFlight = 0
    }

    mutating func add(_ account: TenantAccount) {
        account.add(to: &self.statistics)
        account.addAll(to: &self.sum)
        self.callsInFlight += account.callsInFlightNow
        account.savings.add(to: &self.savings)
    }

    /// Adds what another counted.
    mutating func add(_ other: Self) {
        self.callsInFlight += other.callsInFlight
        for counter in Self.counters { self[keyPath: counter] &+= other[keyPath: counter] }
    }

    /// Takes away what another counted. May go below zero; a sum with what was left comes out right all the same.
    mutating func subtract(_ other: Self) {
        self.callsInFlight -= other.callsInFlight
        for counter in Self.counters { self[keyPath: counter] &-= other[keyPath: counter] }
    }

    private static var counters: [WritableKeyPath<Self, UInt64>] {
        [
            \.sum.exactHitsL1, \.sum.exactHitsStore, \.sum.semanticHitsL1, \.sum.semanticHitsStore,
            \.sum.missesNoEntry, \.sum.missesNotStored, \.sum.missesBelowThreshold, \.sum.missesTooOld,
            \.sum.missesFiltered, \.sum.missesRefused, \.sum.missesDegraded, \.sum.stores, \.sum.invalidatedEntries,
            \.sum.bypasses,
            \.sum.evictedEntries, \.statistics.evictedEntries, \.statistics.refusedByRate,
            \.statistics.refusedByCallsInFlight, \.statistics.refusedByRequestBytes, \.statistics.refusedByRole,
            \.statistics.refusedByQuota, \.savings.tokens, \.savings.costInFractions, \.sum.staleHits,
            \.sum.leasesGranted, \.sum.waitsFilled, \.sum.abortedStores,
        ] + self.decisionCounters
    }
}
