// SPDX-License-Identifier: Apache-2.0

/// Turns text into the token ids of a BERT uncased model, equal to Hugging Face `tokenizers` id for id.
///
/// Immutable and free of locks: one value serves all threads. One pass over the bytes; a text is read only until its
/// ids are full, so that a long text costs hardly more than a short one.
package struct WordPieceTokenizer: Sendable {
    /// Bounds the ids of one text: `[CLS]`, at most 254 pieces, `[SEP]`.
    package static let maximumTokens = 256

    /// Counts the tokens of the vocabulary; all ids are in `0..<vocabularyCount`.
    package var vocabularyCount: Int { self.vocabulary.count }

    private let vocabulary: Vocabulary
    private let table = UnicodeTable()
    private let specials: [Special]
    private let classification: Int32
    private let separator: Int32
    private let unknown: Int32

    /// A token that is recognised as it is written, before anything is normalised.
    private struct Special {
        let text: StaticString
        let id: Int32
    }

    /// Reads a vocab.txt.
    ///
    /// - Throws: ``ModelError`` with `.missing` when there is no such file, `.damaged` when it cannot be read, and
    ///   `.unsupported` when it is too large or lacks one of the special tokens.
    package init(vocabularyFile path: String) throws(ModelError) {
        let file = try ModelFile(opening: path)
        let vocabulary = try Vocabulary(file.readAll(atMost: 16 << 20))
        var specials: [Special] = []
        for text: StaticString in ["[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"] {
            guard let id = vocabulary.id(of: text) else {
                throw ModelError(.unsupported, "\(path) has no \(text) token: it is not the vocabulary of a BERT model")
            }
            specials.append(Special(text: text, id: id))
        }
        self.vocabulary = vocabulary
        self.classification = specials[0].id
        self.separator = specials[1].id
        self.unknown = specials[2].id
        self.specials = specials
    }

    /// Returns the ids of a text: `[CLS]`, its pieces, `[SEP]`; 2 to ``maximumTokens`` of them.
    package func encode(_ text: String) -> [Int32] {
        var text = text
        return text.withUTF8 { self.encode(utf8: $0.span) }
    }

    /// Returns the ids of a text in UTF-8; malformed bytes are dropped, as U+FFFD is.
    package func encode(utf8 text: Span<UInt8>) -> [Int32] {
        var ids: [Int32] = []
        ids.reserveCapacity(min(text.count + 2, Self.maximumTokens))
        ids.append(self.classification)
        var word = WordBuffer()
        var position = 0
        while position < text.count, ids.count < Self.maximumTokens - 1 {
            let byte = text[position]
            if byte &- UInt8(ascii: "a") < 26 {
                word.append(ascii: byte)
                position += 1
            } else if byte == UInt8(ascii: " ") {
                self.finish(&word, into: &ids)
                position += 1
            } else if byte == UInt8(ascii: "["), let special = self.special(at: position, of: text) {
                self.finish(&word, into: &ids)
                ids.append(special.id)
                position += special.text.utf8CodeUnitCount
            } else {
                self.takeScalar(at: &position, of: text, word: &word, ids: &ids)
            }
        }
        self.finish(&word, into: &ids)
        // The last word may have more pieces than fit.
        if ids.count > Self.maximumTokens - 1 { ids.removeLast(ids.count - Self.maximumTokens + 1) }
        ids.append(self.separator)
        return ids
    }

    /// Normalises the scalar at a position and moves past it.
    @inline(__always)
    private func takeScalar(
        at position: inout Int, of text: Span<UInt8>, word: inout WordBuffer, ids: inout [Int32]
    ) {
        let start = position
        let codePoint = Self.decode(text, at: &position)
        switch self.table.action(of: codePoint) {
        case .keep:
            word.append(text, in: start..<position, scalars: 1)
        case .drop:
            break
        case .space:
            self.finish(&word, into: &ids)
        case .isolate:
            self.finish(&word, into: &ids)
            word.append(text, in: start..<position, scalars: 1)
            self.finish(&word, into: &ids)
        case .hangul:
            word.append(hangul: codePoint)
        case .replace(let replacement):
            if replacement.isIsolated { self.finish(&word, into: &ids) }
            let first = Int(replacement.start)
            let range = first..<first + Int(replacement.length)
            word.append(self.table.replacementBytes.span, in: range, scalars: Int(replacement.scalars))
            if replacement.isIsolated { self.finish(&word, into: &ids) }
        }
    }

    private func special(at position: Int, of text: Span<UInt8>) -> Special? {
        for special in self.specials {
            let length = special.text.utf8CodeUnitCount
            guard length <= text.count - position else { continue }
            let isEqual = special.text.withUTF8Buffer { bytes in
                bytes.indices.allSatisfy { bytes[$0] == text[position + $0] }
            }
            if isEqual { return special }
        }
        return nil
    }

    /// Appends the ids of the word and empties it.
    @inline(__always)
    private func finish(_ word: inout WordBuffer, into ids: inout [Int32]) {
        guard !word.isEmpty else { return }
        self.appendPieces(of: word, to: &ids)
        word.removeAll()
    }

    /// Cuts a word into the longest known pieces, from its start; a word with an unknown rest is one `[UNK]`.
    private func appendPieces(of word: borrowing WordBuffer, to ids: inout [Int32]) {
        if word.isTooLong {
            ids.append(self.unknown)
            return
        }
        let bytes = word.bytes.span.extracting(first: word.count)
        if let id = self.vocabulary.id(of: bytes, hash: word.hash, at: .first) {
            ids.append(id)
            return
        }
        let count = ids.count
        var start = 0
        while start < bytes.count {
            let position: Vocabulary.Position = start == 0 ? .first : .continuation
            guard let piece = self.longestPiece(of: bytes.extracting(start...), at: position) else {
                ids.removeLast(ids.count - count)
                ids.append(self.unknown)
                return
            }
            ids.append(piece.id)
            start += piece.length
        }
    }

    /// Finds the longest token that `text` starts with.
    private func longestPiece(of text: Span<UInt8>, at position: Vocabulary.Position) -> (id: Int32, length: Int)? {
        var hashes = InlineArray<128, UInt32>(repeating: 0)
        var length = min(text.count, self.vocabulary.longestToken, hashes.count)
        var hash = Vocabulary.hash(at: position)
        for index in 0..<length {
            hash = Vocabulary.hash(hash, adding: text[index])
            hashes[index] = hash
        }
        // A token is UTF-8, so that a match never ends within a scalar.
        while length > 0 {
            let piece = text.extracting(first: length)
            if let id = self.vocabulary.id(of: piece, hash: hashes[length - 1], at: position) { return (id, length) }
            length -= 1
        }
        return nil
    }

    /// Decodes the scalar at a position and moves past it; a malformed byte is U+FFFD.
    private static func decode(_ text: Span<UInt8>, at position: inout Int) -> UInt32 {
        let lead = text[position]
        position += 1
        if lead < 0x80 { return UInt32(lead) }
        let (more, smallest): (Int, UInt32)
        switch lead {
        case 0xC2...0xDF: (more, smallest) = (1, 0x80)
        case 0xE0...0xEF: (more, smallest) = (2, 0x800)
        case 0xF0...0xF4: (more, smallest) = (3, 0x10000)
        default: return 0xFFFD
        }
        guard more <= text.count - position else { return 0xFFFD }
        var scalar = UInt32(lead) & (0x3F >> UInt32(more))
        for index in position..<position + more {
            guard text[index] & 0xC0 == 0x80 else { return 0xFFFD }
            scalar = scalar << 6 | UInt32(text[index] & 0x3F)
        }
        guard scalar >= smallest, Unicode.Scalar(scalar) != nil else { return 0xFFFD }
        position += more
        return scalar
    }
}
