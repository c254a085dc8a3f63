// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport

/// What a filter is to mean, made up by a test; it shares nothing with the product but the attributes.
indirect enum FilterWish {
    case compares(String, String, AttributeValue)
    case isTrue(String)
    case isOneOf(String, [AttributeValue])
    case contains(String, [String])
    case exists(String)
    case not(FilterWish)
    case all([FilterWish])
    case any([FilterWish])

    /// Says naively whether an entry is meant: by bytes, from left to right, without cleverness.
    func isMet(by entry: [[UInt8]: AttributeValue]) -> Bool {
        func value(_ name: String) -> AttributeValue? { entry[Array(name.utf8)] }
        switch self {
        case .isTrue(let name):
            if case .boolean(true) = value(name) { return true }
            return false
        case .compares(let name, let comparison, let literal):
            switch (value(name), literal) {
            case (.string(let left), .string(let right)):
                let (left, right) = (Array(left.utf8), Array(right.utf8))
                let isLess = left.lexicographicallyPrecedes(right)
                return Self.holds(comparison, isLess: isLess, isEqual: left == right)
            case (.number(let left), .number(let right)):
                return Self.holds(comparison, isLess: left < right, isEqual: left == right)
            case (.boolean(let left), .boolean(let right)):
                return Self.holds(comparison, isLess: false, isEqual: left == right)
            default: return false
            }
        case .isOneOf(let name, let literals):
            return literals.contains { FilterWish.compares(name, "==", $0).isMet(by: entry) }
        case .contains(let name, let wanted):
            guard case .strings(let strings) = value(name) else { return false }
            return !Set(strings.map { Array($0.utf8) }).isDisjoint(with: wanted.map { Array($0.utf8) })
        case .exists(let name): return value(name) != nil
        case .not(let wish): return wish.isMet(by: entry) == false
        case .all(let wishes): return wishes.filter { $0.isMet(by: entry) }.count == wishes.count
        case .any(let wishes): return wishes.filter { $0.isMet(by: entry) }.count > 0
        }
    }

    private static func holds(_ comparison: String, isLess: Bool, isEqual: Bool) -> Bool {
        switch comparison {
        case "==": isEqual
        case "!=": !isEqual
        case "<": isLess
        case "<=": isLess || isEqual
        case ">": !isLess && !isEqual
        default: !isLess
        }
    }
}

// Few names and values, so that they meet; awkward ones among them.
extension SeededGenerator {
    private static let names = ["lang", "score", "beta", "tags", "and", "my name", "\u{e9}", "e\u{301}", "`\\\"|"]
    private static let strings = [
        "de", "", "a|b", "*", "{x}", "\u{e9}", "e\u{301}", "\u{1f600}", "\"", "\\", "\n\t\r", "\u{1}", "`", "\u{ff5e}",
    ]
    private static let numbers = [
        0, -0.0, 1, -1, 0.8, 0.1 + 0.2, 1e16, -2.5e300, .leastNonzeroMagnitude, 1e-7, 1_000_000,
    ]

    private mutating func scalarValue() -> AttributeValue {
        switch self.int(0...2) {
        case 0: .string(self.pick(Self.strings))
        case 1: .number(self.pick(Self.numbers))
        default: .boolean(self.chance(0.5))
        }
    }

    /// Any attributes under distinct names.
    mutating func filterEntry() -> [Attribute] {
        var attributes: [Attribute] = []
        for name in Self.names where self.chance(0.7) {
            let strings = (0..<self.int(0...3)).map { _ in self.pick(Self.strings) }
            let value = self.chance(0.3) ? .strings(strings) : self.scalarValue()
            attributes.append(Attribute(name: name, value: value))
        }
        return attributes
    }

    /// - Parameter terms: At most so many.
    mutating func filterWish(terms: Int) -> FilterWish {
        if terms > 1, self.chance(0.75) {
            if self.chance(0.25) { return .not(self.filterWish(terms: terms)) }
            let count = self.int(2...min(4, terms))
            let operands = (0..<count).map { _ in self.filterWish(terms: terms / count) }
            return self.chance(0.5) ? .all(operands) : .any(operands)
        }
        let name = self.pick(Self.names)
        switch self.int(0...6) {
        case 0: return .isTrue(name)
        case 1: return .exists(name)
        case 2:
            return .contains(name, (0..<self.int(1...4)).map { _ in self.pick(Self.strings) })
        case 3:
            let count = self.int(1...5)
            switch self.int(0...2) {
            case 0: return .isOneOf(name, (0..<count).map { _ in .string(self.pick(Self.strings)) })
            case 1: return .isOneOf(name, (0..<count).map { _ in .number(self.pick(Self.numbers)) })
            default: return .isOneOf(name, (0..<count).map { _ in .boolean(self.chance(0.5)) })
            }
        default:
            let literal = self.scalarValue()
            if case .boolean = literal { return .compares(name, self.pick(["==", "!="]), literal) }
            return .compares(name, self.pick(["==", "!=", "<", "<=", ">", ">="]), literal)
        }
    }
}

// Some text that says the wish, in any style.
extension SeededGenerator {
    mutating func filterText(of wish: FilterWish) -> String {
        let text: String
        switch wish {
        case .isTrue(let name): text = self.name(name)
        case .compares(let name, let comparison, let literal):
            text = self.name(name) + self.blank() + comparison + self.blank() + self.literal(literal)
        case .isOneOf(let name, let literals):
            text = self.name(name) + " in" + self.list(literals.map { self.literal($0) })
        case .contains(let name, let strings):
            let literals = strings.map { self.quoted($0, "\"") }
            text =
                self.name(name) + " contains"
                + (literals.count == 1 && self.chance(0.5) ? self.blank() + literals[0] : " any" + self.list(literals))
        case .exists(let name): text = "exists" + self.blank() + "(" + self.blank() + self.name(name) + ")"
        case .not(let wish): text = "not" + self.operand(wish)
        case .all(let wishes): text = self.shuffled(wishes).map { self.operand($0) }.joined(separator: "and")
        case .any(let wishes):
            text = self.shuffled(wishes).map { wish in
                if case .all = wish, self.chance(0.5) { return " " + self.filterText(of: wish) + " " }
                return self.operand(wish)
            }.joined(separator: "or")
        }
        return self.chance(0.1) ? "(\(self.blank())\(text)\(self.blank()))" : text
    }

    /// In parentheses if they are needed, and sometimes if not.
    private mutating func operand(_ wish: FilterWish) -> String {
        switch wish {
        case .all, .any: self.blank() + "(" + self.filterText(of: wish) + ")" + self.blank()
        default: " " + self.filterText(of: wish) + " "
        }
    }

    private mutating func shuffled<Element>(_ elements: [Element]) -> [Element] { elements.shuffled(using: &self) }

    private mutating func blank() -> String { self.pick(["", " ", " ", "\n", "\t \r\n"]) }

    private mutating func list(_ literals: [String]) -> String {
        let doubled = self.chance(0.3) ? literals + [literals[0]] : literals
        return self.blank() + "[" + self.shuffled(doubled).joined(separator: self.blank() + "," + self.blank()) + "]"
    }

    private mutating func name(_ name: String) -> String {
        ["lang", "score", "beta", "tags"].contains(name) && self.chance(0.8) ? name : self.quoted(name, "`")
    }

    private mutating func quoted(_ string: String, _ quote: Unicode.Scalar) -> String {
        var quoted = "\(quote)"
        for scalar in string.unicodeScalars {
            if scalar == quote || scalar == "\\" {
                quoted += "\\"
                quoted.unicodeScalars.append(scalar)
            } else if self.chance(0.2) {
                let zeros = String(repeating: "0", count: self.int(0...1))
                quoted += "\\u{" + zeros + String(scalar.value, radix: 16, uppercase: self.chance(0.5)) + "}"
            } else if scalar == "\n", self.chance(0.5) {
                quoted += "\\n"
            } else {
                quoted.unicodeScalars.append(scalar)
            }
        }
        quoted.unicodeScalars.append(quote)
        return quoted
    }

    private mutating func literal(_ value: AttributeValue) -> String {
        switch value {
        case .string(let string): return self.quoted(string, "\"")
        case .boolean(let boolean): return boolean ? "true" : "false"
        case .number(let number):
            if number.magnitude <= 1e6, let integer = Int(exactly: number) {
                return self.pick(["\(integer)", "\(integer).0", "\(integer)e0", "\(integer)0E-1", "\(integer).000e+00"])
            }
            return self.pick([number.description, number.description.uppercased()])
        case .strings: return ""
        }
    }
}
