// SPDX-License-Identifier: Apache-2.0

import LocalEmbedder

/// What the pool does with several numbers of threads.
struct PoolRate {
    let options: Embed

    func run() throws {
        let pools = try self.options.threads.values.map { try BenchPool(threads: $0, options: self.options) }
        var rates = pools.map { _ in [Double]() }
        for round in 0...self.options.rounds {
            for (place, pool) in pools.enumerated() {
                let rate = try pool.rate(seconds: self.options.seconds)
                if round > 0 { rates[place].append(rate) }
            }
        }
        for pool in pools { try pool.close() }
        try self.report(pools.map(\.threads), rates).print(asJSON: self.options.common.json)
    }

    private func report(_ threads: [Int], _ rates: [[Double]]) -> Table {
        let name = self.options.precision.rawValue
        var table = Table(
            """
            pool: distinct questions of 12 to 24 tokens, tokenizer included, \(name), 32 calls in flight per thread, \
            \(self.options.rounds) rounds of \(self.options.seconds.text(1)) s, in turns; the goal of two threads on \
            two cores is 1.9 × one; ratios are taken within a round
            """,
            columns: ["threads", "texts/s, median", "least", "most", "× the first, median", "least", "most"])
        for (threads, own) in zip(threads, rates) {
            let ratios = zip(own, rates[0]).map { $0 / $1 }
            table.add(
                String(threads), own.median.grouped, (own.min() ?? 0).grouped, (own.max() ?? 0).grouped,
                ratios.median.text(2), (ratios.min() ?? 0).text(2), (ratios.max() ?? 0).text(2))
        }
        return table
    }
}
