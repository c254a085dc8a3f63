// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// How an index evaluates ranges of numbers.
enum NumberForm: Sendable {
    /// By fields that hold the number.
    case fields
    /// By tokens, exact to a bucket of ``OrderedNumber``.
    case prefixes

    /// Of a sieve for such an index.
    var maximumTerms: Int {
        switch self {
        case .fields: Limits.maximumVectorSetTerms
        case .prefixes: Limits.maximumSearchTerms
        }
    }
}

/// What an index knows of an entry's attributes.
struct IndexedAttributes: Equatable {
    /// Of ``AttributeToken``, distinct.
    private(set) var tokens: [String] = []
    /// Finite; a field is named by the token that says that the attribute is a number. Empty for prefixes.
    private(set) var numbers: [Number] = []

    struct Number: Equatable {
        let field: String
        let value: Double
    }

    /// - Parameter attributes: Names are distinct; numbers are finite.
    init(_ attributes: [Attribute], numbers form: NumberForm) {
        for attribute in attributes { self.add(attribute.value, of: attribute.name, form) }
    }

    private mutating func add(_ value: AttributeValue, of name: String, _ form: NumberForm) {
        switch value {
        case .string(let string):
            self.tokens += [AttributeToken.type(.string, of: name), AttributeToken.string(string, of: name)]
        case .boolean(let boolean):
            self.tokens += [AttributeToken.type(.boolean, of: name), AttributeToken.boolean(boolean, of: name)]
        case .strings(let strings):
            self.tokens.append(AttributeToken.type(.strings, of: name))
            var seen = Set<String>()
            self.tokens += strings.map { AttributeToken.element($0, of: name) }.filter { seen.insert($0).inserted }
        case .number(let number):
            let type = AttributeToken.type(.number, of: name)
            self.tokens += [type, AttributeToken.number(number, of: name)]
            switch form {
            case .fields: self.numbers.append(Number(field: type, value: number))
            case .prefixes:
                self.tokens += OrderedNumber(number).prefixes.map { AttributeToken.prefix($0, of: name) }
            }
        }
    }
}
