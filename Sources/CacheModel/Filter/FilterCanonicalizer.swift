// SPDX-License-Identifier: Apache-2.0

/// A part of a filter in canonical form, as an expression and as text.
struct CanonicalFilter {
    let expression: MetadataFilter.Expression
    let text: String
    /// Of `not`, `all` and `any`.
    var operands: [CanonicalFilter] = []
}

/// Gives the expressions that say the same in another way one form, and that its text. It never nests deeper, nor has
/// more terms or longer lists, than what it is given.
struct FilterCanonicalizer: FilterTranslator {
    func boolean(_ name: String, is value: Bool) -> CanonicalFilter {
        let suffix = value ? "" : " == false"
        return CanonicalFilter(expression: .boolean(name: name, value), text: Self.text(ofName: name) + suffix)
    }

    func comparison(
        of name: String, _ comparison: MetadataFilter.Comparison, with literal: MetadataFilter.Literal
    ) -> CanonicalFilter {
        let text = Self.text(ofName: name) + " \(comparison.rawValue) "
        switch literal {
        case .string(let string):
            return CanonicalFilter(
                expression: .comparison(name: name, comparison, literal), text: text + Self.text(of: string))
        case .number(let number):
            // Turns -0 into 0.
            let number = number + 0
            return CanonicalFilter(
                expression: .comparison(name: name, comparison, .number(number)), text: text + Self.text(of: number))
        }
    }

    /// A list of one value is an equality.
    func membership(of name: String, in values: MetadataFilter.Values) -> CanonicalFilter {
        let text: String
        let canonical: MetadataFilter.Values
        switch values {
        case .strings(let strings):
            let strings = strings.sortedByBytesWithoutDuplicates()
            if strings.count == 1 { return self.comparison(of: name, .equal, with: .string(strings[0])) }
            text = Self.text(of: strings)
            canonical = .strings(strings)
        case .numbers(let numbers):
            let numbers = numbers.map { $0 + 0 }.sorted().withoutNeighbours(==)
            if numbers.count == 1 { return self.comparison(of: name, .equal, with: .number(numbers[0])) }
            text = "[\(numbers.map { Self.text(of: $0) }.joined(separator: ", "))]"
            canonical = .numbers(numbers)
        case .booleans:
            text = "[false, true]"
            canonical = .booleans
        }
        return CanonicalFilter(
            expression: .membership(name: name, canonical), text: Self.text(ofName: name) + " in " + text)
    }

    func containment(in name: String, ofAny strings: [String]) -> CanonicalFilter {
        let strings = strings.sortedByBytesWithoutDuplicates()
        let text = strings.count == 1 ? Self.text(of: strings[0]) : "any " + Self.text(of: strings)
        return CanonicalFilter(
            expression: .containment(name: name, anyOf: strings), text: Self.text(ofName: name) + " contains " + text)
    }

    func existence(of name: String) -> CanonicalFilter {
        CanonicalFilter(expression: .existence(name: name), text: "exists(\(Self.text(ofName: name)))")
    }

    func negation(of operand: CanonicalFilter) -> CanonicalFilter {
        switch operand.expression {
        case .not: return operand.operands[0]
        case .all, .any:
            return CanonicalFilter(
                expression: .not(operand.expression), text: "not (\(operand.text))", operands: [operand])
        default:
            return CanonicalFilter(
                expression: .not(operand.expression), text: "not \(operand.text)", operands: [operand])
        }
    }

    func all(of operands: [CanonicalFilter]) -> CanonicalFilter {
        let operands = Self.distinct(operands) { if case .all = $0 { true } else { false } }
        if operands.count == 1 { return operands[0] }
        let texts = operands.map { operand in
            if case .any = operand.expression { "(\(operand.text))" } else { operand.text }
        }
        return CanonicalFilter(
            expression: .all(operands.map(\.expression)), text: texts.joined(separator: " and "), operands: operands)
    }

    func any(of operands: [CanonicalFilter]) -> CanonicalFilter {
        let operands = Self.distinct(operands) { if case .any = $0 { true } else { false } }
        if operands.count == 1 { return operands[0] }
        // `and` binds tighter: no parentheses.
        return CanonicalFilter(
            expression: .any(operands.map(\.expression)), text: operands.map(\.text).joined(separator: " or "),
            operands: operands)
    }

    /// The operands with those of nested operands of the same kind, in the order of their texts, each once.
    private static func distinct(
        _ operands: [CanonicalFilter], isSameKind: (MetadataFilter.Expression) -> Bool
    ) -> [CanonicalFilter] {
        operands.flatMap { isSameKind($0.expression) ? $0.operands : [$0] }
            .sorted { $0.text.precedesInBytes($1.text) }
            .withoutNeighbours { $0.text.hasSameBytes(as: $1.text) }
    }
}

// Spelling.
extension FilterCanonicalizer {
    private static func text(ofName name: String) -> String {
        FilterLexer.isPlainName(name) ? name : self.quoted(name, by: "`")
    }

    private static func text(of string: String) -> String { self.quoted(string, by: "\"") }

    private static func text(of strings: [String]) -> String {
        "[\(strings.map { self.text(of: $0) }.joined(separator: ", "))]"
    }

    /// The shortest decimal that is read as the same number.
    private static func text(of number: Double) -> String {
        let text = number.description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private static func quoted(_ string: String, by quote: Unicode.Scalar) -> String {
        var quoted = String.UnicodeScalarView()
        quoted.append(quote)
        for scalar in string.unicodeScalars {
            switch scalar {
            case quote, "\\": quoted.append(contentsOf: ["\\", scalar])
            case "\n": quoted.append(contentsOf: "\\n".unicodeScalars)
            case "\r": quoted.append(contentsOf: "\\r".unicodeScalars)
            case "\t": quoted.append(contentsOf: "\\t".unicodeScalars)
            case "\0"..<" ", "\u{7f}":
                quoted.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            default: quoted.append(scalar)
            }
        }
        quoted.append(quote)
        return String(quoted)
    }
}
