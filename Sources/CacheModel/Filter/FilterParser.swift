// SPDX-License-Identifier: Apache-2.0

/// Reads the filter language by recursive descent, one token ahead. How deep it goes and how much it keeps is bounded
/// by ``Limits``, checked on the way in.
struct FilterParser {
    typealias Expression = MetadataFilter.Expression

    private var lexer: FilterLexer
    private var token: FilterToken = .end
    /// The offset of the token's first byte.
    private var start = 0
    private var depth = 0
    private var terms = 0

    /// - Parameter bytes: Valid UTF-8 without NUL.
    /// - Returns: As it was written, not canonical.
    static func parse(_ bytes: UnsafeRawBufferPointer) throws(CacheError) -> Expression {
        var parser = Self(lexer: FilterLexer(bytes))
        try parser.advance()
        if case .end = parser.token { throw CacheError(.invalidArgument, "empty filter", field: "filter") }
        let expression = try parser.alternatives()
        guard case .end = parser.token else { throw parser.expected("`and`, `or` or the end") }
        return expression
    }

    private init(lexer: FilterLexer) { self.lexer = lexer }

    /// and-expression (`or` and-expression)*
    private mutating func alternatives() throws(CacheError) -> Expression {
        var operands = [try self.conjunction()]
        while case .keyword(.or) = self.token {
            try self.advance()
            operands.append(try self.conjunction())
        }
        return operands.count == 1 ? operands[0] : .any(operands)
    }

    /// operand (`and` operand)*
    private mutating func conjunction() throws(CacheError) -> Expression {
        var operands = [try self.operand()]
        while case .keyword(.and) = self.token {
            try self.advance()
            operands.append(try self.operand())
        }
        return operands.count == 1 ? operands[0] : .all(operands)
    }

    /// `not` operand | `(` expression `)` | `exists` `(` name `)` | name with or without a test
    private mutating func operand() throws(CacheError) -> Expression {
        switch self.token {
        case .keyword(.not):
            try self.descend()
            let operand = try self.operand()
            self.depth -= 1
            return .not(operand)
        case .punctuation(.leftParenthesis):
            try self.descend()
            let expression = try self.alternatives()
            try self.expect(.rightParenthesis, or: "`and`, `or` or `)`")
            self.depth -= 1
            return expression
        case .keyword(.exists):
            try self.countTerm()
            try self.advance()
            try self.expect(.leftParenthesis)
            guard case .name(let name) = self.token else { throw self.expected("a name") }
            try self.advance()
            try self.expect(.rightParenthesis)
            return .existence(name: name)
        case .name(let name):
            try self.countTerm()
            try self.advance()
            return try self.test(of: name)
        default: throw self.expected("a name, `not`, `exists` or `(`")
        }
    }

    /// What follows a name; nothing, and the attribute is to be true.
    private mutating func test(of name: String) throws(CacheError) -> Expression {
        switch self.token {
        case .comparison(let comparison):
            try self.advance()
            return try self.comparison(of: name, comparison)
        case .keyword(.in):
            try self.advance()
            return try self.membership(of: name)
        case .keyword(.contains):
            try self.advance()
            if case .keyword(.any) = self.token {
                try self.advance()
                try self.expect(.leftBracket)
                return .containment(name: name, anyOf: try self.list(of: "a string", Self.string))
            }
            guard let string = Self.string(self.token) else { throw self.expected("a string or `any`") }
            try self.advance()
            return .containment(name: name, anyOf: [string])
        case .keyword(.and), .keyword(.or), .punctuation(.rightParenthesis), .end:
            return .boolean(name: name, true)
        default: throw self.expected("a comparison, `in`, `contains`, `and`, `or` or the end")
        }
    }

    private mutating func comparison(
        of name: String, _ comparison: MetadataFilter.Comparison
    ) throws(CacheError) -> Expression {
        let expression: Expression
        if let string = Self.string(self.token) {
            expression = .comparison(name: name, comparison, .string(string))
        } else if let number = Self.number(self.token) {
            expression = .comparison(name: name, comparison, .number(number))
        } else if let boolean = Self.boolean(self.token), comparison == .equal || comparison == .notEqual {
            expression = .boolean(name: name, (comparison == .equal) == boolean)
        } else {
            let isOrder = comparison != .equal && comparison != .notEqual
            throw self.expected(isOrder ? "a string or a number" : "a string, a number, `true` or `false`")
        }
        try self.advance()
        return expression
    }

    private mutating func membership(of name: String) throws(CacheError) -> Expression {
        try self.expect(.leftBracket)
        if Self.number(self.token) != nil {
            return .membership(name: name, .numbers(try self.list(of: "a number", Self.number)))
        }
        if Self.boolean(self.token) != nil {
            let booleans = try self.list(of: "`true` or `false`", Self.boolean)
            // Either all are the same, and it is a comparison, or both are there.
            return Set(booleans).count == 2
                ? .membership(name: name, .booleans) : .boolean(name: name, booleans[0])
        }
        return .membership(name: name, .strings(try self.list(of: "a string", Self.string)))
    }

    /// The elements, all of one type, and the closing bracket; the opening one is behind.
    private mutating func list<Element>(
        of kind: String, _ value: (FilterToken) -> Element?
    ) throws(CacheError) -> [Element] {
        if case .punctuation(.rightBracket) = self.token { throw self.lexer.fault("an empty list", at: self.start) }
        var elements: [Element] = []
        while true {
            guard let element = value(self.token) else { throw self.expected(kind) }
            guard elements.count < Limits.maximumFilterListCount else {
                throw self.lexer.fault("more than \(Limits.maximumFilterListCount) values in a list", at: self.start)
            }
            elements.append(element)
            try self.advance()
            if case .punctuation(.rightBracket) = self.token { break }
            try self.expect(.comma, or: "`,` or `]`")
        }
        try self.advance()
        return elements
    }
}

extension FilterParser {
    private static func string(_ token: FilterToken) -> String? {
        if case .string(let string) = token { string } else { nil }
    }

    private static func number(_ token: FilterToken) -> Double? {
        if case .number(let number) = token { number } else { nil }
    }

    private static func boolean(_ token: FilterToken) -> Bool? {
        switch token {
        case .keyword(.true): true
        case .keyword(.false): false
        default: nil
        }
    }

    private mutating func advance() throws(CacheError) { (self.token, self.start) = try self.lexer.next() }

    private mutating func expect(_ punctuation: FilterToken.Punctuation, or kind: String? = nil) throws(CacheError) {
        guard case .punctuation(punctuation) = self.token else {
            throw self.expected(kind ?? "`\(punctuation.rawValue)`")
        }
        try self.advance()
    }

    /// Takes a `not` or an opening parenthesis.
    private mutating func descend() throws(CacheError) {
        guard self.depth < Limits.maximumFilterDepth else {
            throw self.lexer.fault("nested deeper than \(Limits.maximumFilterDepth)", at: self.start)
        }
        self.depth += 1
        try self.advance()
    }

    private mutating func countTerm() throws(CacheError) {
        guard self.terms < Limits.maximumFilterTerms else {
            throw self.lexer.fault("more than \(Limits.maximumFilterTerms) terms", at: self.start)
        }
        self.terms += 1
    }

    private func expected(_ kind: String) -> CacheError {
        self.lexer.fault("expected \(kind), found \(self.token.description)", at: self.start)
    }
}
