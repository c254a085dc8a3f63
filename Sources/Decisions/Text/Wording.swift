// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// What comparisons need of one text, read once: words with their stems, numbers, negations, the type of question, and
/// how rare each word is.
package struct Wording: Sendable {
    /// Words that are read; of a longer text the rest takes no part in comparisons.
    package static let maximumWords = 256
    /// Letters that are kept for comparing spellings, bytes.
    static let maximumBytes = 4096

    /// The text has more words or bytes than are read.
    package internal(set) var isTruncated = false
    /// Of a truncated text: the hash of the whole of it.
    var whole: UInt64 = 0
    /// Words that negate.
    package internal(set) var negations = 0
    package internal(set) var questionType: QuestionType?

    /// The words' letters, a space between each, one at both ends.
    var bytes: [UInt8] = []
    var words: [Word] = []
    /// The different triples of bytes, ascending.
    var trigrams: [UInt32] = []

    struct Word: Sendable {
        /// What is compared: of the stem, of the unit's common name, of a number's value.
        var key: UInt64
        /// Of the word as it is written.
        var exact: UInt64
        /// Where it is in ``Wording/bytes``. A number's is empty.
        var start: UInt16 = 0
        var length: UInt16 = 0
        var role: Role
        var kind: WordKind = .none
        /// Inverse document frequency, natural logarithm: 0 for what every question has, up to ``Rarity/ofUnknown``.
        var idf: Float = 0
        var opposites: Opposites.Group = 0
        var synonyms: Synonyms.Range = .none
        /// Of a number: its unit's key, 0 if it has none.
        var unit: UInt64 = 0
        var number: Double = 0
        /// Of a number: the sign between it and what stands before it without a space ("3/4"), 0 if there is none.
        var joint: UInt8 = 0
    }

    enum Role: UInt8, Sendable {
        case content, function, negation, number
    }

    /// Reads the tables of words, which the first wording would do otherwise: some milliseconds, once.
    package static func prepare() {
        _ = Wording("prepare")
        _ = Synonyms.shared
    }

    /// Reads a prompt; its embedding text is made on the way.
    package init(_ prompt: CanonicalPrompt) {
        if let words = QuestionWords(prompt.text) {
            self.init(words)
            if isTruncated { whole = WordHash.of(words.text.utf8) }
        } else {
            self.init(QuestionWords(Self.beginning(of: prompt.text)))
            isTruncated = true
            whole = WordHash.of(prompt.text.lowercased().utf8)
        }
    }

    init(_ text: String) {
        self.init(QuestionWords(text))
    }

    private init(_ words: QuestionWords?) {
        var reader = WordingReader()
        if let words { reader.read(words) }
        self = reader.finished()
    }

    init() {}

    /// As much as is folded word by word, up to a space if there is one.
    private static func beginning(of text: String) -> String {
        let bytes = text.utf8.prefix(QuestionText.longestFoldedBytes)
        let end = bytes.lastIndex(of: 0x20) ?? bytes.endIndex
        // A character that was cut becomes longer by being repaired: leave room.
        return String(decoding: bytes[..<end].prefix(QuestionText.longestFoldedBytes - 8), as: UTF8.self)
    }

    func letters(_ word: Word, _ body: (UnsafeBufferPointer<UInt8>) -> Bool) -> Bool {
        bytes.withUnsafeBufferPointer {
            body(UnsafeBufferPointer(rebasing: $0[Int(word.start)..<Int(word.start + word.length)]))
        }
    }
}
