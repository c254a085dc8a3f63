// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Turns a filter into sieves between which it lies.
///
/// The lower one is needed for `not`: what is to hold all that a filter refuses must be made of a sieve that holds none
/// that it refuses.
struct SieveTranslator: FilterTranslator {
    struct Bounds {
        /// Takes all that the filter takes.
        let upper: Sieve
        /// Takes nothing that the filter refuses.
        let lower: Sieve
    }

    let numbers: NumberForm

    func boolean(_ name: String, is value: Bool) -> Bounds { self.exactly(AttributeToken.boolean(value, of: name)) }

    func comparison(
        of name: String, _ comparison: MetadataFilter.Comparison, with literal: MetadataFilter.Literal
    ) -> Bounds {
        let (type, equal): (Bounds, Bounds)
        switch literal {
        case .string(let string):
            type = self.type(.string, of: name)
            equal = self.exactly(AttributeToken.string(string, of: name))
        case .number(let number):
            type = self.type(.number, of: name)
            equal = self.exactly(AttributeToken.number(number, of: name))
        }
        switch (comparison, literal) {
        case (.equal, _): return equal
        case (.notEqual, _): return self.all(of: [type, self.negation(of: equal)])
        // Digests have no order.
        case (_, .string): return Bounds(upper: type.upper, lower: .never)
        case (_, .number(let number)):
            switch self.numbers {
            case .fields:
                let field = AttributeToken.type(.number, of: name)
                return Bounds(upper: .number(field: field, comparison, number), lower: .never)
            case .prefixes: return self.range(of: name, comparison, number, type: type, equal: equal)
            }
        }
    }

    func membership(of name: String, in values: MetadataFilter.Values) -> Bounds {
        switch values {
        case .strings(let strings): self.any(of: strings.map { self.exactly(AttributeToken.string($0, of: name)) })
        case .numbers(let numbers): self.any(of: numbers.map { self.exactly(AttributeToken.number($0, of: name)) })
        case .booleans: self.type(.boolean, of: name)
        }
    }

    func containment(in name: String, ofAny strings: [String]) -> Bounds {
        self.any(of: strings.map { self.exactly(AttributeToken.element($0, of: name)) })
    }

    func existence(of name: String) -> Bounds {
        self.any(of: [.string, .number, .boolean, .strings].map { self.type($0, of: name) })
    }

    func negation(of operand: Bounds) -> Bounds { Bounds(upper: !operand.lower, lower: !operand.upper) }

    func all(of operands: [Bounds]) -> Bounds {
        Bounds(upper: .every(operands.map(\.upper)), lower: .every(operands.map(\.lower)))
    }

    func any(of operands: [Bounds]) -> Bounds {
        Bounds(upper: .either(operands.map(\.upper)), lower: .either(operands.map(\.lower)))
    }

    private func type(_ type: AttributeToken.ValueType, of name: String) -> Bounds {
        self.exactly(AttributeToken.type(type, of: name))
    }

    private func exactly(_ token: String) -> Bounds { Bounds(upper: .token(token), lower: .token(token)) }

    /// Exact if the literal begins or ends a bucket.
    private func range(
        of name: String, _ comparison: MetadataFilter.Comparison, _ literal: Double, type: Bounds, equal: Bounds
    ) -> Bounds {
        let number = OrderedNumber(literal)
        let above = number.prefixesAboveBucket.map { Sieve.token(AttributeToken.prefix($0, of: name)) }
        let withBucket = Sieve.either([.token(AttributeToken.prefix(number.bucket, of: name))] + above)
        let withEqual = Sieve.either([equal.upper] + above)
        let atLeast = Bounds(
            upper: number.isLastOfBucket ? withEqual : withBucket,
            lower: number.isFirstOfBucket ? withBucket : withEqual)
        let isMore = self.all(of: [atLeast, self.negation(of: equal)])
        switch comparison {
        case .greaterOrEqual: return atLeast
        case .greater: return isMore
        case .less: return self.all(of: [type, self.negation(of: atLeast)])
        case .lessOrEqual: return self.all(of: [type, self.negation(of: isMore)])
        case .equal: return equal
        case .notEqual: return self.all(of: [type, self.negation(of: equal)])
        }
    }
}
