// SPDX-License-Identifier: Apache-2.0

/// What was foretold of one answer, and what came true.
struct RiskEstimate: Sendable, Equatable {
    /// Foretold probability that it is wrong, 0…1.
    let risk: Double
    let isWrong: Bool
}

/// How well foretold risks hold: by risk, in bins of about as many estimates each. Those of the same risk are in one bin:
/// what came true must not tell in which.
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

    /// - Parameter bins: At least 1; there are no more than different risks.
    init(_ estimates: [RiskEstimate], bins: Int = 10) {
        let sorted = estimates.sorted { $0.risk < $1.risk }
        self.count = sorted.count
        var made: [Bin] = []
        var start = 0
        for bin in 1...max(1, bins) {
            var end = sorted.count * bin / max(1, bins)
            while end > start, end < sorted.count, sorted[end].risk == sorted[end - 1].risk { end += 1 }
            guard end > start else { continue }
            made.append(Bin(sorted[start..<end]))
            start = end
        }
        self.bins = made
    }

    /// Mean difference of what was foretold and what came true, weighted by the bins' sizes, 0…1; `nil` of nothing.
    var error: Double? {
        guard self.count > 0 else { return nil }
        let sum = self.bins.reduce(0) { $0 + Double($1.count) * abs($1.predicted - $1.observed) }
        return sum / Double(self.count)
    }
}

extension Calibration.Bin {
    /// - Parameter estimates: At least one.
    fileprivate init(_ estimates: ArraySlice<RiskEstimate>) {
        let size = Double(estimates.count)
        self.init(
            count: estimates.count, predicted: estimates.reduce(0) { $0 + $1.risk } / size,
            observed: Double(estimates.count { $0.isWrong }) / size)
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
