// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions
import Foundation
import Testing

/// Figures of the decision over a stream, printed; `semcache eval` gets them through a service. With
/// SEMCACHED_TEST_DATA, SEMCACHED_TEST_MODEL and, in SEMCACHED_PLAY, a stream (or several one after the other, joined by
/// `+`), a budget, a number of orders and a share of wrong labels.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SEMCACHED_PLAY"] != nil))
struct StreamFigures {
    @Test func `a stream is played`() throws {
        let words = try #require(ProcessInfo.processInfo.environment["SEMCACHED_PLAY"]).split(separator: " ")
        let streams = try words[0].split(separator: "+").map { try LabelledStream.intents(String($0)) }
        for run in words[1].split(separator: ";") {
            let numbers = run.split(separator: ",").compactMap { Double($0) }
            var play = StreamPlay(
                policy: DecisionPolicy(errorBudget: numbers[0], wrongHitLimit: max(0.03, 2 * numbers[0])))
            play.wrongLabels = numbers.count > 2 ? numbers[2] : 0
            for order in 0..<UInt64(numbers[1]) {
                let parts = streams.map { $0.shuffled(order) }
                let stream = LabelledStream.sequence(parts, of: parts.count > 1 ? 6000 : .max)
                let result = play(stream, seed: order)
                let sorted = result.estimates.sorted { $0.risk < $1.risk }
                let error = (0..<10).reduce(0.0) { sum, bin in
                    let part = sorted[bin * sorted.count / 10..<(bin + 1) * sorted.count / 10]
                    let risk = part.reduce(0) { $0 + $1.risk } / Double(part.count)
                    let wrong = Double(part.count { $0.isWrong }) / Double(part.count)
                    return sum + abs(risk - wrong) / 10
                }
                let (whole, half) = (result.shares(ofPart: 0, of: 1), result.shares(ofPart: 1, of: 2))
                print(
                    run, order,
                    String(
                        format: "hits %.2f wrong %.2f of hits %.2f second half %.2f %.2f calibration %.2f", whole.hits,
                        whole.wrong, 100 * whole.wrong / max(whole.hits, 0.01), half.hits, half.wrong, 100 * error),
                    result.phases, "tenths",
                    (0..<10).map {
                        let tenth = result.shares(ofPart: $0, of: 10)
                        return String(format: "%.0f/%.1f", tenth.hits, tenth.wrong)
                    }, "decided in", result.times.sorted()[result.times.count / 2])
            }
        }
    }
}
