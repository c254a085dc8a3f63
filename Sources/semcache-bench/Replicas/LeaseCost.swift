// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Foundation

/// What it costs a hit from memory that the service may only answer it while its lease holds: the same Lookups at a
/// service on Redis, and at one with an embedded store, which needs no lease; all else on the way of a hit is the same.
struct LeaseCost {
    let options: Replicas
    private static let depths = [1, 16, 64]
    /// Until the lease is granted and the entries are in memory, seconds.
    private static let patience = 10.0

    private enum Contender: String {
        case lease = "on Redis, with a lease"
        case none = "embedded store, without"
    }

    init(options: Replicas) { self.options = options }

    func run() throws {
        let keys = ExactKeys(count: 500, responseBytes: 512, longest: Self.depths.max() ?? 1, window: 16)
        let settings = ["server.threads=1", "memory.limit=256MiB"]
        let onRedis = try self.options.start(cores: [self.options.setup.serverCores], settings: settings)[0]
        let embedded = try self.options.setup.start(model: self.options.common.model, settings: settings)
        var contenders: [(Contender, Measurement)] = []
        for (contender, server) in [(Contender.lease, onRedis), (.none, embedded)] {
            let session = try keys.fill(Target(server, tls: nil))
            try self.waitForMemory(keys, session)
            contenders.append((contender, try keys.measurement([session], of: server)))
        }
        let turns = Turns(
            depths: Self.depths, rounds: max(3, self.options.rounds), seconds: self.options.seconds / 4)
        let samples = try turns.measure(contenders)
        var table = Table(
            """
            hits from memory with a coherence lease and without: servers on core \(self.options.setup.serverCores), one \
            connection, generator on core \(self.options.setup.clientCore), medians of \(turns.rounds) interleaved rounds \
            of \(turns.seconds) s, ratios within a round
            """,
            columns: ["depth, who", "hits/s", "p50 µs", "server CPU µs/hit"])
        for depth in Self.depths {
            guard let with = samples[depth]?[.lease], let without = samples[depth]?[.none] else { continue }
            for (contender, runs) in [(Contender.lease, with), (.none, without)] {
                table.add(
                    "\(depth), \(contender.rawValue)", runs.map(\.rate).median.grouped,
                    runs.map(\.p50).median.microseconds, (runs.map(\.serverTime).median / 1000).text(3))
            }
            let pairs = Array(zip(with, without))
            func ratio(_ value: KeyPath<Sample, Double>) -> String {
                pairs.map { $0.0[keyPath: value] / $0.1[keyPath: value] }.median.text(3) + "×"
            }
            table.add("\(depth), with ÷ without", ratio(\.rate), ratio(\.p50), ratio(\.serverTime))
        }
        try table.print(asJSON: self.options.common.json)
    }

    /// Looks the entries up until memory answers all of them.
    private func waitForMemory(_ keys: ExactKeys, _ session: WireSession) throws {
        let end = Machine.now + UInt64(Self.patience * 1e9)
        var missing = keys.count
        while missing > 0 {
            guard Machine.now < end else { throw BenchError("\(missing) entries are not answered from memory") }
            missing = 0
            try session.callAll(keys.count, window: 1, request: keys.lookup) { _, response in
                guard case .lookup(.hit(let hit)) = response else { throw BenchError("an entry is not found") }
                if hit.tier != .l1 { missing += 1 }
            }
        }
    }
}
