// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// The attributes of an element of a vector set: an object of numbers and four lists of tokens.
///
/// An expression reads a list anew, with memory of its own for each element, whenever it names it: four short ones
/// take half the time of a long one.
enum VectorSetAttributes {
    private static let lists = 4

    /// `{"e":…,"c":…,"t0":["…",…],…,"t3":[],"n…":0.5}`: expiry and creation, milliseconds, tokens, and a field for each
    /// number. All but these are always there, so any expression may read them.
    static func json(_ attributes: IndexedAttributes, expiresAt: Timestamp, createdAt: Timestamp) -> [UInt8] {
        var json = "{\"e\":\(expiresAt.milliseconds),\"c\":\(createdAt.milliseconds)"
        let tokens = Dictionary(grouping: attributes.tokens, by: self.list)
        for list in 0..<self.lists {
            let quoted = (tokens[list] ?? []).map { "\"\($0)\"" }
            json += ",\"t\(list)\":[\(quoted.joined(separator: ","))]"
        }
        for number in attributes.numbers { json += ",\"n\(number.field)\":\(number.value)" }
        json += "}"
        return Array(json.utf8)
    }

    /// The number of the list that a token is in.
    static func list(of token: String) -> Int { (token.first?.hexDigitValue ?? 0) % self.lists }
}

/// Writes a sieve as what `VSIM … FILTER` evaluates on ``VectorSetAttributes``.
enum VectorSetFilter {
    /// What may stand beside other conditions with ` and `, or alone.
    ///
    /// - Returns: `nil` if every element passes.
    static func text(_ sieve: Sieve) -> String? {
        if case .always = sieve { return nil }
        return self.operand(sieve)
    }

    private static func operand(_ sieve: Sieve) -> String {
        switch sieve {
        case .always: "1"
        case .never: "0"
        case .token(let token): "\"\(token)\" in .t\(VectorSetAttributes.list(of: token))"
        case .number(let field, let comparison, let literal): self.text(ofField: "n" + field, comparison, literal)
        // `not` binds tighter than `in`.
        case .not(let operand): "not (\(self.operand(operand)))"
        case .all(let parts): "(\(parts.map { self.operand($0) }.joined(separator: " and ")))"
        case .any(let parts): "(\(parts.map { self.operand($0) }.joined(separator: " or ")))"
        }
    }

    private static func text(
        ofField field: String, _ comparison: MetadataFilter.Comparison, _ literal: Double
    ) -> String {
        let number = self.text(ofNumber: literal)
        if let number { return ".\(field) \(comparison.rawValue) \(number)" }
        // Between 0 and what has a text: the bound moves outwards.
        let isUpperBound = comparison == .less || comparison == .lessOrEqual
        let bound = (literal > 0) == isUpperBound ? self.smallestLiteral(negative: literal < 0) : "0"
        return ".\(field) \(isUpperBound ? "<=" : ">=") \(bound)"
    }

    /// A literal takes no sign in its exponent, so what is small has its zeros written out.
    ///
    /// - Returns: `nil` for what is smaller than ``smallestLiteral(negative:)``: a literal has less than 256 bytes.
    private static func text(ofNumber number: Double) -> String? {
        let text = number.description
        let parts = text.split(separator: "e")
        guard parts.count == 2, let exponent = Int(parts[1]) else { return text }
        if exponent >= 0 { return "\(parts[0])e\(exponent)" }
        if exponent < -self.maximumZeros { return nil }
        let digits = parts[0].filter { $0 != "-" && $0 != "." }
        let zeros = String(repeating: "0", count: -exponent - 1)
        return "\(number < 0 ? "-" : "")0.\(zeros)\(digits)"
    }

    private static let maximumZeros = 100

    private static func smallestLiteral(negative: Bool) -> String {
        "\(negative ? "-" : "")0.\(String(repeating: "0", count: self.maximumZeros - 1))1"
    }
}
