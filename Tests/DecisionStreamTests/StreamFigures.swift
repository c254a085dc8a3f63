// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions
import Foundation
import Testing

/// Figures of the decision over a stream, printed; `semcache eval` gets them through a service. With
/// SEMCACHED_TEST_DATA, SEMCACHED_TEST_MODEL and, in SEMCACHED_PLAY, a stream, a budget, a number of orders and a share of wrong labels.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SEMCACHED_PLAY"] != nil))
struct StreamFigures {
    @Test func `a stream is played`() throws {
        let words = try #require(ProcessInfo.processInfo.environment["SEMCACHED_PLAY"]).split(separator: " ")
        let stream = try LabelledStream.intents(String(words[0]))
        for run in words[1].split(separator: ";") {
            let numbers = run.split(separator: ",").compactMap { Double($0) }
            var play = StreamPlay(
                policy: DecisionPolicy(errorBudget: numbers[0], wrongHitLimit: max(0.03, 1.5 * numbers[0])))
            play.wrongLabels = numbers.count > 2 ? numbers[2] : 0
            for order in 0..<UInt64(numbers[1]) {
                let result = play(stream.shuffled(order), seed: order)
                let count = Double(stream.questions.count)
                let sorted = result.estimates.sorted { $0.risk < $1.risk }
                let error = (0..<10).reduce(0.0) { sum, bin in
                    let part = sorted[bin * sorted.count / 10..<(bin + 1) * sorted.count / 10]
                    let risk = part.reduce(0) { $0 + $1.risk } / Double(part.count)
                    let wrong = Double(part.count { $0.isWrong }) / Double(part.count)
                    return sum + abs(risk - wrong) / 10
                }
                print(
                    run, order,
                    String(
                        format: "hits %.2f wrong %.2f of hits %.2f second half %.2f %.2f calibration %.2f",
                        100 * Double(result.hits) / count, 100 * Double(result.wrong) / count,
                        100 * Double(result.wrong) / Double(max(1, result.hits)),
                        200 * Double(result.hitsOfSecondHalf) / count, 200 * Double(result.wrongOfSecondHalf) / count,
                        100 * error), result.phases,
                    "decided in", result.times.sorted()[result.times.count / 2])
            }
        }
    }
}
