// SPDX-License-Identifier: Apache-2.0

/// What was foretold of one answer, and what came true.
struct RiskEstimate: Sendable, Equatable {
    /// Foretold probability that it is wrong, 0…1.
    let risk: Double
    let isWrong: Bool
}

/// How well foretold risks hold: by risk, in bins of as many estimates each.
struct Calibration: Sendable, Equatable {
    struct Bin: Sendable, Equatable {
        let count: Int
        /// Mean of the foretold risks.
        let predicted: Double
        /// Share of wrong ones.
        let observed: Double
    }

    let count: Int
    let bins: [Bin]

    /// - Parameter bins: At least 1; there are no more than estimates.
    init(_ estimates: [RiskEstimate], bins: Int = 10) {
        let sorted = estimates.sorted { ($0.risk, $0.isWrong ? 1 : 0) < ($1.risk, $1.isWrong ? 1 : 0) }
        let count = min(bins, sorted.count)
        self.count = sorted.count
        self.bins = (0..<count).map { bin in
            let slice = sorted[sorted.count * bin / count..<sorted.count * (bin + 1) / count]
            let size = Double(slice.count)
            return Bin(
                count: slice.count, predicted: slice.reduce(0) { $0 + $1.risk } / size,
                observed: Double(slice.count { $0.isWrong }) / size)
        }
    }

    /// Mean difference of what was foretold and what came true, weighted by the bins' sizes, 0…1; `nil` of nothing.
    var error: Double? {
        guard self.count > 0 else { return nil }
        let sum = self.bins.reduce(0) { $0 + Double($1.count) * abs($1.predicted - $1.observed) }
        return sum / Double(self.count)
    }
}

struct CalibrationObject: Encodable, Equatable {
    struct Bin: Encodable, Equatable {
        let count: Int
        let predicted: Double
        let observed: Double
    }

    let estimates: Int
    let error: Double?
    let bins: [Bin]

    init(_ calibration: Calibration) {
        self.estimates = calibration.count
        self.error = calibration.error
        self.bins = calibration.bins.map { Bin(count: $0.count, predicted: $0.predicted, observed: $0.observed) }
    }
}
