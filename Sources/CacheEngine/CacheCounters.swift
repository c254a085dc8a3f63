// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Synchronization

/// What happened in one cache since the service started.
package final class CacheCounters: Sendable {
    private let exactHitsL1 = Atomic<UInt64>(0)
    private let exactHitsStore = Atomic<UInt64>(0)
    private let semanticHitsL1 = Atomic<UInt64>(0)
    private let semanticHitsStore = Atomic<UInt64>(0)
    private let missesNoEntry = Atomic<UInt64>(0)
    private let missesNotStored = Atomic<UInt64>(0)
    private let missesBelowThreshold = Atomic<UInt64>(0)
    private let missesTooOld = Atomic<UInt64>(0)
    private let missesFiltered = Atomic<UInt64>(0)
    private let missesDegraded = Atomic<UInt64>(0)
    private let missesRefused = Atomic<UInt64>(0)
    private let stores = Atomic<UInt64>(0)
    private let invalidatedEntries = Atomic<UInt64>(0)
    private let bypasses = Atomic<UInt64>(0)
    private let evictedEntries = Atomic<UInt64>(0)
    private let leasesGranted = Atomic<UInt64>(0)
    private let waitsFilled = Atomic<UInt64>(0)
    private let staleHits = Atomic<UInt64>(0)
    private let abortedStores = Atomic<UInt64>(0)

    private let savings: SavingsCounter
    private struct Latest {
        // What it takes is bounded by how many are kept.
        weak var decider: CacheDecider?
    }

    private let latest = Mutex(Latest())

    /// - Parameter savings: Of the tenant.
    init(savings: SavingsCounter) { self.savings = savings }

    /// - Parameter usage: Of the answer, if its caller stated it.
    package func countHit(_ kind: LookupHit.Kind, _ tier: Tier, saving usage: Usage?, isStale: Bool) {
        if isStale { self.staleHits.add(1, ordering: .relaxed) }
        if let usage { self.savings.add(usage) }
        switch (kind, tier) {
        case (.exact, .l1): self.exactHitsL1.add(1, ordering: .relaxed)
        case (.exact, .store): self.exactHitsStore.add(1, ordering: .relaxed)
        case (.semantic, .l1): self.semanticHitsL1.add(1, ordering: .relaxed)
        case (.semantic, .store): self.semanticHitsStore.add(1, ordering: .relaxed)
        }
    }

    func count(_ outcome: LookupOutcome) {
        switch outcome {
        case .hit(let hit):
            self.countHit(hit.kind, hit.tier, saving: hit.matches.first?.entry.usage, isStale: hit.isStale)
        case .miss(let miss): self.countMiss(miss.reason)
        case .bypass: self.bypasses.add(1, ordering: .relaxed)
        }
    }

    /// What decides for the cache counts as well.
    func include(_ decider: CacheDecider) { self.latest.withLock { $0.decider = decider } }

    func countStore() { self.stores.add(1, ordering: .relaxed) }
    func countInvalidated(_ count: Int) { self.invalidatedEntries.add(UInt64(count), ordering: .relaxed) }

    func countLease() { self.leasesGranted.add(1, ordering: .relaxed) }
    func countFilledWait() { self.waitsFilled.add(1, ordering: .relaxed) }
    func countAborted() { self.abortedStores.add(1, ordering: .relaxed) }

    func countEvicted() { self.evictedEntries.add(1, ordering: .relaxed) }

    func add(to statistics: inout CacheStatistics) {
        self.latest.withLock { $0.decider }?.add(to: &statistics.decision)
        statistics.exactHitsL1 += self.exactHitsL1.load(ordering: .relaxed)
        statistics.exactHitsStore += self.exactHitsStore.load(ordering: .relaxed)
        statistics.semanticHitsL1 += self.semanticHitsL1.load(ordering: .relaxed)
        statistics.semanticHitsStore += self.semanticHitsStore.load(ordering: .relaxed)
        statistics.missesNoEntry += self.missesNoEntry.load(ordering: .relaxed)
        statistics.missesNotStored += self.missesNotStored.load(ordering: .relaxed)
        statistics.missesBelowThreshold += self.missesBelowThreshold.load(ordering: .relaxed)
        statistics.missesTooOld += self.missesTooOld.load(ordering: .relaxed)
        statistics.missesFiltered += self.missesFiltered.load(ordering: .relaxed)
        statistics.missesDegraded += self.missesDegraded.load(ordering: .relaxed)
        statistics.missesRefused += self.missesRefused.load(ordering: .relaxed)
        statistics.stores += self.stores.load(ordering: .relaxed)
        statistics.invalidatedEntries += self.invalidatedEntries.load(ordering: .relaxed)
        statistics.bypasses += self.bypasses.load(ordering: .relaxed)
        statistics.evictedEntries += self.evictedEntries.load(ordering: .relaxed)
        statistics.leasesGranted += self.leasesGranted.load(ordering: .relaxed)
        statistics.waitsFilled += self.waitsFilled.load(ordering: .relaxed)
        statistics.staleHits += self.staleHits.load(ordering: .relaxed)
        statistics.abortedStores += self.abortedStores.load(ordering: .relaxed)
    }

    private func countMiss(_ reason: LookupMiss.Reason) {
        switch reason {
        case .noEntry: self.missesNoEntry.add(1, ordering: .relaxed)
        case .notStored: self.missesNotStored.add(1, ordering: .relaxed)
        case .belowThreshold: self.missesBelowThreshold.add(1, ordering: .relaxed)
        case .tooOld: self.missesTooOld.add(1, ordering: .relaxed)
        case .filtered: self.missesFiltered.add(1, ordering: .relaxed)
        case .guarded, .tooRisky, .blocked, .judged, .shadow, .audited: self.missesRefused.add(1, ordering: .relaxed)
        case .degraded: self.missesDegraded.add(1, ordering: .relaxed)
        }
    }
}
