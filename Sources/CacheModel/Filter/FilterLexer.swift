// SPDX-License-Identifier: Apache-2.0

/// A word of the filter language.
enum FilterToken {
    case name(String)
    case keyword(Keyword)
    case string(String)
    /// Finite.
    case number(Double)
    case comparison(MetadataFilter.Comparison)
    case punctuation(Punctuation)
    /// Belongs to nothing in the language.
    case unknown(Unicode.Scalar)
    case end

    enum Keyword: String {
        case and, or, not, `in`, contains, any, exists, `true`, `false`
    }

    enum Punctuation: Character {
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case leftBracket = "["
        case rightBracket = "]"
        case comma = ","
    }

    /// For a message: what it is, without what a caller may want to keep private.
    var description: String {
        switch self {
        case .name: "a name"
        case .keyword(let keyword): "`\(keyword.rawValue)`"
        case .string: "a string"
        case .number: "a number"
        case .comparison(let comparison): "`\(comparison.rawValue)`"
        case .punctuation(let punctuation): "`\(punctuation.rawValue)`"
        case .unknown(let scalar):
            scalar.value > 0x20 && scalar.value < 0x7f
                ? "`\(scalar)`" : "U+\(String(scalar.value, radix: 16, uppercase: true))"
        case .end: "the end"
        }
    }
}

/// Cuts a text into tokens, each byte looked at a bounded number of times.
struct FilterLexer {
    /// Valid UTF-8 without NUL; outlives the lexer.
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next token and the offset of its first byte.
    mutating func next() throws(CacheError) -> (token: FilterToken, start: Int) {
        while let byte = self.peek, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { self.position += 1 }
        let start = self.position
        guard let byte = self.peek else { return (.end, start) }
        switch byte {
        case UInt8(ascii: "\""): return (.string(try self.quoted()), start)
        case UInt8(ascii: "`"): return (.name(try self.checked(name: try self.quoted(), at: start)), start)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return (.number(try self.number()), start)
        case let byte where Self.isWord(byte):
            while let byte = self.peek, Self.isWord(byte) { self.position += 1 }
            let word = self.text(from: start)
            if let keyword = FilterToken.Keyword(rawValue: word) { return (.keyword(keyword), start) }
            return (.name(try self.checked(name: word, at: start)), start)
        default: return (self.symbol(), start)
        }
    }

    /// An error that points at an offset.
    ///
    /// - Complexity: O(offset), once per filter: an error ends it.
    func fault(_ fault: String, at offset: Int) -> CacheError {
        let column = self.bytes[..<offset].reduce(1) { $1 & 0xc0 == 0x80 ? $0 : $0 + 1 }
        return CacheError(.invalidArgument, "filter: \(fault) at column \(column)", field: "filter")
    }

    /// Whether a name needs no backquotes.
    static func isPlainName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9") ~= first) else { return false }
        return name.utf8.allSatisfy(self.isWord) && FilterToken.Keyword(rawValue: name) == nil
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private var peek: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

    private func text(from start: Int) -> String {
        String(decoding: self.bytes[start..<self.position], as: UTF8.self)
    }

    private func checked(name: String, at start: Int) throws(CacheError) -> String {
        guard !name.isEmpty else { throw self.fault("an empty name", at: start) }
        guard name.utf8.count <= Limits.maximumAttributeNameBytes else {
            let limit = Limits.maximumAttributeNameBytes
            throw self.fault("a name of \(name.utf8.count) bytes, the limit is \(limit),", at: start)
        }
        return name
    }
}

// Symbols and numbers.
extension FilterLexer {
    private mutating func symbol() -> FilterToken {
        let scalar = String(decoding: self.bytes[self.position...].prefix(4), as: UTF8.self).unicodeScalars.first!
        self.position += UTF8.width(scalar)
        let isFollowedByEquals = self.peek == UInt8(ascii: "=")
        let comparison: MetadataFilter.Comparison
        switch scalar {
        case "=" where isFollowedByEquals: comparison = .equal
        case "!" where isFollowedByEquals: comparison = .notEqual
        case "<": comparison = isFollowedByEquals ? .lessOrEqual : .less
        case ">": comparison = isFollowedByEquals ? .greaterOrEqual : .greater
        default:
            return FilterToken.Punctuation(rawValue: Character(scalar)).map { .punctuation($0) } ?? .unknown(scalar)
        }
        if isFollowedByEquals { self.position += 1 }
        return .comparison(comparison)
    }

    /// `-`? digits (`.` digits)? (`e` sign? digits)?
    private mutating func number() throws(CacheError) -> Double {
        let start = self.position
        if self.peek == UInt8(ascii: "-") { self.position += 1 }
        try self.digits()
        if self.peek == UInt8(ascii: ".") {
            self.position += 1
            try self.digits()
        }
        if let byte = self.peek, byte | 0x20 == UInt8(ascii: "e") {
            self.position += 1
            if let sign = self.peek, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { self.position += 1 }
            try self.digits()
        }
        if let byte = self.peek, Self.isWord(byte) || byte == UInt8(ascii: ".") {
            throw self.fault("expected the end of a number", at: self.position)
        }
        guard self.position - start <= Limits.maximumFilterNumberBytes else {
            let limit = Limits.maximumFilterNumberBytes
            throw self.fault("a number of \(self.position - start) bytes, the limit is \(limit),", at: start)
        }
        guard let number = Double(self.text(from: start)), number.isFinite else {
            throw self.fault("a number that is too large", at: start)
        }
        return number
    }

    private mutating func digits() throws(CacheError) {
        let start = self.position
        while let byte = self.peek, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { self.position += 1 }
        guard self.position > start else { throw self.fault("expected a digit", at: start) }
    }
}

// Strings and quoted names.
extension FilterLexer {
    /// What stands between the quote at the position and the next one of its kind, escapes resolved.
    private mutating func quoted() throws(CacheError) -> String {
        let start = self.position
        let quote = self.bytes[start]
        self.position += 1
        var resolved: [UInt8] = []
        var piece = self.position
        while let byte = self.peek {
            if byte == quote {
                defer { self.position += 1 }
                // Nearly every string: nothing to resolve.
                if resolved.isEmpty { return self.text(from: piece) }
                return String(decoding: resolved + self.bytes[piece..<self.position], as: UTF8.self)
            }
            if byte == UInt8(ascii: "\\") {
                resolved += self.bytes[piece..<self.position]
                resolved += UTF8.encode(try self.escape()) ?? UTF8.encodedReplacementCharacter
                piece = self.position
            } else {
                self.position += 1
            }
        }
        throw self.fault("a \(quote == UInt8(ascii: "`") ? "quoted name" : "string") without an end", at: start)
    }

    /// The scalar that the escape at the position stands for.
    private mutating func escape() throws(CacheError) -> Unicode.Scalar {
        let start = self.position
        self.position += 1
        let byte = self.peek
        self.position += 1
        switch byte {
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "`"): return "`"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u") where self.peek == UInt8(ascii: "{"):
            self.position += 1
            var value: UInt32 = 0
            var digits = 0
            while let byte = self.peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, digits < 6 {
                value = value << 4 | UInt32(digit)
                digits += 1
                self.position += 1
            }
            guard digits > 0, self.peek == UInt8(ascii: "}"), value > 0, let scalar = Unicode.Scalar(value) else {
                throw self.fault("an escape that is no character", at: start)
            }
            self.position += 1
            return scalar
        default: throw self.fault("an unknown escape", at: start)
        }
    }
}
