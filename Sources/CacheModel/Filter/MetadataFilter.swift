// SPDX-License-Identifier: Apache-2.0

/// Which entries are meant, by their attributes. One language for every operation; Protos/README.md has its grammar.
///
/// There is no filter that means "all" by leaving something out: an empty text, an empty list and whatever the grammar
/// does not know are errors. Filters are equal if their canonical forms are the same bytes.
package struct MetadataFilter: Sendable {
    /// In canonical form, like ``text``.
    package let expression: Expression
    /// The canonical form. Parsing it gives an equal filter with the same text, but for the longest that
    /// ``anyOf(tags:)`` makes, which the parser would find too long.
    package let text: String

    /// Parses a filter.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` and the field "filter". The message says what is wrong at which
    ///   column, counted from 1 in Unicode scalars, and quotes neither names nor literals: they may be private.
    package init(_ text: String) throws(CacheError) {
        var text = text
        let result: Result<Self, CacheError> = text.withUTF8 { utf8 in
            do throws(CacheError) {
                return .success(try Self(UnsafeRawBufferPointer(utf8)))
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    /// Parses a filter from peer bytes, not yet validated.
    ///
    /// - Throws: Also if they are more than ``Limits/maximumFilterBytes``, as given or in canonical form, are not UTF-8
    ///   or hold a NUL.
    /// - Complexity: O(n log n) in the bytes.
    package init(_ bytes: UnsafeRawBufferPointer) throws(CacheError) {
        guard bytes.count <= Limits.maximumFilterBytes else {
            throw .tooLong("filter", bytes.count, limit: Limits.maximumFilterBytes)
        }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .notUTF8("filter") }
        guard !bytes.contains(0) else { throw .invalidArgument("filter", "contains a NUL") }
        let canonical = try FilterParser.parse(bytes).translated(by: FilterCanonicalizer())
        // The canonical form can be longer: blanks around operators, escapes. What was accepted must be accepted again.
        guard canonical.text.utf8.count <= Limits.maximumFilterBytes else {
            let bytes = canonical.text.utf8.count
            throw .invalidArgument(
                "filter", "has \(bytes) bytes in canonical form, the limit is \(Limits.maximumFilterBytes)")
        }
        self.init(canonical)
    }

    /// The entries that have at least one of the tags.
    ///
    /// - Parameter tags: At least one, at most ``Limits/maximumFilterTags``.
    package static func anyOf(tags: [String]) -> Self {
        precondition(!tags.isEmpty && tags.count <= Limits.maximumFilterTags, "no tags, or too many")
        return Self(FilterCanonicalizer().containment(in: Attribute.tagsName, ofAny: tags))
    }

    private init(_ canonical: CanonicalFilter) {
        self.expression = canonical.expression
        self.text = canonical.text
    }
}

// By bytes: `==` of strings is up to canonical equivalence.
extension MetadataFilter: Hashable {
    package static func == (left: Self, right: Self) -> Bool { left.text.hasSameBytes(as: right.text) }

    package func hash(into hasher: inout Hasher) {
        var text = self.text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension MetadataFilter: CustomStringConvertible {
    /// Without names and values, which may be private.
    package var description: String { "filter of \(self.text.utf8.count) bytes" }
}

extension MetadataFilter {
    /// What a filter says, typed and canonical. The logic has two values: a leaf is false if the attribute is missing
    /// or of another type, `!=` included, and `not` turns that into true. Names and strings are meant as UTF-8 bytes.
    package indirect enum Expression: Sendable {
        /// The attribute is this boolean.
        case boolean(name: String, Bool)
        /// The attribute is of the literal's type and compares so with it: numbers by value, strings by bytes.
        case comparison(name: String, Comparison, Literal)
        /// The attribute is of the values' type and one of them.
        case membership(name: String, Values)
        /// The attribute is a list and has at least one of these strings: not empty, sorted by bytes, distinct.
        case containment(name: String, anyOf: [String])
        /// There is such an attribute, of any type; an empty list is one.
        case existence(name: String)
        case not(Expression)
        /// At least two, distinct, none of them `all`.
        case all([Expression])
        /// At least two, distinct, none of them `any`.
        case any([Expression])
    }

    package enum Comparison: String, Sendable {
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    package enum Literal: Sendable {
        case string(String)
        /// Finite; never -0.
        case number(Double)
    }

    /// What an attribute may be one of: at least two, sorted, distinct.
    package enum Values: Sendable {
        /// By bytes.
        case strings([String])
        /// Finite; never -0.
        case numbers([Double])
        /// True or false: any boolean.
        case booleans
    }
}
