// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

/// What a text is refused with; `nil` if it is accepted.
private func refusal(_ text: String) -> CacheError? {
    do throws(CacheError) {
        _ = try MetadataFilter(text)
        return nil
    } catch {
        return error
    }
}

@Suite struct FilterSyntaxTests {
    @Test(arguments: [
        (#"lang = "de""#, 6, "expected a comparison, `in`, `contains`, `and`, `or` or the end, found `=`"),
        (#"lang == "#, 9, "expected a string, a number, `true` or `false`, found the end"),
        ("lang == de", 9, "expected a string, a number, `true` or `false`, found a name"),
        ("lang < true", 8, "expected a string or a number, found `true`"),
        ("(a or b", 8, "expected `and`, `or` or `)`, found the end"),
        ("a)", 2, "expected `and`, `or` or the end, found `)`"),
        ("a and", 6, "expected a name, `not`, `exists` or `(`, found the end"),
        ("or a", 1, "expected a name, `not`, `exists` or `(`, found `or`"),
        ("()", 2, "expected a name, `not`, `exists` or `(`, found `)`"),
        ("not", 4, "expected a name, `not`, `exists` or `(`, found the end"),
        ("true", 1, "expected a name, `not`, `exists` or `(`, found `true`"),
        (#""de" == lang"#, 1, "expected a name, `not`, `exists` or `(`, found a string"),
        ("a b", 3, "expected a comparison, `in`, `contains`, `and`, `or` or the end, found a name"),
        ("a < 1 < 2", 7, "expected `and`, `or` or the end, found `<`"),
        ("a && b", 3, "expected a comparison, `in`, `contains`, `and`, `or` or the end, found `&`"),
        ("a <> 1", 4, "expected a string or a number, found `>`"),
        ("a in 1", 6, "expected `[`, found a number"),
        ("a in []", 7, "an empty list"),
        ("tags contains any []", 20, "an empty list"),
        ("a in [1,]", 9, "expected a number, found `]`"),
        ("a in [1 2]", 9, "expected `,` or `]`, found a number"),
        (#"a in ["x", 1]"#, 12, "expected a string, found a number"),
        ("a in [true, 1]", 13, "expected `true` or `false`, found a number"),
        ("a in [b]", 7, "expected a string, found a name"),
        ("tags contains 1", 15, "expected a string or `any`, found a number"),
        ("exists author", 8, "expected `(`, found a name"),
        (#"exists("a")"#, 8, "expected a name, found a string"),
        ("exists(a", 9, "expected `)`, found the end"),
        ("a == 1.", 8, "expected a digit"),
        ("a == .5", 6, "expected a string, a number, `true` or `false`, found `.`"),
        ("a == +1", 6, "expected a string, a number, `true` or `false`, found `+`"),
        ("a == -", 7, "expected a digit"),
        ("a == 1e", 8, "expected a digit"),
        ("a == 1x", 7, "expected the end of a number"),
        ("a == 0x10", 7, "expected the end of a number"),
        ("a == 1e400", 6, "a number that is too large"),
        ("a == nan", 6, "expected a string, a number, `true` or `false`, found a name"),
        ("a == -inf", 7, "expected a digit"),
        (#"a == "x"#, 6, "a string without an end"),
        (#"a == "x\"#, 8, "an unknown escape"),
        (#"a == "\q""#, 7, "an unknown escape"),
        (#"a == "\u{}""#, 7, "an escape that is no character"),
        (#"a == "\u{0}""#, 7, "an escape that is no character"),
        (#"a == "\u{d800}""#, 7, "an escape that is no character"),
        (#"a == "\u{1234567}""#, 7, "an escape that is no character"),
        (#"a == "\u{110000}""#, 7, "an escape that is no character"),
        ("`a", 1, "a quoted name without an end"),
        ("``", 1, "an empty name"),
        // Columns are counted in scalars: not in bytes, and not in characters.
        ("`é` = 1", 5, "expected a comparison, `in`, `contains`, `and`, `or` or the end, found `=`"),
        ("`e\u{301}` = 1", 6, "expected a comparison, `in`, `contains`, `and`, `or` or the end, found `=`"),
        ("a == \"\u{1f600}\" \u{201c}", 10, "expected `and`, `or` or the end, found U+201C"),
        ("a\n ==\n\t=", 8, "expected a string, a number, `true` or `false`, found `=`"),
    ])
    func `an error says what is wrong and where`(text: String, column: Int, fault: String) {
        let error = refusal(text)
        #expect(error?.message == "filter: \(fault) at column \(column)")
        #expect(error?.code == .invalidArgument)
        #expect(error?.field == "filter")
    }

    @Test(arguments: [#"a == "secret" secret"#, #"secret "secret""#, #"a in ["secret" "secret"]"#, #"a == "secret\q""#])
    func `an error quotes neither strings nor names`(text: String) throws {
        let error = try #require(refusal(text))
        #expect(!error.message.contains("secret"))
    }

    @Test(arguments: [[0x61, 0xff], [0x60, 0xc0, 0x80, 0x60], [0x60, 0xed, 0xa0, 0x80, 0x60]] as [[UInt8]])
    func `bytes that are not UTF-8 are refused`(bytes: [UInt8]) {
        #expect {
            try bytes.withUnsafeBytes { bytes throws(CacheError) in try MetadataFilter(bytes) }
        } throws: { ($0 as? CacheError)?.message == "filter is not valid UTF-8" }
    }

    @Test func `a NUL is refused, not cut`() {
        #expect(refusal("a\0 or b")?.message == "filter contains a NUL")
        #expect(refusal("a == \"x\0y\"")?.message == "filter contains a NUL")
    }

    @Test(arguments: [
        ("a==1 and b", #"a == 1 and b"#),
        ("  ((a))\n", "a"),
        ("not not a", "a"),
        ("not (not (a or b) )", "a or b"),
        ("not(b or a)", "not (a or b)"),
        ("b or a or b", "a or b"),
        ("c or (b or a)", "a or b or c"),
        ("(c and b) and a", "a and b and c"),
        ("(b or a) and c", "(a or b) and c"),
        ("c or (b and a)", "a and b or c"),
        ("(a or a) and (a and a)", "a"),
        ("a == true", "a"),
        ("a != false", "a"),
        ("a != true", "a == false"),
        ("a in [true, true]", "a"),
        ("a in [true, false, true]", "a in [false, true]"),
        ("a == 1.50e0", "a == 1.5"),
        ("a == -0", "a == 0"),
        ("a == 1000000", "a == 1000000"),
        ("a == 1E400e", nil),
        ("a == 1e-400", "a == 0"),
        ("a == 10000000000000000", "a == 1e+16"),
        ("a in [3, 1, 2, 1.0]", "a in [1, 2, 3]"),
        ("a in [1, 1.0]", "a == 1"),
        (#"a in ["b","a","b"]"#, #"a in ["a", "b"]"#),
        (#"a contains any ["b","a"]"#, #"a contains any ["a", "b"]"#),
        (#"a contains any ["b","b"]"#, #"a contains "b""#),
        ("`a` and `not`", "`not` and a"),
        ("`my name` or `a\\`b` or `9`", "`9` or `a\\`b` or `my name`"),
        (#"a == "\u{64}\u{0065}\`""#, #"a == "de`""#),
        ("a == \"\n\t\r\u{1}\u{7f}\"", #"a == "\n\t\r\u{1}\u{7f}""#),
        // A combining mark right after the quote is a scalar of its own.
        ("a == \"\u{301}\\\"\u{301}\"", "a == \"\u{301}\\\"\u{301}\""),
        ("exists( `tags` )", "exists(tags)"),
    ])
    func `what says the same has one form`(text: String, canonical: String?) throws {
        let filter = try? MetadataFilter(text)
        #expect(filter.map { Array($0.text.utf8) } == canonical.map { Array($0.utf8) })
    }

    @Test func `strings that Unicode calls equivalent are different filters`() throws {
        let composed = try MetadataFilter("a == \"\u{e9}\"")
        let decomposed = try MetadataFilter("a == \"e\u{301}\"")
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
    }

    @Test func `the description of a filter holds nothing of it`() throws {
        #expect(try MetadataFilter(#"secret == "secret""#).description == "filter of 18 bytes")
    }
}

/// Each refused by its own limit: what lies behind the limit is not looked at.
@Suite struct FilterLimitTests {
    private static let depth = Limits.maximumFilterDepth
    private static let terms = Limits.maximumFilterTerms
    private static let values = Limits.maximumFilterListCount

    private static func repeating(_ piece: String, _ count: Int) -> String { String(repeating: piece, count: count) }

    @Test func `parentheses nest up to the limit`() {
        func nested(_ depth: Int) -> String { Self.repeating("(", depth) + "a" + Self.repeating(")", depth) }
        #expect(refusal(nested(Self.depth)) == nil)
        #expect(refusal(nested(Self.depth + 1))?.message == "filter: nested deeper than 32 at column 33")
        #expect(refusal(Self.repeating("(", 4096))?.message == "filter: nested deeper than 32 at column 33")
    }

    @Test func `negations nest up to the limit`() throws {
        #expect(try MetadataFilter(Self.repeating("not ", Self.depth) + "a").text == "a")
        #expect(refusal(Self.repeating("not ", 1024))?.message == "filter: nested deeper than 32 at column 129")
        let mixed = Self.repeating("not (", Self.depth / 2)
        #expect(refusal(mixed + "a" + Self.repeating(")", Self.depth / 2)) == nil)
        #expect(refusal(mixed + "(a")?.message == "filter: nested deeper than 32 at column 81")
    }

    @Test func `there are as many terms as the limit says`() {
        let most = (0..<Self.terms).map { "a\($0)" }.joined(separator: " or ")
        #expect(refusal(most) == nil)
        #expect(refusal(most + " or b")?.message.hasPrefix("filter: more than 128 terms at column ") == true)
        #expect(refusal(Self.repeating("a or ", 800))?.message == "filter: more than 128 terms at column 641")
    }

    @Test func `a list has as many values as the limit says`() {
        let most = (0..<Self.values).map { "\($0)" }.joined(separator: ",")
        #expect(refusal("a in [\(most)]") == nil)
        #expect(refusal("a in [\(most),1]")?.message.hasPrefix("filter: more than 256 values in a list at") == true)
        let bomb = "a contains any [" + Self.repeating(#""","#, 1300)
        #expect(refusal(bomb)?.message == "filter: more than 256 values in a list at column 785")
    }

    @Test func `a long number is refused`() {
        #expect(refusal("a == " + Self.repeating("0", 63) + "1") == nil)
        let fault = "filter: a number of 4000 bytes, the limit is 64, at column 6"
        #expect(refusal("a == " + Self.repeating("9", 4000))?.message == fault)
        #expect(refusal("a == 0." + Self.repeating("9", 3998))?.message == fault)
    }

    @Test func `a long name is refused, quoted or not`() {
        let longest = Self.repeating("a", Limits.maximumAttributeNameBytes)
        let fault = "filter: a name of 65 bytes, the limit is 64, at column 1"
        #expect(refusal(longest) == nil)
        #expect(refusal(longest + "a")?.message == fault)
        #expect(refusal("`\(longest)a`")?.message == fault)
    }

    @Test func `the length is looked at first`() {
        let longest = "a == \"" + Self.repeating("x", Limits.maximumFilterBytes - 7) + "\""
        #expect(refusal(longest) == nil)
        #expect(refusal(longest + " ")?.message == "filter has 4097 bytes, the limit is 4096")
        #expect(refusal(Self.repeating("(", 1 << 20))?.message == "filter has 1048576 bytes, the limit is 4096")
    }

    @Test func `what is too long in canonical form is refused, so that it can be parsed again`() {
        let controls = "a == \"" + Self.repeating("\u{1}", 1000) + "\""
        #expect(refusal(controls)?.message == "filter has 5007 bytes in canonical form, the limit is 4096")
    }
}
