// SPDX-License-Identifier: Apache-2.0

/// Writes a sieve as a condition of a query of `FT.SEARCH` on the field `t`, dialect 2, in what Valkey's search takes
/// too.
///
/// Tags are digests of a fixed form: nothing in a query needs quoting. Each begins with a letter that is no hexadecimal
/// digit, or some digests would be read as numbers (`1e5`).
enum SearchFilter {
    /// The field `t` of a document.
    static func tags(_ attributes: IndexedAttributes) -> String {
        // An empty field would not be indexed, and some versions count that as a failure.
        attributes.tokens.isEmpty ? "empty" : attributes.tokens.map { "t" + $0 }.joined(separator: ",")
    }

    /// What may stand beside other conditions with a blank.
    ///
    /// - Parameter sieve: Of ``NumberForm/prefixes``.
    /// - Returns: `nil` if every document passes.
    static func text(_ sieve: Sieve) -> String? {
        switch sieve {
        case .always: nil
        case .never: Self.nothing
        case .token(let token): "@t:{t\(token)}"
        // Not in a sieve of prefixes; that the attribute is a number is a superset, and none stands below `not`.
        case .number(let field, _, _): "@t:{t\(field)}"
        case .not(let operand): self.text(operand).map { "-\($0)" } ?? Self.nothing
        case .all(let parts): "(\(parts.compactMap { self.text($0) }.joined(separator: " ")))"
        case .any(let parts): "(\(self.alternatives(parts).joined(separator: " | ")))"
        }
    }

    private static let nothing = "@t:{never}"

    /// Tokens in one term, which is looked up without a tree of unions.
    private static func alternatives(_ parts: [Sieve]) -> [String] {
        var tokens: [String] = []
        var others: [String] = []
        for part in parts {
            if case .token(let token) = part {
                tokens.append("t" + token)
            } else {
                others += [self.text(part)].compactMap(\.self)
            }
        }
        return (tokens.isEmpty ? [] : ["@t:{\(tokens.joined(separator: "|"))}"]) + others
    }
}
