// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import CacheClient
@testable import semcache

struct StatisticsTextTests {
    private static func statistics(_ change: (inout ServiceStatistics) -> Void) -> ServerStatistics {
        var statistics = ServiceStatistics()
        statistics.embedder = "local:minilm"
        statistics.uptime = .seconds(90)
        change(&statistics)
        return ServerStatistics(statistics)
    }

    private static func large() -> ServerStatistics {
        self.statistics { statistics in
            statistics.connections = 12_345
            statistics.caches = ["support-bot-production", "faq"].map { name in
                var cache = CacheStatistics(cache: name)
                let counters: [WritableKeyPath<CacheStatistics, UInt64>] = [
                    \.entries, \.responseBytes, \.exactHitsL1, \.exactHitsStore, \.semanticHitsL1, \.semanticHitsStore,
                    \.missesNoEntry, \.missesNotStored, \.missesBelowThreshold, \.missesTooOld, \.missesDegraded,
                    \.missesFiltered, \.stores, \.invalidatedEntries, \.bypasses, \.evictedEntries,
                    \.leasesGranted, \.waitsFilled, \.staleHits, \.abortedStores, \.missesRefused,
                ]
                for counter in counters { cache[keyPath: counter] = 1_234_567 }
                return cache
            }
        }
    }

    @Test func `the tables fit into 120 columns`() {
        let lines = StatisticsText.lines(Self.large())
        #expect(lines.allSatisfy { $0.count <= 120 })
        #expect(lines.contains { $0.contains("BYPASSED") && $0.contains("EVICTED") })
        #expect(lines.contains { $0.contains("FILTERED") && $0.contains("REFUSED") })
        #expect(lines.contains { $0.contains("LEASES") && $0.contains("STALE HITS") })
    }

    @Test func `a tenant's quotas and refusals are shown where there are some`() {
        let lines = StatisticsText.lines(
            Self.statistics { statistics in
                statistics.tenant.entries = 1234
                statistics.tenant.bytes = 3 << 20
                statistics.tenant.maximumEntries = 10_000
                statistics.tenant.maximumBytes = 1 << 30
                statistics.tenant.evictedEntries = 5
                statistics.tenant.orphanedEntries = 2
                statistics.tenant.refusedByRate = 17
                statistics.tenant.refusedByRole = 1
            })
        #expect(
            lines.prefix(4) == [
                "embedder    local:minilm", "up for      1m 30s",
                "tenant      1,234 of 10,000 entries, 3.0 MiB of 1.0 GiB; 5 evicted; 2 orphaned, of another model or "
                    + "key scheme",
                "refused     17 by rate, 1 by role",
            ])
        let none = StatisticsText.lines(Self.statistics { _ in })
        #expect(none[2] == "tenant      0 entries, 0 B")
        #expect(none[3].isEmpty)
    }

    @Test func `what all tenants share is shown only if the server tells it`() {
        let told = StatisticsText.lines(Self.statistics { $0.connections = 1 })
        let hidden = StatisticsText.lines(Self.statistics { _ in })
        #expect(told.contains { $0.hasPrefix("memory") })
        #expect(!hidden.contains { $0.hasPrefix("memory") || $0.contains("connections") })
    }

    @Test func `JSON has the tenant, and no quota where there is none`() {
        let object = JSONText.line(StatisticsObject(Self.statistics { $0.tenant.maximumEntries = 7 }))
        #expect(object.contains(#""maximum_entries":7"#) && !object.contains("maximum_bytes"))
        #expect(object.contains(#""refused_by_calls_in_flight":0"#))
    }
}
