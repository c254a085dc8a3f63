// SPDX-License-Identifier: Apache-2.0

/// The words of a question, folded: what both the embedding text and comparisons are made of.
struct QuestionWords {
    struct Word {
        var start: Int32
        var end: Int32
        /// A stop, a comma, a colon or a dash stands behind it.
        var isFollowedByPause = false
        /// A stop or a comma does.
        var isFollowedByStop = false
        /// Was written as a word of tens ("twenty"), so that a word of ones may be added.
        var isTens = false
    }

    /// The words, a space between each.
    private(set) var bytes: [UInt8] = []
    private(set) var words: [Word] = []
    /// A single quotation mark is open.
    private var isQuoting = false

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

    /// Reads pieces between spaces and signs that never are part of a word.
    private mutating func readLowered(_ given: UnsafeBufferPointer<UInt8>) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(1, given.count)) { piece in
            var length = 0
            var isQuoting = false
            func keep(_ byte: UInt8) {
                piece[length] = byte
                length += 1
            }
            func end() {
                guard length > 0 else { return }
                append(piece: UnsafeBufferPointer(rebasing: piece[..<length]))
                length = 0
            }
            var read = 0
            for position in given.indices where position >= read {
                let byte = given[position]
                if length == 0, isIntroducing, let mark = Self.loneMark(given, position) {
                    append(word: UnsafeBufferPointer(rebasing: given[mark]))
                    read = mark.upperBound
                    continue
                }
                switch byte {
                case 0x41...0x5a: keep(byte | 0x20)
                case 0...0x20, 0x7f, UInt8(ascii: "{"): end()
                case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: ")"), UInt8(ascii: "]"):
                    end()
                    if byte == UInt8(ascii: ")") || byte == UInt8(ascii: "]") { notePause() }
                    if Self.isOfFormula(given, position) {
                        append(word: UnsafeBufferPointer(rebasing: given[position...position]))
                    }
                case UInt8(ascii: "\""):
                    // Behind a number, and nothing to close: inches.
                    if !isQuoting, position > 0, given[position - 1].isDigit {
                        keep(byte)
                    } else {
                        isQuoting.toggle()
                        end()
                    }
                case UInt8(ascii: "}"), UInt8(ascii: ";"), UInt8(ascii: "?"):
                    end()
                    notePause()
                case UInt8(ascii: "!"):
                    // "!=" is an operator, and "5!" and "n!" are factorials.
                    let isUnequal = position + 1 < given.count && given[position + 1] == UInt8(ascii: "=")
                    if isUnequal || Self.isNumber(UnsafeBufferPointer(rebasing: piece[..<length])) {
                        keep(byte)
                    } else {
                        end()
                        notePause()
                    }
                case UInt8(ascii: ","):
                    if Self.isThousandsSeparator(given, position) { continue }
                    end()
                    notePause()
                default: keep(byte == UInt8(ascii: "`") ? UInt8(ascii: "'") : byte)
                }
            }
            end()
        }
    }

    private var isIntroducing: Bool { words.last.map { Self.introducing.contains(hash(of: $0)) } ?? false }

    private mutating func notePause(isStop: Bool = true) {
        guard !words.isEmpty else { return }
        words[words.count - 1].isFollowedByPause = true
        if isStop { words[words.count - 1].isFollowedByStop = true }
    }

    /// Takes off signs around a piece, and appends the words that it stands for.
    mutating func append(piece: UnsafeBufferPointer<UInt8>) {
        if piece.count == 1, piece[0] == UInt8(ascii: "-") || piece[0] == UInt8(ascii: ":") {
            // "10 - 2" and "10 : 2"; a dash at an end goes with the polite words.
            notePause(isStop: false)
            append(word: piece)
            return
        }
        var start = 0
        var end = piece.count
        while start < end, Self.isSign(piece[start]), !Self.beginsWord(piece, start) {
            if piece[start] == UInt8(ascii: "'") { isQuoting = true }
            start += 1
        }
        if start > 0, piece[start - 1] != UInt8(ascii: "'") {
            notePause(isStop: piece[..<start].contains(UInt8(ascii: ".")))
        }
        while end > start, Self.isSign(piece[end - 1]) {
            let isQuote = piece[end - 1] == UInt8(ascii: "'")
            if !(isQuote && isQuoting), Self.endsWord(piece[start..<end]) { break }
            if isQuote { isQuoting = false }
            end -= 1
        }
        guard start < end else { return }
        let word = UnsafeBufferPointer(rebasing: piece[start..<end])
        if Self.isOption(word) || !appendSpeltOut(word) { append(word: word) }
        if end < piece.count, piece[end] != UInt8(ascii: "'") {
            notePause(isStop: piece[end...].contains(UInt8(ascii: ".")))
        }
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

    func hash(_ index: Int) -> UInt64 { hash(of: words[index]) }

    private func hash(of word: Word) -> UInt64 {
        bytes.withUnsafeBufferPointer {
            WordHash.of(UnsafeBufferPointer(rebasing: $0[Int(word.start)..<Int(word.end)]))
        }
    }
}
