// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

/// What went wrong in other caches, by its number in the list of pitfalls.
@Suite struct FilterPitfallTests {
    private static func entry(_ name: String, _ value: AttributeValue) -> [Attribute] {
        [Attribute(name: name, value: value)]
    }

    /// A literal by the rules of Protos/README.md.
    private static func quoted(_ string: String) -> String {
        "\"" + string.unicodeScalars.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined() + "\""
    }

    private static let awkward = [
        "acme|victim", "acme", "victim", "*", "", " ", "tenant", "@tenant:{acme}", "{acme}", "acme}", "\\", "\\|", "\"",
        "\" or exists(lang) or lang == \"", "a b", "a\tb", "a\nb", "a,b", "[a]", "%", "_", "$x", "\u{1f600}", "\u{e9}",
        "e\u{301}", "\u{202e}", "true", "0", "not", "-", "~", "a*", "?",
    ]

    @Test(arguments: awkward)
    func `pitfall 1: a value means itself, whatever other languages make of it`(value: String) throws {
        let literal = Self.quoted(value)
        let equal = try MetadataFilter("lang == \(literal)")
        let isIn = try MetadataFilter("lang in [\(literal), \"zz\"]")
        let contains = try MetadataFilter("tags contains \(literal)")
        let any = MetadataFilter.anyOf(tags: [value])
        #expect(any == contains)
        for other in Self.awkward {
            let isSame = Array(other.utf8) == Array(value.utf8)
            #expect(equal.matches(Self.entry("lang", .string(other))) == isSame)
            #expect(isIn.matches(Self.entry("lang", .string(other))) == isSame)
            #expect(contains.matches(Self.entry("tags", .strings(["x", other]))) == isSame)
            #expect(any.matches(Self.entry("tags", .strings([other]))) == isSame)
        }
    }

    @Test(arguments: awkward.filter { !$0.isEmpty })
    func `pitfall 1: a name means itself, whatever other languages make of it`(name: String) throws {
        let quoted = name.unicodeScalars.map { $0 == "`" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
        let filter = try MetadataFilter("exists(`\(quoted)`)")
        for other in Self.awkward {
            #expect(filter.matches(Self.entry(other, .boolean(true))) == (Array(other.utf8) == Array(name.utf8)))
        }
    }

    @Test(arguments: ["", " ", "\t\r\n "])
    func `pitfall 2: an empty filter is an error, not all`(text: String) {
        #expect { try MetadataFilter(text) } throws: { ($0 as? CacheError)?.message == "empty filter" }
    }

    @Test func `pitfall 2: an empty value is a value, and drops nothing`() throws {
        for text in [#"tenant == """#, #"tenant in [""]"#] {
            let filter = try MetadataFilter(text)
            #expect(filter.text == #"tenant == """#)
            #expect(filter.matches(Self.entry("tenant", .string(""))))
            #expect(!filter.matches(Self.entry("tenant", .string("acme"))))
            #expect(!filter.matches([]))
        }
        for filter in [try MetadataFilter(#"tags contains """#), MetadataFilter.anyOf(tags: [""])] {
            #expect(filter.matches(Self.entry("tags", .strings([""]))))
            #expect(!filter.matches(Self.entry("tags", .strings(["a"]))))
            #expect(!filter.matches(Self.entry("tags", .strings([]))))
            #expect(!filter.matches([]))
        }
    }

    @Test(arguments: [
        "*", "lang == *", "lang == null", "lang == other", "lang =~ \"d.\"", "lang ~ \"d\"", "lang like \"d%\"",
        "lang startswith \"d\"", "lang not in [\"de\"]", "lang is null", "true", "1 == 1", "lang == 'de'", "a.b == 1",
        "@tenant:{acme}", "a == 1 AND b", "!a", "a || b", "a; b", "a == 1 -- b", "a == (1)", "a + 1 == 2", "f(a)",
        "contains(a)", "any", "tags contains all [\"a\"]", "a == b == c", "a in (1, 2)", "a == [1]", "$and", "{}",
    ])
    func `pitfall 3: what the language does not have is an error`(text: String) {
        #expect { try MetadataFilter(text) } throws: {
            ($0 as? CacheError)?.code == .invalidArgument && ($0 as? CacheError)?.field == "filter"
        }
    }

    @Test func `pitfall 16: zero is a number like any other, and nothing is rounded`() throws {
        let zero = try MetadataFilter("score == 0")
        #expect(zero.matches(Self.entry("score", .number(0))))
        #expect(zero.matches(Self.entry("score", .number(-0.0))))
        #expect(!zero.matches(Self.entry("score", .number(.leastNonzeroMagnitude))))
        #expect(!zero.matches([]))
        let threshold = try MetadataFilter("score >= 0.8049")
        #expect(threshold.matches(Self.entry("score", .number(0.8049))))
        #expect(!threshold.matches(Self.entry("score", .number(0.8049.nextDown))))
        #expect(!threshold.matches(Self.entry("score", .string("0.9"))))
    }

    @Test(arguments: [
        (#"lang == "de" and tier in ["gold","silver"] and score >= 0.8"#),
        (#"score>=8e-1 and (tier in ["silver", "gold", "gold"] and lang=="de")"#),
        (#"`score` >= 0.80 and not not lang == "\u{64}e" and tier in ["gold","silver"] and lang == "de""#),
    ])
    func `pitfall 26: order and spelling do not make another filter`(text: String) throws {
        let filter = try MetadataFilter(text)
        #expect(filter.text == #"lang == "de" and score >= 0.8 and tier in ["gold", "silver"]"#)
        #expect(Set([filter, try MetadataFilter(filter.text)]).count == 1)
    }

    @Test func `a missing attribute and one of another type compare false, and not turns that round`() throws {
        let others: [[Attribute]] = [
            [], Self.entry("Lang", .string("fr")), Self.entry("lang", .number(1)), Self.entry("lang", .boolean(true)),
            Self.entry("lang", .strings(["de"])),
        ]
        for comparison in ["==", "!=", "<", "<=", ">", ">="] {
            let filter = try MetadataFilter("lang \(comparison) \"de\"")
            let negated = try MetadataFilter("not (lang \(comparison) \"de\")")
            for entry in others {
                #expect(!filter.matches(entry))
                #expect(negated.matches(entry))
            }
        }
        #expect(!(try MetadataFilter("beta")).matches(Self.entry("beta", .string("true"))))
        #expect(try !MetadataFilter("beta == false").matches([]))
        #expect(try MetadataFilter("not beta").matches([]))
        #expect(try MetadataFilter("exists(tags)").matches(Self.entry("tags", .strings([]))))
    }

    @Test func `strings are in the order of their bytes`() throws {
        // As characters U+FF5E comes before U+1F600 in UTF-8, and after it in UTF-16.
        let filter = try MetadataFilter("lang > \"\u{ff5e}\"")
        #expect(filter.matches(Self.entry("lang", .string("\u{1f600}"))))
        #expect(!filter.matches(Self.entry("lang", .string("z"))))
        #expect(try MetadataFilter("lang < \"\u{e9}\"").matches(Self.entry("lang", .string("e\u{301}"))))
    }

    @Test func `the most tags with the longest of names are one filter`() {
        let longest = String(repeating: "x", count: Limits.maximumAttributeStringBytes - 4)
        let tags = (0..<Limits.maximumFilterTags).map { "\($0)-" + longest }
        let filter = MetadataFilter.anyOf(tags: tags)
        #expect(filter == .anyOf(tags: tags.reversed() + []))
        for tag in tags { #expect(filter.matches(Self.entry("tags", .strings(["y", tag])))) }
        #expect(!filter.matches(Self.entry("tags", .strings([longest]))))
        #expect(!filter.matches(Self.entry("tag", .strings(tags))))
    }
}
