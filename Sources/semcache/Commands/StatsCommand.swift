// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Shows what the server holds and what it has served since it started.")

    @Option(help: "Name of one cache (default: all).")
    var cache: String?

    @OptionGroup var server: ServerOptions

    func run() async throws {
        let statistics = try await self.server.withClient { try await $0.statistics(of: self.cache) }
        if self.server.json {
            Output.line(JSONText.line(StatisticsObject(statistics)))
        } else {
            for line in StatisticsText.lines(statistics) { Output.line(line) }
        }
    }
}

/// Statistics as text.
enum StatisticsText {
    static func lines(_ statistics: ServerStatistics) -> [String] {
        let connections = NumberText.grouped(statistics.connections)
        var lines = [
            "embedder    \(Output.printable(statistics.embedder)), "
                + "\(NumberText.grouped(statistics.embeddingsComputed)) computed, "
                + "\(NumberText.grouped(statistics.embeddingsCached)) remembered",
            "memory      L1 \(NumberText.grouped(statistics.l1Entries)) entries, "
                + "\(NumberText.bytes(statistics.l1Bytes)); index \(NumberText.bytes(statistics.indexBytes))",
            "up for      \(DurationText.text(statistics.uptime)), \(connections) connections now",
            "",
        ]
        guard !statistics.caches.isEmpty else { return lines + ["no cache has been used yet"] }
        lines += self.caches(statistics.caches).lines
        let missed = statistics.caches.filter { $0.misses > 0 }
        if !missed.isEmpty { lines += [""] + self.misses(missed).lines }
        return lines
    }

    private static func caches(_ caches: [ServerStatistics.Cache]) -> TextTable {
        var table = TextTable([
            "CACHE", "ENTRIES", "BYTES", "STORED", "REMOVED", "EXACT L1", "EXACT STORE", "SEMANTIC L1",
            "SEMANTIC STORE",
            "MISSES", "HIT RATE",
        ])
        for cache in caches {
            let counts = [
                cache.stores, cache.invalidatedEntries, cache.exactHitsL1, cache.exactHitsStore, cache.semanticHitsL1,
                cache.semanticHitsStore, cache.misses,
            ]
            table.append(
                [cache.name, NumberText.grouped(cache.entries), NumberText.bytes(cache.responseBytes)]
                    + counts.map { NumberText.grouped($0) } + [cache.hitRate.map { NumberText.percent($0) } ?? "-"])
        }
        return table
    }

    private static func misses(_ caches: [ServerStatistics.Cache]) -> TextTable {
        var table = TextTable(["MISSES", "NO ENTRY", "NOT STORED", "BELOW THRESHOLD", "TOO OLD", "DEGRADED"])
        for cache in caches {
            let counts = [
                cache.missesNoEntry, cache.missesNotStored, cache.missesBelowThreshold, cache.missesTooOld,
                cache.missesDegraded,
            ]
            table.append([cache.name] + counts.map { NumberText.grouped($0) })
        }
        return table
    }
}
