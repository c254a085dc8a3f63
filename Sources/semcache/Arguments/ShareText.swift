// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// A share as people write it: `5%`, `5 %` or `0.05`.
struct ShareText: ExpressibleByArgument, Equatable {
    /// 0…1.
    let share: Double

    init(_ share: Double) { self.share = share }

    init?(argument: String) {
        guard let share = Self.share(argument[...]) else { return nil }
        self.share = share
    }

    var defaultValueDescription: String { Self.text(self.share) }

    /// - Returns: 0…1; `nil` if the text is no such share.
    static func share(_ text: Substring) -> Double? {
        var digits = text
        let isPercent = digits.last == "%"
        if isPercent { digits = digits.dropLast() }
        while digits.last == " " { digits = digits.dropLast() }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2e }),
            let number = Double(digits)
        else { return nil }
        let share = isPercent ? number / 100 : number
        return (0...1).contains(share) ? share : nil
    }

    /// With two digits after the point, as errors are few.
    static func text(_ share: Double) -> String { "\(NumberText.fixed(share * 100, digits: 2)) %" }
}
