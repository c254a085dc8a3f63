// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The queries that the store sends, read and evaluated naively, for ``ScriptedSearch``.
struct SearchQuery {
    struct SyntaxError: Error {
        let near: String
    }

    let condition: SearchCondition
    /// The tag that every document has to have.
    let partition: String
    let count: Int
    let limit: Int
    let vector: [Float]

    /// - Parameter arguments: Of `FT.SEARCH`.
    init(_ arguments: [[UInt8]]) throws {
        let words = arguments.map { String(decoding: $0, as: UTF8.self) }
        func position(_ name: String) throws -> Int {
            guard let position = words.firstIndex(of: name), position + 2 < words.count else {
                throw SyntaxError(near: name)
            }
            return position
        }
        guard words.suffix(2) == ["DIALECT", "2"], words[try position("RETURN") + 1] == "1" else {
            throw SyntaxError(near: "the end")
        }
        let parts = words[2].components(separatedBy: "=>[KNN ")
        guard parts.count == 2, parts[1].hasSuffix(" AS d]"), parts[0].hasPrefix("(") else {
            throw SyntaxError(near: "KNN")
        }
        let knn = parts[1].dropLast(" AS d]".count).split(separator: " ").map(String.init)
        guard knn.count == 3 || knn.count == 5, knn[1...2] == ["@v", "$q"], let count = Int(knn[0]) else {
            throw SyntaxError(near: parts[1])
        }
        if knn.count == 5, !(knn[3] == "EF_RUNTIME" && Int(knn[4]) != nil), knn[3...] != ["HYBRID_POLICY", "ADHOC_BF"] {
            throw SyntaxError(near: knn[3])
        }
        var reader = SearchConditionReader(parts[0])
        self.condition = try reader.whole()
        guard let partition = self.condition.requiredPartition else { throw SyntaxError(near: "the partition") }
        self.partition = partition
        self.count = count
        self.limit = Int(words[try position("LIMIT") + 2]) ?? 10
        let parameters = try position("PARAMS")
        guard words[(parameters + 1)...(parameters + 2)] == ["2", "q"] else { throw SyntaxError(near: "PARAMS") }
        self.vector = Self.floats(arguments[parameters + 3]) ?? []
    }

    static func floats(_ bytes: [UInt8]) -> [Float]? {
        guard bytes.count.isMultiple(of: 4) else { return nil }
        return bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 4).map { bytes.loadUnaligned(fromByteOffset: $0, as: Float.self) }
        }
    }

    /// - Returns: `nil` for a document whose vector has another size.
    func distance(to document: [UInt8]) -> Double? {
        guard document.count == 4 * self.vector.count else { return nil }
        var (product, own, other) = (0.0, 0.0, 0.0)
        document.withUnsafeBytes { document in
            self.vector.withUnsafeBufferPointer { vector in
                for position in 0..<vector.count {
                    let left = Double(document.loadUnaligned(fromByteOffset: 4 * position, as: Float.self))
                    let right = Double(vector[position])
                    product += left * right
                    own += left * left
                    other += right * right
                }
            }
        }
        return 1 - product / (own * other).squareRoot()
    }
}

indirect enum SearchCondition {
    case tags(field: String, [String])
    case range(field: String, low: Double, isLowExcluded: Bool)
    case not(SearchCondition)
    case all([SearchCondition])
    case any([SearchCondition])

    var requiredPartition: String? {
        switch self {
        case .tags("p", let tags) where tags.count == 1: tags[0]
        case .all(let parts): parts.compactMap(\.requiredPartition).first
        default: nil
        }
    }

    func holds(_ document: [String: [UInt8]]) -> Bool {
        func text(_ field: String) -> String? { document[field].map { String(decoding: $0, as: UTF8.self) } }
        switch self {
        case .tags(let field, let wanted):
            return !Set(text(field)?.components(separatedBy: ",") ?? []).isDisjoint(with: wanted)
        case .range(let field, let low, let isLowExcluded):
            guard let number = text(field).flatMap(Double.init) else { return false }
            return isLowExcluded ? number > low : number >= low
        case .not(let operand): return !operand.holds(document)
        case .all(let parts): return parts.allSatisfy { $0.holds(document) }
        case .any(let parts): return parts.contains { $0.holds(document) }
        }
    }
}

/// Blanks are conjunctions and bind tighter than `|`; `-` binds tightest.
struct SearchConditionReader {
    private var rest: Substring

    init(_ text: String) { self.rest = text[...] }

    mutating func whole() throws -> SearchCondition {
        let condition = try self.term()
        guard self.rest.isEmpty else { throw self.fault }
        return condition
    }

    private var fault: SearchQuery.SyntaxError { SearchQuery.SyntaxError(near: String(self.rest.prefix(20))) }

    private mutating func skip(_ text: String) -> Bool {
        guard self.rest.hasPrefix(text) else { return false }
        self.rest = self.rest.dropFirst(text.count)
        return true
    }

    private mutating func text(until end: Character) throws -> String {
        guard let position = self.rest.firstIndex(of: end) else { throw self.fault }
        defer { self.rest = self.rest[self.rest.index(after: position)...] }
        return String(self.rest[..<position])
    }

    private mutating func alternatives() throws -> SearchCondition {
        var parts = [try self.conjunction()]
        while self.skip(" | ") { parts.append(try self.conjunction()) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func conjunction() throws -> SearchCondition {
        var parts = [try self.term()]
        while self.rest.hasPrefix(" "), !self.rest.hasPrefix(" |") {
            _ = self.skip(" ")
            parts.append(try self.term())
        }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func term() throws -> SearchCondition {
        if self.skip("-") { return .not(try self.term()) }
        if self.skip("(") {
            let inner = try self.alternatives()
            guard self.skip(")") else { throw self.fault }
            return inner
        }
        guard self.skip("@") else { throw self.fault }
        let field = try self.text(until: ":")
        if ["p", "t"].contains(field), self.skip("{") {
            let tags = try self.text(until: "}").components(separatedBy: "|")
            // What needs no quoting, and is no number.
            guard
                tags.allSatisfy({ tag in
                    tag.first?.isLetter == true && tag.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
                })
            else { throw self.fault }
            return .tags(field: field, tags)
        }
        guard ["x", "c"].contains(field), self.skip("[") else { throw self.fault }
        let isLowExcluded = self.skip("(")
        guard let low = Double(try self.text(until: " ")), try self.text(until: "]") == "+inf" else { throw self.fault }
        return .range(field: field, low: low, isLowExcluded: isLowExcluded)
    }
}
