// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// Statistics as text, in 120 columns unless a name is long.
enum StatisticsText {
    static func lines(_ statistics: ServerStatistics) -> [String] {
        var lines = self.process(statistics) + self.tenant(statistics.tenant) + [""]
        guard !statistics.caches.isEmpty else { return lines + ["no cache has been used yet"] }
        lines += self.caches(statistics.caches).lines
        let hit = statistics.caches.filter { $0.hits > 0 }
        if !hit.isEmpty { lines += [""] + self.hits(hit).lines }
        let missed = statistics.caches.filter { $0.misses > 0 }
        if !missed.isEmpty { lines += [""] + self.misses(missed).lines }
        let filled = statistics.caches.filter { max($0.leasesGranted, $0.staleHits, $0.abortedStores) > 0 }
        if !filled.isEmpty { lines += [""] + self.fills(filled).lines }
        let decided = statistics.caches.flatMap { DecisionsText.lines($0) }
        if !decided.isEmpty { lines += [""] + decided }
        return lines
    }

    private static func fills(_ caches: [ServerStatistics.Cache]) -> TextTable {
        var table = TextTable(["FILLS", "LEASES", "WAITED", "STALE HITS", "ABORTED"])
        for cache in caches {
            let counts = [cache.leasesGranted, cache.waitsFilled, cache.staleHits, cache.abortedStores]
            table.append([cache.name] + counts.map { NumberText.grouped($0) })
        }
        return table
    }

    private static func process(_ statistics: ServerStatistics) -> [String] {
        let embedder = "embedder    \(Output.printable(statistics.embedder))"
        let uptime = "up for      \(DurationText.text(statistics.uptime))"
        // There is this connection at least: 0 means that the server tells nothing of what all its tenants share.
        guard statistics.connections > 0 else { return [embedder, uptime] }
        return [
            "\(embedder), \(NumberText.grouped(statistics.embeddingsComputed)) computed, "
                + "\(NumberText.grouped(statistics.embeddingsCached)) remembered",
            "memory      L1 \(NumberText.grouped(statistics.l1Entries)) entries, "
                + "\(NumberText.bytes(statistics.l1Bytes)); index \(NumberText.bytes(statistics.indexBytes))",
            "\(uptime), \(NumberText.grouped(statistics.connections)) connections now",
        ]
    }

    private static func tenant(_ tenant: ServerStatistics.Tenant) -> [String] {
        let entries = tenant.maximumEntries.map { " of \(NumberText.grouped($0))" } ?? ""
        let bytes = tenant.maximumBytes.map { " of \(NumberText.bytes($0))" } ?? ""
        var line = "tenant      \(NumberText.grouped(tenant.entries))\(entries) entries, "
        line += "\(NumberText.bytes(tenant.bytes))\(bytes)"
        if tenant.evictedEntries > 0 { line += "; \(NumberText.grouped(tenant.evictedEntries)) evicted" }
        if tenant.orphanedEntries > 0 {
            line += "; \(NumberText.grouped(tenant.orphanedEntries)) orphaned, of another model or key scheme"
        }
        let refusals = [
            ("rate", tenant.refusedByRate), ("calls in flight", tenant.refusedByCallsInFlight),
            ("request size", tenant.refusedByRequestBytes), ("role", tenant.refusedByRole),
            ("quota", tenant.refusedByQuota),
        ].filter { $0.1 > 0 }
        guard !refusals.isEmpty else { return [line] }
        return [
            line,
            "refused     " + refusals.map { "\(NumberText.grouped($0.1)) by \($0.0)" }.joined(separator: ", "),
        ]
    }

    private static func caches(_ caches: [ServerStatistics.Cache]) -> TextTable {
        var table = TextTable([
            "CACHE", "ENTRIES", "BYTES", "STORED", "REMOVED", "EVICTED", "HITS", "MISSES", "BYPASSED", "HIT RATE",
        ])
        for cache in caches {
            let counts = [
                cache.stores, cache.invalidatedEntries, cache.evictedEntries, cache.hits, cache.misses, cache.bypasses,
            ]
            table.append(
                [cache.name, NumberText.grouped(cache.entries), NumberText.bytes(cache.responseBytes)]
                    + counts.map { NumberText.grouped($0) } + [cache.hitRate.map { NumberText.percent($0) } ?? "-"])
        }
        return table
    }

    private static func hits(_ caches: [ServerStatistics.Cache]) -> TextTable {
        var table = TextTable(["HITS", "EXACT L1", "EXACT STORE", "SEMANTIC L1", "SEMANTIC STORE"])
        for cache in caches {
            let counts = [cache.exactHitsL1, cache.exactHitsStore, cache.semanticHitsL1, cache.semanticHitsStore]
            table.append([cache.name] + counts.map { NumberText.grouped($0) })
        }
        return table
    }

    private static func misses(_ caches: [ServerStatistics.Cache]) -> TextTable {
        var table = TextTable([
            "MISSES", "NO ENTRY", "NOT STORED", "BELOW THRESHOLD", "TOO OLD", "FILTERED", "REFUSED", "DEGRADED",
        ])
        for cache in caches {
            let counts = [
                cache.missesNoEntry, cache.missesNotStored, cache.missesBelowThreshold, cache.missesTooOld,
                cache.missesFiltered, cache.missesRefused, cache.missesDegraded,
            ]
            table.append([cache.name] + counts.map { NumberText.grouped($0) })
        }
        return table
    }
}
