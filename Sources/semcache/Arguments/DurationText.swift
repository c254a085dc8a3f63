// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheModel

/// A duration as people write it: `90`, `500ms`, `30s`, `1h30m`, `7d`, `1.5h`.
struct DurationText: ExpressibleByArgument, Equatable {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let duration = Self.duration(argument) else { return nil }
        self.duration = duration
    }

    var defaultValueDescription: String { Self.text(self.duration) }

    private static let units: [(name: String, milliseconds: Double)] = [
        ("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
    ]
    /// A hundred years: beyond it, it is a mistake.
    private static let maximumMilliseconds = 100 * 366 * 86_400_000.0

    /// Reads a positive duration; a number without a unit is in seconds. `nil` if it is none.
    static func duration(_ text: String) -> Duration? {
        if let number = self.number(text[...]) { return self.duration(milliseconds: number * 1000) }
        var rest = text[...]
        var milliseconds = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            guard let number = self.number(digits), let unit = self.units.first(where: { rest.hasPrefix($0.name) })
            else { return nil }
            milliseconds += number * unit.milliseconds
            rest = rest.dropFirst(unit.name.count)
        }
        return self.duration(milliseconds: milliseconds)
    }

    private static func number(_ digits: Substring) -> Double? {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2e }) else { return nil }
        return Double(digits)
    }

    private static func duration(milliseconds: Double) -> Duration? {
        guard milliseconds >= 1, milliseconds <= self.maximumMilliseconds else { return nil }
        return .milliseconds(Int64(milliseconds.rounded()))
    }

    /// Writes a duration with its two largest units, such as `3m 12s`.
    static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if seconds < 1 { return "\(max(0, attoseconds) / 1_000_000_000_000_000)ms" }
        let parts = [
            (seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s"),
        ]
        let first = parts.firstIndex { $0.0 > 0 } ?? 3
        return parts[first...].prefix(2).filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }

    /// Writes how long to wait, in whole seconds from ten on; never less than it is.
    static func wait(_ duration: Duration) -> String {
        let milliseconds = max(1, duration.wholeMilliseconds)
        if milliseconds < 10_000 { return "\(NumberText.grouped(milliseconds)) ms" }
        return self.text(.seconds(milliseconds / 1000 + (milliseconds % 1000 == 0 ? 0 : 1)))
    }
}
