// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// What an evaluation must come to, such as `hits>=64%,wrong<=1%`.
struct EvalRequirements: ExpressibleByArgument, Equatable {
    struct Item: Equatable {
        let measure: EvalMeasure
        /// Of each order by itself, not of all together.
        let isOfEach: Bool
        let isAtLeast: Bool
        /// 0…1.
        let bound: Double
    }

    let items: [Item]

    /// How `each.` is written before the name of a measure.
    private static let each = "each."

    init?(argument: String) {
        var items: [Item] = []
        for text in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let item = Self.item(text.drop { $0 == " " }) else { return nil }
            items.append(item)
        }
        self.items = items
    }

    private static func item(_ text: Substring) -> Item? {
        for (sign, isAtLeast) in [(">=", true), ("<=", false)] {
            guard let place = text.firstRange(of: sign) else { continue }
            var name = text[..<place.lowerBound]
            let isOfEach = name.hasPrefix(Self.each)
            if isOfEach { name = name.dropFirst(Self.each.count) }
            guard let measure = EvalMeasure(rawValue: String(name)),
                let bound = ShareText.share(text[place.upperBound...])
            else { return nil }
            return Item(measure: measure, isOfEach: isOfEach, isAtLeast: isAtLeast, bound: bound)
        }
        return nil
    }

    /// - Returns: A line for each that is not met.
    func violations(_ report: EvalReport) -> [String] {
        self.items.flatMap { item -> [String] in
            let values: [(name: String, value: Double?)] =
                item.isOfEach
                ? report.results.map { ("order \($0.order)", item.measure.value($0)) }
                : [("all orders", item.measure.value(report))]
            return values.compactMap { name, value in
                let text = "\(item.measure.rawValue) \(item.isAtLeast ? ">=" : "<=") \(ShareText.text(item.bound))"
                // What cannot be measured is not met: a service that says nothing of its risks is not calibrated.
                guard let value else { return "required: \(text); \(name) has none" }
                guard item.isAtLeast ? value < item.bound : value > item.bound else { return nil }
                return "required: \(text); \(name): \(ShareText.text(value))"
            }
        }
    }
}

/// What can be required.
enum EvalMeasure: String, CaseIterable {
    case hits
    case wrong
    case wrongPerHit = "wrong_per_hit"
    case secondHalfHits = "second_half_hits"
    case secondHalfWrong = "second_half_wrong"
    case secondHalfWrongPerHit = "second_half_wrong_per_hit"
    /// Mean difference of foretold and observed risk.
    case calibration

    func value(_ result: EvalResult) -> Double? {
        self.value(result.whole, result.secondHalf, result.calibration.error)
    }

    func value(_ report: EvalReport) -> Double? {
        self.value(report.whole, report.secondHalf, report.calibrationError)
    }

    private func value(_ whole: EvalSummary, _ secondHalf: EvalSummary, _ calibration: Double?) -> Double? {
        switch self {
        case .hits: whole.hitRate.share
        case .wrong: whole.wrongPerLookup.share
        case .wrongPerHit: whole.wrongPerHit.share
        case .secondHalfHits: secondHalf.hitRate.share
        case .secondHalfWrong: secondHalf.wrongPerLookup.share
        case .secondHalfWrongPerHit: secondHalf.wrongPerHit.share
        case .calibration: calibration
        }
    }
}
