// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension FuzzProperty {
    /// What is accepted is within the limits, is accepted again in canonical form, and its negation says the opposite.
    static func checkFilter(_ bytes: UnsafeRawBufferPointer) {
        guard let filter = try? MetadataFilter(bytes) else { return }
        guard let again = try? MetadataFilter(filter.text) else { preconditionFailure("the canonical form is refused") }
        precondition(again == filter && again.hashValue == filter.hashValue, "the canonical form is another filter")
        precondition(Array(again.text.utf8) == Array(filter.text.utf8), "canonicalising again changes the text")
        let size = filter.translated(by: FilterSize())
        precondition(size.terms <= Limits.maximumFilterTerms, "too many terms")
        // Each `not` and each pair of parentheses is a level, and one more is there without them.
        precondition(size.levels <= 2 * Limits.maximumFilterDepth + 3, "too deep")
        let isMet = Self.entries.map { filter.matches($0) }
        precondition(isMet == Self.entries.map { again.matches($0) }, "the canonical form means something else")
        // The limits may refuse these two.
        if let negation = try? MetadataFilter("not (\(filter.text))") {
            precondition(isMet == Self.entries.map { !negation.matches($0) }, "a negation is none")
        }
        if let doubled = try? MetadataFilter("(\(filter.text)) and (\(filter.text))") {
            precondition(doubled == filter, "saying it twice changes it")
        }
    }

    private static let entries: [[Attribute]] = [
        [],
        ["a", "lang", "tags", "my name"].map { Attribute(name: $0, value: .string("de")) },
        ["a", "lang", "score", "tags"].map { Attribute(name: $0, value: .number(1)) },
        ["a", "beta", "tags"].map { Attribute(name: $0, value: .boolean(true)) },
        ["a", "lang", "tags"].map { Attribute(name: $0, value: .strings(["", "de", "\u{e9}", "doc-17"])) },
    ]
}

private struct FilterSize: FilterTranslator {
    typealias Output = (terms: Int, levels: Int)

    func boolean(_ name: String, is value: Bool) -> Output { (1, 1) }
    func comparison(
        of name: String, _ comparison: MetadataFilter.Comparison, with literal: MetadataFilter.Literal
    ) -> Output { (1, 1) }
    func membership(of name: String, in values: MetadataFilter.Values) -> Output { (1, 1) }
    func containment(in name: String, ofAny strings: [String]) -> Output { (1, 1) }
    func existence(of name: String) -> Output { (1, 1) }
    func negation(of operand: Output) -> Output { (operand.terms, operand.levels + 1) }
    func all(of operands: [Output]) -> Output { self.joined(operands) }
    func any(of operands: [Output]) -> Output { self.joined(operands) }

    private func joined(_ operands: [Output]) -> Output {
        (operands.reduce(0) { $0 + $1.terms }, operands.reduce(0) { max($0, $1.levels) } + 1)
    }
}
