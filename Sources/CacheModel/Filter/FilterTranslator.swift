// SPDX-License-Identifier: Apache-2.0

/// Turns a filter into something else, from the leaves up: a query of a store, the canonical form.
///
/// A translator has to mean what ``MetadataFilter/matches(_:)`` means, exactly, or throw. Names and strings are a
/// caller's: a store that cannot quote one must throw as well.
package protocol FilterTranslator {
    associatedtype Output
    associatedtype Failure: Error = Never

    func boolean(_ name: String, is value: Bool) throws(Failure) -> Output
    func comparison(
        of name: String, _ comparison: MetadataFilter.Comparison, with literal: MetadataFilter.Literal
    ) throws(Failure) -> Output
    func membership(of name: String, in values: MetadataFilter.Values) throws(Failure) -> Output
    func containment(in name: String, ofAny strings: [String]) throws(Failure) -> Output
    func existence(of name: String) throws(Failure) -> Output
    func negation(of operand: Output) throws(Failure) -> Output
    func all(of operands: [Output]) throws(Failure) -> Output
    func any(of operands: [Output]) throws(Failure) -> Output
}

extension MetadataFilter {
    package func translated<Translator: FilterTranslator>(
        by translator: Translator
    ) throws(Translator.Failure) -> Translator.Output {
        try self.expression.translated(by: translator)
    }
}

extension MetadataFilter.Expression {
    /// - Complexity: One call per node; the recursion is as deep as ``Limits/maximumFilterDepth`` lets the text nest.
    package func translated<Translator: FilterTranslator>(
        by translator: Translator
    ) throws(Translator.Failure) -> Translator.Output {
        func each(_ operands: [Self]) throws(Translator.Failure) -> [Translator.Output] {
            try operands.map { operand throws(Translator.Failure) in try operand.translated(by: translator) }
        }
        return switch self {
        case .boolean(let name, let value): try translator.boolean(name, is: value)
        case .comparison(let name, let comparison, let literal):
            try translator.comparison(of: name, comparison, with: literal)
        case .membership(let name, let values): try translator.membership(of: name, in: values)
        case .containment(let name, let strings): try translator.containment(in: name, ofAny: strings)
        case .existence(let name): try translator.existence(of: name)
        case .not(let operand): try translator.negation(of: try operand.translated(by: translator))
        case .all(let operands): try translator.all(of: try each(operands))
        case .any(let operands): try translator.any(of: try each(operands))
        }
    }
}
