// SPDX-License-Identifier: Apache-2.0

/// Reads the words of a question into a ``Wording``.
struct WordingReader {
    var wording = Wording()
    let lexicon = Lexicon.shared
    var languages = LanguageCount()
    /// A unit that stood before its number ("$5").
    var pendingUnit: UInt64 = 0

    mutating func read(_ question: QuestionWords) {
        wording.bytes.reserveCapacity(question.bytes.count + 16)
        wording.words.reserveCapacity(question.words.count + 4)
        wording.bytes.append(0x20)
        question.bytes.withUnsafeBufferPointer { bytes in
            for word in question.words {
                guard !isFull else {
                    wording.isTruncated = true
                    return
                }
                read(piece: UnsafeBufferPointer(rebasing: bytes[Int(word.start)..<Int(word.end)]))
            }
        }
    }

    /// Cuts a piece into letters, numbers and signs.
    private mutating func read(piece: UnsafeBufferPointer<UInt8>) {
        if piece.count == 1, Self.isJoint(piece[0]) {
            // Between numbers or names of one letter it is an operator, else a dash.
            if followsOperand { append(sign: piece, kind: .sign) }
            return
        }
        if QuestionWords.isOption(piece) {
            append(sign: piece, kind: .sign)
            return
        }
        var position = 0
        if piece[0] == UInt8(ascii: "."), piece.count <= 5, piece.dropFirst().allSatisfy(\.isLetter) {
            // ".net", ".csv"; but ".how" forgot a space.
            let name = lexicon.word(UnsafeBufferPointer(rebasing: piece[1...]))
            if name.role == .content { append(sign: UnsafeBufferPointer(rebasing: piece[..<1]), kind: .sign) }
        }
        while position < piece.count {
            let start = position
            let byte = piece[position]
            if byte.isDigit || isBeforeFraction(piece, position) {
                position = readNumber(piece, position)
            } else if let (unit, length) = Self.currency(piece, position) {
                position += length
                note(unit: unit, afterNumber: start > 0 || position == piece.count)
            } else if byte.isLetter {
                position = endOfLetters(piece, position)
                let isGenitive = start > 0 && piece[start - 1] == UInt8(ascii: "'")
                append(letters: UnsafeBufferPointer(rebasing: piece[start..<position]), isGenitive: isGenitive)
            } else if let unit = Self.unitSign(byte) {
                position += 1
                note(unit: unit, afterNumber: start > 0 || position == piece.count)
            } else if Self.isJoint(byte) {
                position += 1
                // "A-" and "f''" are not "a" and "f".
                let rest = UnsafeBufferPointer(rebasing: piece[start...])
                if start > 0, byte == UInt8(ascii: "-") || byte == UInt8(ascii: "'"), rest.allSatisfy({ $0 == byte }) {
                    position = piece.count
                    append(sign: rest, kind: .sign)
                }
            } else {
                while position < piece.count, !Self.isWordByte(piece[position]) { position += 1 }
                let sign = UnsafeBufferPointer(rebasing: piece[start..<position])
                append(sign: sign, kind: Self.isOperator(sign, of: piece, at: start) ? .sign : .none)
            }
        }
    }

    /// Whether a sign counts or tells names apart: "x^2", "c++", "<5". No mark beside a word does ("*note").
    private static func isOperator(
        _ sign: UnsafeBufferPointer<UInt8>, of piece: UnsafeBufferPointer<UInt8>, at start: Int
    ) -> Bool {
        guard sign.allSatisfy({ operators.contains($0) }) else { return false }
        if sign.count == piece.count || start == 1 { return true }
        let end = start + sign.count
        if start > 0,
            piece[start - 1].isDigit || sign.allSatisfy({ $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") })
        {
            return true
        }
        return end < piece.count && piece[end].isDigit && sign[0] != UInt8(ascii: "#")
    }

    private static let operators = Set("+*^=<>!()[]#/".utf8)

    private var followsOperand: Bool {
        guard let last = wording.words.last else { return false }
        return last.role == .number || last.length == 1 || last.kind == .sign
    }

    /// - Parameter afterNumber: It stands behind its number, if there is one: of "% 5" nobody knows.
    private mutating func note(unit: UInt64, afterNumber: Bool) {
        pendingUnit = unit
        if afterNumber, wording.words.last?.role == .number, wording.words.last?.unit == 0 { attachPendingUnit() }
        if unit == Self.percent { pendingUnit = 0 }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        byte.isDigit || byte.isLetter || isJoint(byte) || unitSign(byte) != nil
    }

    private static func isJoint(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "'"), UInt8(ascii: ","):
            true
        default: false
        }
    }

    private static let dollar = Stem.hash(Array("dollar".utf8))
    private static let percent = Stem.hash(Array("percent".utf8))

    private static func unitSign(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "$"): dollar
        case UInt8(ascii: "%"): percent
        default: nil
        }
    }

    static let euro = Stem.hash(Array("euro".utf8))
    private static let pound = Stem.hash(Array("pound".utf8))
    private static let yen = Stem.hash(Array("yen".utf8))

    /// A sign of currency beyond ASCII, and its length, bytes.
    static func currency(_ piece: UnsafeBufferPointer<UInt8>, _ position: Int) -> (unit: UInt64, length: Int)? {
        guard piece[position] >= 0x80, position + 1 < piece.count else { return nil }
        switch (piece[position], piece[position + 1]) {
        case (0xc2, 0xa3): return (pound, 2)
        case (0xc2, 0xa5): return (yen, 2)
        case (0xe2, 0x82): return position + 2 < piece.count && piece[position + 2] == 0xac ? (euro, 3) : nil
        default: return nil
        }
    }

    /// "-5", ".5" and "-.5".
    private func isBeforeFraction(_ piece: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
        guard position == 0, piece.count > 1 else { return false }
        if piece[0] == UInt8(ascii: ".") { return piece[1].isDigit }
        guard piece[0] == UInt8(ascii: "-") else { return false }
        return piece[1].isDigit || (piece.count > 2 && piece[1] == UInt8(ascii: ".") && piece[2].isDigit)
    }

    /// Letters, without the digits behind them ("covid19" is "covid 19"), and without "'s" and the dots of "u.s".
    private func endOfLetters(_ piece: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var end = start
        while end < piece.count, piece[end].isLetter, Self.currency(piece, end) == nil { end += 1 }
        return end
    }

    // MARK: Words

    mutating func append(letters: UnsafeBufferPointer<UInt8>, isGenitive: Bool = false) {
        // What is left of "card's" after the apostrophe.
        if isGenitive, letters.count == 1, letters[0] == UInt8(ascii: "s"), !wording.words.isEmpty { return }
        pendingUnit = 0
        languages.note(WordHash.of(letters))
        let word = lexicon.word(letters)
        if let numeral = lexicon.romanNumerals[word.exact] {
            append(number: numeral, letters)
            return
        }
        if word.kind == .unit { setUnitOfLast(word.key) }
        if let factor = lexicon.factors[word.exact], let last = wording.words.last, last.role == .number {
            scaleLast(last.number * factor)
            return
        }
        if append(word, letters) { foldPhrase() }
    }

    private static let meanings: [UInt8: UInt64] = [
        UInt8(ascii: "+"): Stem.hash(Array("plus".utf8)), UInt8(ascii: "-"): Stem.hash(Array("minus".utf8)),
        UInt8(ascii: "*"): Stem.hash(Array("times".utf8)), UInt8(ascii: "/"): Stem.hash(Array("divided".utf8)),
    ]

    private mutating func append(sign: UnsafeBufferPointer<UInt8>, kind: WordKind) {
        let hash = WordHash.of(sign)
        let key = sign.count == 1 ? Self.meanings[sign[0]] ?? hash : hash
        append(Wording.Word(key: key, exact: hash, role: .content, kind: kind, idf: Rarity.ofUnknown), sign)
    }

    private var isFull: Bool {
        wording.words.count >= Wording.maximumWords || wording.bytes.count >= Wording.maximumBytes
    }

    /// A piece may be several words ("$5kg"), so that the limit is looked at for each.
    ///
    /// - Returns: Whether there was room.
    @discardableResult
    mutating func append(_ word: Wording.Word, _ letters: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !isFull else {
            wording.isTruncated = true
            return false
        }
        var word = word
        word.start = UInt16(clamping: wording.bytes.count)
        word.length = UInt16(clamping: letters.count)
        wording.bytes.append(contentsOf: letters)
        wording.bytes.append(0x20)
        wording.words.append(word)
        return true
    }

    /// Two words that name one thing ("new york", "cash machine") are one.
    private mutating func foldPhrase() {
        guard wording.words.count > 1 else { return }
        let first = wording.words[wording.words.count - 2]
        let second = wording.words[wording.words.count - 1]
        guard first.role != .number, second.role != .number,
            let whole = lexicon.phrases[Lexicon.pair(first.exact, second.exact)]
        else {
            return
        }
        wording.words.removeLast()
        var folded = whole
        folded.start = first.start
        folded.length = second.start + second.length - first.start
        wording.words[wording.words.count - 1] = folded
    }
}
