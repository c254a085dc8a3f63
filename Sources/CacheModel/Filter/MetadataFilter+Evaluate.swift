// SPDX-License-Identifier: Apache-2.0

extension MetadataFilter {
    /// Whether an entry with these attributes is meant. This is what the language means: every store must agree.
    ///
    /// - Parameter attributes: Names are distinct.
    /// - Complexity: One look at the names per term; a string is looked up in a list of the filter by binary search.
    package func matches(_ attributes: [Attribute]) -> Bool { self.expression.matches(attributes) }
}

extension MetadataFilter.Expression {
    fileprivate func matches(_ attributes: [Attribute]) -> Bool {
        switch self {
        case .boolean(let name, let wanted):
            guard case .boolean(let value) = attributes.value(of: name) else { return false }
            return value == wanted
        case .comparison(let name, let comparison, let literal):
            return attributes.value(of: name).map { comparison.holds($0, literal) } ?? false
        case .membership(let name, let values):
            return attributes.value(of: name).map { values.has($0) } ?? false
        case .containment(let name, let wanted):
            guard case .strings(let strings) = attributes.value(of: name) else { return false }
            return strings.contains { wanted.hasSortedBytes($0) }
        case .existence(let name): return attributes.value(of: name) != nil
        case .not(let operand): return !operand.matches(attributes)
        case .all(let operands): return operands.allSatisfy { $0.matches(attributes) }
        case .any(let operands): return operands.contains { $0.matches(attributes) }
        }
    }
}

extension MetadataFilter.Comparison {
    /// False for values of different types, whatever the comparison.
    fileprivate func holds(_ value: AttributeValue, _ literal: MetadataFilter.Literal) -> Bool {
        switch (value, literal) {
        case (.number(let value), .number(let literal)):
            switch self {
            case .equal: value == literal
            case .notEqual: value != literal
            case .less: value < literal
            case .lessOrEqual: value <= literal
            case .greater: value > literal
            case .greaterOrEqual: value >= literal
            }
        case (.string(let value), .string(let literal)):
            switch self {
            case .equal: value.hasSameBytes(as: literal)
            case .notEqual: !value.hasSameBytes(as: literal)
            case .less: value.precedesInBytes(literal)
            case .lessOrEqual: !literal.precedesInBytes(value)
            case .greater: literal.precedesInBytes(value)
            case .greaterOrEqual: !value.precedesInBytes(literal)
            }
        default: false
        }
    }
}

extension MetadataFilter.Values {
    fileprivate func has(_ value: AttributeValue) -> Bool {
        switch (self, value) {
        case (.strings(let strings), .string(let value)): strings.hasSortedBytes(value)
        case (.numbers(let numbers), .number(let value)): numbers.contains(value)
        case (.booleans, .boolean): true
        default: false
        }
    }
}

extension [Attribute] {
    fileprivate func value(of name: String) -> AttributeValue? {
        self.first { $0.name.hasSameBytes(as: name) }?.value
    }
}
