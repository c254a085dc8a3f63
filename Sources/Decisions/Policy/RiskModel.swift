// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#endif

/// Estimates the probability that a candidate's answer is wrong: a logistic regression over standardised features.
package struct RiskModel: Sendable, Equatable {
    /// Names of what ``Features`` hold.
    package static let featureNames = Neighbourhood.featureNames + Likeness.names
    /// The features and the constant before them.
    package static let count = Self.featureNames.count + 1
    /// Of the shape of features; a record or snapshot of another one is not read.
    package static let version: UInt8 = 1

    /// Log odds of being right per deviation of a feature; the constant first.
    package let weights: [Double]

    /// - Parameter weights: ``count`` of them, finite.
    package init(weights: [Double]) {
        precondition(weights.count == Self.count, "weights of another model")
        self.weights = weights
    }

    /// The probability that the answer is wrong, 0.002…1.
    ///
    /// Labels come late: a model of the last thousands takes a growing cache for emptier than it is, by a good half unit
    /// of log odds where it is confident, on each of the data sets that it was tried on. And a share of answers is wrong
    /// however sure it all looks.
    package func risk(of features: [Float]) -> Double {
        let logit = self.logit(Scaling.shipped.standardised(features))
        let shifted = logit + Self.shift / (1 + exp(-4 * (logit - 2.5)))
        return 1 - (1 - Self.leastRisk) / (1 + exp(-shifted))
    }

    package static let leastRisk = 0.002
    private static let shift = 0.6

    private func logit(_ standardised: [Double]) -> Double {
        var sum = self.weights[0]
        for (index, value) in standardised.enumerated() { sum += self.weights[index + 1] * value }
        return max(-20, min(20, sum))
    }
}

/// Means and deviations by which features become comparable.
package struct Scaling: Sendable {
    package let means: [Double]
    package let deviations: [Double]

    package init(means: [Double], deviations: [Double]) {
        self.means = means
        self.deviations = deviations
    }

    /// Within ±5, so that one strange value does not decide alone.
    package func standardised(_ features: [Float]) -> [Double] {
        (0..<self.means.count).map { index in
            max(-5, min(5, (Double(features[index]) - self.means[index]) / self.deviations[index]))
        }
    }
}

/// A label with the features of the candidate that it is about.
package struct LabelledFeatures: Sendable, Equatable {
    package let features: [Float]
    package let isRight: Bool
    /// Those that would have been served are rare among labels: they count for more.
    package let weight: Double

    package init(features: [Float], isRight: Bool, weight: Double) {
        self.features = features
        self.isRight = isRight
        self.weight = weight
    }
}
