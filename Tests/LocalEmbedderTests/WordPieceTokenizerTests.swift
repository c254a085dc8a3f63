// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import LocalEmbedder

/// One text and the ids that Hugging Face `tokenizers` gives it; written by Resources/tokenizer_parity.py.
struct TokenizerCase: Decodable, Sendable, CustomTestStringConvertible {
    let text: String
    let ids: [Int32]
    /// The trap of this case, in the hand-picked table only.
    let trap: Int?
    let why: String?

    var testDescription: String { "trap \(self.trap ?? 0): \(self.why ?? self.text)" }

    static func read(_ url: URL) throws -> [TokenizerCase] {
        let decoder = JSONDecoder()
        return try Data(contentsOf: url).split(separator: UInt8(ascii: "\n")).map {
            try decoder.decode(TokenizerCase.self, from: $0)
        }
    }

    static func handPicked() throws -> [TokenizerCase] {
        let url = try #require(
            Bundle.module.url(forResource: "tokenizer-cases", withExtension: "ndjson", subdirectory: "Resources"))
        return try Self.read(url)
    }
}

@Suite struct WordPieceTokenizerTests {
    let tokenizer: WordPieceTokenizer

    init() throws {
        let folder = try #require(
            ProcessInfo.processInfo.environment["SEMCACHED_TEST_MODEL"],
            "set SEMCACHED_TEST_MODEL to the folder that deploy/model prints")
        self.tokenizer = try WordPieceTokenizer(vocabularyFile: folder + "/vocab.txt")
    }

    @Test(arguments: 1...9) func `each trap has its cases and they give the ids of the reference`(trap: Int) throws {
        let cases = try TokenizerCase.handPicked().filter { $0.trap == trap }
        #expect(!cases.isEmpty)
        for item in cases {
            #expect(self.tokenizer.encode(item.text) == item.ids, "\(item.testDescription)")
        }
    }

    @Test func `many thousand texts give the ids of the reference`() throws {
        let path = try #require(
            ProcessInfo.processInfo.environment["SEMCACHED_TEST_TOKENIZER_CASES"],
            "set SEMCACHED_TEST_TOKENIZER_CASES to a file written by Resources/tokenizer_parity.py; deploy/test does")
        let cases = try TokenizerCase.read(URL(fileURLWithPath: path))
        #expect(cases.count >= 10_000)
        let wrong = cases.filter { self.tokenizer.encode($0.text) != $0.ids }
        #expect(wrong.isEmpty, "\(wrong.count) of \(cases.count) differ")
        for item in wrong.prefix(5) {
            Issue.record("\(item.text.unicodeScalars.prefix(60).map { String($0.value, radix: 16) })")
        }
    }

    @Test(arguments: [0, 1, 253, 254, 255, 5000])
    func `a text has at most 256 ids and ends in its separator`(words: Int) {
        let ids = self.tokenizer.encode(String(repeating: "word ", count: words))
        #expect(ids == [101] + [Int32](repeating: 2773, count: min(words, 254)) + [102])
    }

    @Test func `a word of many pieces is cut where the ids end`() {
        let word = String(repeating: "x", count: 100)
        let pieces = self.tokenizer.encode(word).dropFirst().dropLast()
        #expect(pieces.count > 4)
        let ids = self.tokenizer.encode(String(repeating: "word ", count: 250) + word)
        #expect(ids.count == 256)
        #expect(ids[251..<255].elementsEqual(pieces.prefix(4)))
        #expect(ids.last == 102)
    }

    @Test func `canonically equal words get the ids of their own bytes`() {
        // As strings these are equal; the vocabulary knows the Jamo only.
        let syllable = self.tokenizer.encode("\u{D55C}")
        #expect(syllable == self.tokenizer.encode("\u{1112}\u{1161}\u{11AB}"))
        #expect(syllable.count == 5)
    }

    @Test func `arbitrary bytes never trap and give ids of the vocabulary`() {
        var random = SystemRandomNumberGenerator()
        for round in 0..<3000 {
            let leads: [UInt8] = [0xC2, 0xE1, 0xED, 0xF0, 0xF4, 0xFF, 0x80, 0xBF, 0x5B, 0x41]
            let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                round % 2 == 0 ? UInt8.random(in: 0...255, using: &random) : leads.randomElement(using: &random)!
            }
            let ids = self.tokenizer.encode(utf8: bytes.span)
            #expect(ids.first == 101 && ids.last == 102 && (2...256).contains(ids.count), "\(bytes)")
            #expect(ids.allSatisfy { (0..<30522).contains($0) }, "\(bytes)")
        }
    }

    private static let malformed: [[UInt8]] = [
        [0xC3], [0xE1, 0x80], [0xF0, 0x9F, 0x98], [0x80], [0xFF], [0xC1, 0x81], [0xED, 0xA0, 0x80],
        [0xF4, 0x90, 0x80, 0x80],
    ]

    @Test(arguments: Self.malformed)
    func `malformed bytes are dropped and words join`(bytes: [UInt8]) {
        let text = Array("foo".utf8) + bytes + Array("bar".utf8)
        #expect(self.tokenizer.encode(utf8: text.span) == self.tokenizer.encode("foobar"))
        #expect(self.tokenizer.encode(utf8: (Array("foo".utf8) + bytes).span) == self.tokenizer.encode("foo"))
    }
}

@Suite struct VocabularyTests {
    private func makeVocabulary(_ lines: String) throws -> Vocabulary { try Vocabulary(Array(lines.utf8)) }

    private func id(_ piece: String, _ position: Vocabulary.Position, in vocabulary: Vocabulary) -> Int32? {
        let bytes = Array(piece.utf8)
        let hash = bytes.reduce(Vocabulary.hash(at: position)) { Vocabulary.hash($0, adding: $1) }
        return vocabulary.id(of: bytes.span, hash: hash, at: position)
    }

    @Test func `a token is found by its line and position in a word only`() throws {
        let vocabulary = try self.makeVocabulary("a\nb\n##a\nab\n#\n##\n")
        #expect(vocabulary.count == 6)
        #expect(self.id("a", .first, in: vocabulary) == 0)
        #expect(self.id("a", .continuation, in: vocabulary) == 2)
        #expect(self.id("b", .continuation, in: vocabulary) == nil)
        #expect(self.id("ab", .first, in: vocabulary) == 3)
        #expect(self.id("#", .first, in: vocabulary) == 4)
        #expect(self.id("abc", .first, in: vocabulary) == nil)
        #expect(vocabulary.longestToken == 2)
    }

    @Test func `every token of a random vocabulary is found and nothing else`() throws {
        var random = SystemRandomNumberGenerator()
        var tokens: [String: Int32] = [:]
        var lines: [String] = []
        for id in 0..<2000 {
            let length = Int.random(in: 1...3, using: &random)
            let letters = (0..<length).map { _ in "abcdefghij".randomElement(using: &random)! }
            lines.append(String(letters))
            tokens[String(letters)] = Int32(id)  // the last of equal lines counts
        }
        let vocabulary = try self.makeVocabulary(lines.joined(separator: "\r\n"))
        for first in 0..<1000 {
            let piece = String(String(first).map { "abcdefghij".dropFirst($0.wholeNumberValue!).first! })
            #expect(self.id(piece, .first, in: vocabulary) == tokens[piece])
            #expect(self.id(piece, .continuation, in: vocabulary) == nil)
        }
    }

    @Test func `an oversized token is refused with its line`() {
        let lines = "a\n" + String(repeating: "b", count: 129) + "\n"
        let error = #expect(throws: ModelError.self) { try self.makeVocabulary(lines) }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("line 2") == true)
    }

    @Test func `an empty vocabulary finds nothing`() throws {
        let vocabulary = try self.makeVocabulary("")
        #expect(vocabulary.count == 0)
        #expect(self.id("a", .first, in: vocabulary) == nil)
    }
}
