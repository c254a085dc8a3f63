// SPDX-License-Identifier: Apache-2.0

/// Measures a depth for some seconds.
typealias Measurement = (_ depth: Int, _ seconds: Double) throws -> Sample

/// Measures contenders in turns, so that what else happens on the machine hits all of them.
struct Turns {
    let depths: [Int]
    let rounds: Int
    /// Of one measurement.
    let seconds: Double

    /// Round 0 warms up and is not counted. The order turns round, so that a drift hits nobody more than others.
    ///
    /// - Returns: By depth and contender, a sample for each round.
    func measure<Contender: Hashable>(
        _ contenders: [(Contender, Measurement)]
    ) throws -> [Int: [Contender: [Sample]]] {
        var samples: [Int: [Contender: [Sample]]] = [:]
        for round in 0...self.rounds {
            for depth in self.depths {
                for (contender, measure) in round.isMultiple(of: 2) ? contenders : contenders.reversed() {
                    let sample = try measure(depth, self.seconds)
                    if round > 0 { samples[depth, default: [:]][contender, default: []].append(sample) }
                }
            }
        }
        return samples
    }
}
