// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions
import Foundation
import Testing

/// Makes the prior that is shipped. With SEMCACHED_TEST_DATA and SEMCACHED_TEST_MODEL; what it makes is written to the
/// file that SEMCACHED_FIT_PRIOR names, `Sources/Decisions/Policy/PriorWeights.swift`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SEMCACHED_FIT_PRIOR"] != nil))
struct PriorFitting {
    @Test func `the prior is fitted`() throws {
        var play = StreamPlay(policy: DecisionPolicy())
        play.servesNothing = true
        let pairs = try LabelledStream.pairs()
        let asked = try LabelledStream.asked()
        #expect(asked.count > 30_000)
        #expect(!pairs.questions.contains { asked.contains(LabelledStream.embedded($0.prompt.text)) })
        let records = play(pairs.shuffled(11), seed: 1).records
        let count = RiskModel.count - 1
        let means = (0..<count).map { feature in
            records.reduce(0) { $0 + Double($1.features[feature]) } / Double(records.count)
        }
        let deviations = (0..<count).map { feature in
            // What hardly varies here may vary elsewhere.
            max(
                0.1,
                (records.reduce(0) { $0 + pow(Double($1.features[feature]) - means[feature], 2) }
                    / Double(records.count)).squareRoot())
        }
        let model = RiskModel.fitted(
            to: records.map { LabelledFeatures(features: $0.features, isRight: $0.isRight, weight: 1) },
            prior: RiskModel(weights: [Double](repeating: 0, count: RiskModel.count)), precision: 20,
            scaling: Scaling(means: means, deviations: deviations), steps: 30)
        let path = try #require(ProcessInfo.processInfo.environment["SEMCACHED_FIT_PRIOR"])
        try Self.source(model, means, deviations, records).write(toFile: path, atomically: true, encoding: .utf8)
    }

    private static func source(
        _ model: RiskModel, _ means: [Double], _ deviations: [Double], _ records: [DecisionRecord]
    ) -> String {
        func list(_ numbers: [Double]) -> String {
            let texts = numbers.map { String(format: "%.4f", $0) }
            return stride(from: 0, to: texts.count, by: 10).map { start in
                "            " + texts[start..<min(start + 10, texts.count)].joined(separator: ", ") + ",\n"
            }.joined()
        }
        let right = records.count { $0.isRight }
        return """
            // SPDX-License-Identifier: Apache-2.0

            // Made by `Tests/DecisionStreamTests/PriorFitting.swift`; not edited. From \(records.count) labels, \(right) of
            // them right: questions of Disfl-QA (CC BY 4.0) with their spoken forms, and pairs derived from them and from
            // Natural Questions (CC BY-SA 3.0) by changing words.
            extension RiskModel {
                /// What is known before a cache has labels of its own.
                package static let prior = RiskModel(
                    weights: [
            \(list(model.weights))        ])
            }

            extension Scaling {
                /// Of the features of the prior's labels.
                package static let shipped = Scaling(
                    means: [
            \(list(means))        ],
                    deviations: [
            \(list(deviations))        ])
            }

            """
    }
}
