// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport

/// What a random filter may be made of.
enum FilterParts {
    /// Whatever the language has.
    case all
    /// Without the order of strings, which no index knows, and ranges of numbers.
    case withoutOrder
    /// Without the order of strings; ranges of numbers are bounded by such as begin or end a bucket of prefixes.
    case withSimpleRanges
}

// Few names and values, so that they meet; awkward ones among them.
extension SeededGenerator {
    private static let names = ["lang", "score", "beta", "tags", "\u{e9}", "e\u{301}", "a b", "`\\\"|"]
    private static let strings = [
        "de", "", "a|b", "*", "{x}", "\u{e9}", "e\u{301}", "\u{1f600}", "\"", "\\", "\n\t", "'",
    ]
    private static let simpleNumbers: [Double] = [0, -0.0, 1, -1, 0.5, -2.5, 7, 8191, 1_000_000, -4096]
    private static let awkwardNumbers: [Double] = [
        0.8, 0.1 + 0.2, 0.3, -0.8, 1e16, -2.5e300, 1e-7, -1e-7, 3e-90, 1e-100, -1e-100, 1e-101, 2e-250, -2e-250,
        .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
        8193.0001, 1_700_000_000_123, (1.0).nextUp, (1.0).nextDown, (-1.0).nextUp, (-1.0).nextDown,
    ]

    private mutating func number(_ parts: FilterParts) -> Double {
        if parts == .withSimpleRanges || self.chance(0.5) { return self.pick(Self.simpleNumbers) }
        return self.chance(0.7) ? self.pick(Self.awkwardNumbers) : Double.random(in: -10...10, using: &self)
    }

    /// Any attributes under distinct names.
    mutating func indexedEntry() -> [Attribute] {
        var attributes: [Attribute] = []
        for name in Self.names where self.chance(0.6) {
            let value: AttributeValue
            switch self.int(0...9) {
            case 0...3: value = .number(self.number(.all))
            case 4...6: value = .string(self.pick(Self.strings))
            case 7: value = .boolean(self.chance(0.5))
            default: value = .strings((0..<self.int(0...3)).map { _ in self.pick(Self.strings) })
            }
            attributes.append(Attribute(name: name, value: value))
        }
        return attributes
    }

    /// - Parameter terms: At most so many.
    mutating func indexedFilter(_ parts: FilterParts = .all, terms: Int) throws -> MetadataFilter {
        try MetadataFilter(self.filterText(parts, terms: terms, depth: 6))
    }

    private mutating func filterText(_ parts: FilterParts, terms: Int, depth: Int) -> String {
        if depth > 0, self.chance(0.25) {
            return "not (" + self.filterText(parts, terms: terms, depth: depth - 1) + ")"
        }
        guard depth > 0, terms > 1, self.chance(0.85) else { return self.termText(parts) }
        let count = self.int(2...min(4, terms))
        let operands = (0..<count).map { _ in
            "(" + self.filterText(parts, terms: terms / count, depth: depth - 1) + ")"
        }
        return operands.joined(separator: self.chance(0.5) ? " and " : " or ")
    }

    private mutating func termText(_ parts: FilterParts) -> String {
        let name = Self.quoted(self.pick(Self.names), "`")
        switch self.int(0...9) {
        case 0: return name + self.pick(["", " == false", " != true", " in [true, false]"])
        case 1: return "exists(\(name))"
        case 2: return name + " contains any " + self.list { Self.quoted($0.pick(Self.strings), "\"") }
        case 3: return name + " in " + self.list { Self.quoted($0.pick(Self.strings), "\"") }
        case 4: return name + " in " + self.list { "\($0.number(parts))" }
        case 5, 6:
            let comparisons = parts == .all ? ["==", "!=", "<", "<=", ">", ">="] : ["==", "!="]
            return "\(name) \(self.pick(comparisons)) " + Self.quoted(self.pick(Self.strings), "\"")
        default:
            let comparisons = parts == .withoutOrder ? ["==", "!="] : ["==", "!=", "<", "<=", ">", ">="]
            return "\(name) \(self.pick(comparisons)) \(self.number(parts))"
        }
    }

    private mutating func list(of value: (inout Self) -> String) -> String {
        "[\((0..<self.int(1...4)).map { _ in value(&self) }.joined(separator: ", "))]"
    }

    private static func quoted(_ text: String, _ quote: Unicode.Scalar) -> String {
        var quoted = "\(quote)"
        for scalar in text.unicodeScalars {
            if scalar == quote || scalar == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(scalar)
        }
        quoted.unicodeScalars.append(quote)
        return quoted
    }
}
