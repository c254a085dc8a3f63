// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CoreMetrics

/// What is measured of requests, beside what ``CacheCounters`` and ``TenantAccount`` count. The handles are made once.
///
/// Hits that the event loop answers from memory are not timed: two readings of the clock would cost a tenth of them.
struct EngineMetrics: Sendable {
    /// Named as in the schema.
    enum Method: String, CaseIterable {
        case lookup = "Lookup"
        case store = "Store"
        case invalidate = "Invalidate"
        case stats = "Stats"
        case export = "Export"
        case labels = "Labels"
        case embed = "Embed"
        case lease = "Lease"
        case feedback = "Feedback"
    }

    private let durations: [Method: Timer]
    private let degraded: [LookupMiss.Degradation: Counter]

    init(_ factory: any MetricsFactory) {
        self.durations = .init(each: { ("semcache_request_duration_seconds", [("method", $0.rawValue)]) }, factory)
        self.degraded = .init(each: { ("semcache_degraded_lookups_total", [("reason", $0.label)]) }, factory)
    }

    func measure<Answer>(
        _ method: Method, _ body: () async throws(CacheError) -> Answer
    ) async throws(CacheError) -> Answer {
        let began = ContinuousClock.now
        defer { self.durations[method]?.record(.now - began) }
        return try await body()
    }

    func countDegraded(_ reason: LookupMiss.Degradation) { self.degraded[reason]?.increment() }
}

extension Timer {
    func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}

extension Dictionary where Key: CaseIterable & Sendable {
    typealias Series = (label: String, dimensions: [(String, String)])

    /// A timer for each case.
    init(each series: (Key) -> Series, _ factory: any MetricsFactory) where Value == Timer {
        self.init(
            uniqueKeysWithValues: Key.allCases.map { key in
                let (label, dimensions) = series(key)
                return (key, Timer(label: label, dimensions: dimensions, factory: factory))
            })
    }

    /// A counter for each case.
    init(each series: (Key) -> Series, _ factory: any MetricsFactory) where Value == Counter {
        self.init(
            uniqueKeysWithValues: Key.allCases.map { key in
                let (label, dimensions) = series(key)
                return (key, Counter(label: label, dimensions: dimensions, factory: factory))
            })
    }
}

extension LookupMiss.Degradation {
    /// As a label of a metric: `embedder_failed`.
    fileprivate var label: String {
        "\(self)".reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
