// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@Suite struct CanonicalPromptTests {
    @Test(arguments: [
        ("How do I reset it?", "How do I reset it?"),
        ("  How do\t I\r\n\nreset it? ", "How do I reset it?"),
        ("a\u{a0}\u{2003}b", "a b"),
        ("e\u{301}tude", "\u{e9}tude"),
        ("\u{1100}\u{1161}", "\u{ac00}"),
        ("CASE is Kept", "CASE is Kept"),
        ("a", "a"),
        ("\u{85}x\u{2028}", "x"),
    ])
    func `a prompt is folded, trimmed and composed`(given: String, canonical: String) throws {
        // Compared as bytes: `==` of strings is already up to canonical equivalence.
        #expect(try Array(CanonicalPrompt(given).text.utf8) == Array(canonical.utf8))
    }

    @Test(arguments: ["", " ", "\t\n", "\u{a0}\u{2003}"])
    func `an empty prompt is refused`(given: String) {
        #expect { try CanonicalPrompt(given) } throws: { ($0 as? CacheError)?.message == "prompt is empty" }
    }

    @Test func `a NUL inside a prompt is refused, not cut`() {
        #expect { try CanonicalPrompt("ac\0me") } throws: { ($0 as? CacheError)?.field == "prompt" }
    }

    @Test(arguments: [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x61, 0xe2, 0x82]] as [[UInt8]])
    func `bytes that are not UTF-8 are refused`(bytes: [UInt8]) {
        #expect {
            try bytes.withUnsafeBytes { bytes throws(CacheError) in try CanonicalPrompt(bytes) }
        } throws: { ($0 as? CacheError)?.message == "prompt is not valid UTF-8" }
    }

    @Test func `the limit is in bytes and inclusive`() throws {
        let longest = String(repeating: "a", count: Limits.maximumPromptBytes)
        #expect(try CanonicalPrompt(longest).text == longest)
        #expect { try CanonicalPrompt(longest + "a") } throws: {
            ($0 as? CacheError)?.message == "prompt has 65537 bytes, the limit is 65536"
        }
    }

    @Test func `folding again changes nothing`() throws {
        var random = SystemRandomNumberGenerator()
        let alphabet: [Unicode.Scalar] = [
            "a", " ", "\t", "e", "\u{301}", "\u{a0}", "\u{1100}", "\u{1161}", "\u{fb01}", "\u{323}",
        ]
        for _ in 0..<2000 {
            var given = "x"
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                given.unicodeScalars.append(alphabet.randomElement(using: &random)!)
            }
            let once = try CanonicalPrompt(given)
            #expect(try Array(CanonicalPrompt(once.text).text.utf8) == Array(once.text.utf8))
        }
    }
}
