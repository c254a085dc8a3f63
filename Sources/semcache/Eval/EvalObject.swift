// SPDX-License-Identifier: Apache-2.0

/// The report as JSON.
struct EvalObject: Encodable {
    struct Order: Encodable {
        let order: Int
        let cache: String
        let whole: EvalSummaryObject
        let secondHalf: EvalSummaryObject
        let files: [EvalSummaryObject]
        let curve: [EvalSummaryObject]
        let misses: [String: Int]
        let calibration: CalibrationObject
        let servedCalibration: CalibrationObject
        let stored: Int
        let feedback: Int
        let lookupMedianMicroseconds: Int
        let lookupPercentile99Microseconds: Int
        let seconds: Double
        /// What the service says of itself.
        let decisions: DecisionsObject?

        enum CodingKeys: String, CodingKey {
            case order
            case cache
            case whole
            case secondHalf = "second_half"
            case files
            case curve
            case misses
            case calibration
            case servedCalibration = "served_calibration"
            case stored
            case feedback
            case lookupMedianMicroseconds = "lookup_p50_us"
            case lookupPercentile99Microseconds = "lookup_p99_us"
            case seconds
            case decisions
        }
    }

    let questions: Int
    let labels: Int
    let files: [String]
    let orders: [Order]
    let whole: EvalSummaryObject
    let secondHalf: EvalSummaryObject
    let calibrationError: Double?
    /// What was required and is not met.
    let violations: [String]

    enum CodingKeys: String, CodingKey {
        case questions
        case labels
        case files
        case orders
        case whole
        case secondHalf = "second_half"
        case calibrationError = "calibration_error"
        case violations
    }

    init(_ report: EvalReport, violations: [String]) {
        self.questions = report.questions
        self.labels = report.labels
        self.files = report.files
        self.orders = report.results.map { Order($0) }
        self.whole = EvalSummaryObject(report.whole)
        self.secondHalf = EvalSummaryObject(report.secondHalf)
        self.calibrationError = report.calibrationError
        self.violations = violations
    }
}

extension EvalObject.Order {
    init(_ result: EvalResult) {
        self.order = result.order
        self.cache = result.cache
        self.whole = EvalSummaryObject(result.whole)
        self.secondHalf = EvalSummaryObject(result.secondHalf)
        self.files = result.parts.map { EvalSummaryObject($0) }
        self.curve = result.curve.map { EvalSummaryObject($0) }
        self.misses = result.misses
        self.calibration = CalibrationObject(result.calibration)
        self.servedCalibration = CalibrationObject(result.servedCalibration)
        self.stored = result.stored
        self.feedback = result.judged
        self.lookupMedianMicroseconds = result.median
        self.lookupPercentile99Microseconds = result.percentile99
        self.seconds = result.elapsed / .seconds(1)
        self.decisions = result.decisions.map { DecisionsObject($0) }
    }
}
