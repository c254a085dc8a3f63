// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// What tenants, credentials, roles and quotas cost a Lookup that the memory answers: two servers, one with all of them
/// and one with none, in the same rounds.
///
/// Counters are counted in both: there is no server that does without.
struct LayerLoad {
    let options: Load
    private static let goal = 0.9

    /// Every quota there is, none of which refuses anything here.
    private static let quota: [(key: String, value: String)] = [
        ("requests_per_second", "100000000"), ("burst", "100000000"), ("calls_in_flight", "1000000"),
        ("entries", "1000000000"), ("bytes", "1024GiB"), ("maximum_request", "4MiB"),
    ]

    private enum Contender: String, CaseIterable {
        case without = "without"
        case with = "with API key, roles, quotas"
    }

    init(options: Load) { self.options = options }

    func run() throws {
        let keys = self.options.exactKeys
        let settings = ["server.threads=1"]
        let without = try self.options.target(settings: settings)
        let tenant = BenchTenant(name: "bench", quota: Self.quota)
        let with = try self.options.target(settings: settings, tenants: [tenant])
        let session = try keys.fill(with, credential: tenant.credential)
        let samples = try self.options.turns.measure([
            (Contender.without, try keys.measurement([try keys.fill(without)], of: without.process)),
            (Contender.with, try keys.measurement([session], of: with.process)),
        ])
        try self.report(samples, hits: try self.hits(session))
    }

    /// Asks the server with the layer what it has counted.
    ///
    /// - Throws: ``BenchError`` if the quotas were not in force, or refused anything.
    private func hits(_ session: WireSession) throws -> UInt64 {
        let statistics = try session.statistics()
        let tenant = statistics.tenant
        let refusals = [
            tenant.refusedByRate, tenant.refusedByCallsInFlight, tenant.refusedByRequestBytes, tenant.refusedByRole,
            tenant.refusedByQuota,
        ]
        guard tenant.maximumEntries > 0, tenant.maximumBytes > 0 else { throw BenchError("there were no quotas") }
        guard refusals.allSatisfy({ $0 == 0 }) else { throw BenchError("a quota has refused something") }
        return statistics.caches.reduce(0) { $0 + $1.exactHitsL1 }
    }

    private func report(_ samples: [Int: [Contender: [Sample]]], hits: UInt64) throws {
        var table = Table(
            """
            exact Lookups from memory\(self.options.transport) with API key, roles and every quota, beside the same with none of them: servers \
            on core \(self.options.setup.serverCores), 1 connection each, generator on core \(self.options.setup.clientCore), \
            \(self.options.keys) keys, responses of \(self.options.responseBytes) bytes; medians of \
            \(self.options.rounds) interleaved rounds of \(self.options.seconds) s, and ratios of the medians. Both \
            keep counters; those of the tenant have \(Double(hits).grouped) hits and no refusal.
            """,
            columns: ["depth, who", "requests/s", "p50 µs", "p99 µs", "server CPU µs/request", "goal"])
        for depth in self.options.depths.values {
            guard let without = samples[depth]?[.without], let with = samples[depth]?[.with] else { continue }
            for (contender, runs) in [(Contender.without, without), (.with, with)] {
                table.add(
                    "\(depth), \(contender.rawValue)", runs.map(\.rate).median.grouped,
                    runs.map(\.p50).median.microseconds, runs.map(\.p99).median.microseconds,
                    (runs.map(\.serverTime).median / 1000).text(3), "")
            }
            func ratio(_ value: KeyPath<Sample, Double>) -> Double {
                with.map { $0[keyPath: value] }.median / without.map { $0[keyPath: value] }.median
            }
            let isMet = ratio(\.rate) >= Self.goal
            table.add(
                "\(depth), with ÷ without", ratio(\.rate).text(3) + "×", ratio(\.p50).text(2) + "×",
                ratio(\.p99).text(2) + "×", ratio(\.serverTime).text(2) + "×",
                "rate ≥ \(Self.goal.text(2))×: \(isMet ? "met" : "missed")")
        }
        try table.print(asJSON: self.options.common.json)
    }
}
