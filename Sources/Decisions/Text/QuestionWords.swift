// SPDX-License-Identifier: Apache-2.0

/// The words of a question, folded: what both the embedding text and comparisons are made of.
struct QuestionWords {
    struct Word {
        var start: Int32
        var end: Int32
        /// A stop or comma stands behind it.
        var isFollowedByPause = false
        /// Was written as a word of tens ("twenty"), so that a word of ones may be added.
        var isTens = false
    }

    /// The words, a space between each.
    private(set) var bytes: [UInt8] = []
    private(set) var words: [Word] = []

    var isEmpty: Bool { words.isEmpty }

    var text: String {
        guard let first = words.first, let last = words.last else { return "" }
        return String(decoding: bytes[Int(first.start)..<Int(last.end)], as: UTF8.self)
    }

    /// - Returns: nil for a text of more than ``QuestionText/longestFoldedBytes``.
    init?(_ text: String) {
        var text = text
        guard text.utf8.count <= QuestionText.longestFoldedBytes else { return nil }
        let isASCII = text.withUTF8 { utf8 in
            guard !utf8.contains(where: { $0 >= 0x80 }) else { return false }
            bytes.reserveCapacity(utf8.count + 16)
            words.reserveCapacity(utf8.count / 4 + 4)
            readLowered(utf8)
            return true
        }
        if !isASCII {
            Self.plain(text).withUnsafeBufferPointer { readLowered($0) }
        }
        PoliteWords.shared.trim(&self)
    }

    /// Lower case, with typographic signs as their ASCII ones.
    private static func plain(_ text: String) -> [UInt8] {
        var plain: [UInt8] = []
        for scalar in text.lowercased().unicodeScalars {
            switch scalar.value {
            case ..<0x80: plain.append(UInt8(scalar.value))
            case 0x2018, 0x2019, 0x201b, 0xb4, 0x2bc, 0x2032: plain.append(UInt8(ascii: "'"))
            case 0x2010...0x2015, 0x2212: plain.append(UInt8(ascii: "-"))
            default:
                switch scalar.properties.generalCategory {
                case .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation, .otherPunctuation:
                    plain.append(UInt8(ascii: ";"))
                case .control, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator:
                    // A joiner of emoji is part of them.
                    if scalar.value == 0x200d { fallthrough }
                    plain.append(UInt8(ascii: " "))
                default: plain.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
                }
            }
        }
        return plain
    }

    /// Reads pieces between spaces and signs that never are part of a word.
    private mutating func readLowered(_ given: UnsafeBufferPointer<UInt8>) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(1, given.count)) { piece in
            var length = 0
            func end() {
                guard length > 0 else { return }
                append(piece: UnsafeBufferPointer(rebasing: piece[..<length]))
                length = 0
            }
            for position in given.indices {
                let byte = given[position]
                switch byte {
                case 0x41...0x5a:
                    piece[length] = byte | 0x20
                    length += 1
                case 0...0x20, 0x7f, UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "\""):
                    end()
                case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ";"), UInt8(ascii: "?"):
                    end()
                    notePause()
                case UInt8(ascii: "!"):
                    // "!=" is an operator.
                    guard position + 1 < given.count, given[position + 1] == UInt8(ascii: "=") else {
                        end()
                        notePause()
                        continue
                    }
                    piece[length] = byte
                    length += 1
                case UInt8(ascii: ","):
                    if Self.isThousandsSeparator(given, position) { continue }
                    end()
                    notePause()
                case UInt8(ascii: "`"):
                    piece[length] = UInt8(ascii: "'")
                    length += 1
                default:
                    piece[length] = byte
                    length += 1
                }
            }
            end()
        }
    }

    private mutating func notePause() {
        guard !words.isEmpty else { return }
        words[words.count - 1].isFollowedByPause = true
    }

    /// A comma between digits with three digits, and no more, behind it.
    private static func isThousandsSeparator(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
        guard position > 0, position + 3 < text.count, text[position - 1].isDigit else { return false }
        guard text[(position + 1)...(position + 3)].allSatisfy(\.isDigit) else { return false }
        return position + 4 == text.count || !text[position + 4].isDigit
    }

    /// Takes off signs around a piece, and appends the words that it stands for.
    mutating func append(piece: UnsafeBufferPointer<UInt8>) {
        func isSign(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "'")
                || byte == UInt8(ascii: "-")
        }
        var start = 0
        var end = piece.count
        while start < end, isSign(piece[start]) {
            // "-5" and ".5" are numbers.
            let isOfNumber =
                start + 1 < end && piece[start + 1].isDigit
                && (piece[start] == UInt8(ascii: "-") || piece[start] == UInt8(ascii: "."))
            if isOfNumber { break }
            start += 1
        }
        if start > 0, piece[start - 1] != UInt8(ascii: "'") { notePause() }
        while end > start, isSign(piece[end - 1]) { end -= 1 }
        guard start < end else { return }
        let word = UnsafeBufferPointer(rebasing: piece[start..<end])
        if !appendSpeltOut(word) { append(word: word) }
        if end < piece.count, piece[end] != UInt8(ascii: "'") { notePause() }
    }

    mutating func append(word: UnsafeBufferPointer<UInt8>) {
        if !words.isEmpty { bytes.append(0x20) }
        let start = Int32(bytes.count)
        bytes.append(contentsOf: word)
        words.append(Word(start: start, end: Int32(bytes.count)))
    }

    mutating func append(number: Int, isTens: Bool) {
        var digits = String(number)
        digits.withUTF8 { append(word: $0) }
        words[words.count - 1].isTens = isTens
    }

    /// Takes the last word away.
    mutating func removeLast() {
        guard let last = words.popLast() else { return }
        bytes.removeSubrange(max(0, Int(last.start) - (words.isEmpty ? 0 : 1))...)
    }

    mutating func keep(_ range: Range<Int>) { words = Array(words[range]) }

    func hash(_ index: Int) -> UInt64 {
        bytes.withUnsafeBufferPointer {
            WordHash.of(UnsafeBufferPointer(rebasing: $0[Int(words[index].start)..<Int(words[index].end)]))
        }
    }
}
