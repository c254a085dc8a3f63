// SPDX-License-Identifier: Apache-2.0

/// Reads the words of a question into a ``Wording``.
struct WordingReader {
    private var wording = Wording()
    private let lexicon = Lexicon.shared
    private var languages = LanguageCount()
    /// A unit that stood before its number ("$5").
    private var pendingUnit: UInt64 = 0

    mutating func read(_ question: QuestionWords) {
        wording.bytes.reserveCapacity(question.bytes.count + 16)
        wording.words.reserveCapacity(question.words.count + 4)
        wording.bytes.append(0x20)
        question.bytes.withUnsafeBufferPointer { bytes in
            for word in question.words {
                guard wording.words.count < Wording.maximumWords, wording.bytes.count < Wording.maximumBytes else {
                    wording.isTruncated = true
                    return
                }
                read(piece: UnsafeBufferPointer(rebasing: bytes[Int(word.start)..<Int(word.end)]))
            }
        }
    }

    /// Cuts a piece into letters, numbers and signs.
    private mutating func read(piece: UnsafeBufferPointer<UInt8>) {
        var position = 0
        while position < piece.count, wording.words.count < Wording.maximumWords {
            let start = position
            let byte = piece[position]
            if byte.isDigit || isBeforeFraction(piece, position) {
                position = readNumber(piece, position)
            } else if let (unit, length) = Self.currency(piece, position) {
                position += length
                note(unit: unit, afterNumber: start > 0)
            } else if byte.isLetter {
                position = endOfLetters(piece, position)
                append(letters: UnsafeBufferPointer(rebasing: piece[start..<position]))
            } else if let unit = Self.unitSign(byte) {
                position += 1
                note(unit: unit, afterNumber: start > 0)
            } else if Self.isJoint(byte) {
                position += 1
            } else {
                // Signs such as those of "c++" and "c#" tell words apart.
                while position < piece.count, !Self.isWordByte(piece[position]) { position += 1 }
                append(sign: UnsafeBufferPointer(rebasing: piece[start..<position]))
            }
        }
    }

    private mutating func note(unit: UInt64, afterNumber: Bool) {
        pendingUnit = unit
        if afterNumber, wording.words.last?.role == .number, wording.words.last?.unit == 0 { attachPendingUnit() }
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

    private static let euro = Stem.hash(Array("euro".utf8))
    private static let pound = Stem.hash(Array("pound".utf8))
    private static let yen = Stem.hash(Array("yen".utf8))

    /// A sign of currency beyond ASCII, and its length, bytes.
    private static func currency(_ piece: UnsafeBufferPointer<UInt8>, _ position: Int) -> (unit: UInt64, length: Int)? {
        guard piece[position] >= 0x80, position + 1 < piece.count else { return nil }
        switch (piece[position], piece[position + 1]) {
        case (0xc2, 0xa3): return (pound, 2)
        case (0xc2, 0xa5): return (yen, 2)
        case (0xe2, 0x82): return position + 2 < piece.count && piece[position + 2] == 0xac ? (euro, 3) : nil
        default: return nil
        }
    }

    private func isBeforeFraction(_ piece: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
        position == 0 && piece.count > 1 && piece[1].isDigit
            && (piece[0] == UInt8(ascii: "-") || piece[0] == UInt8(ascii: "."))
    }

    /// Letters, with digits behind them ("ww2"); without "'s", and without the dots of "u.s".
    private func endOfLetters(_ piece: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var end = start
        while end < piece.count, piece[end].isLetter || piece[end].isDigit, Self.currency(piece, end) == nil {
            end += 1
        }
        return end
    }

    // MARK: Words

    private mutating func append(letters: UnsafeBufferPointer<UInt8>) {
        // What is left of "card's" after the apostrophe.
        if letters.count == 1, letters[0] == UInt8(ascii: "s"), !wording.words.isEmpty { return }
        languages.note(WordHash.of(letters))
        let word = lexicon.word(letters)
        if word.kind == .unit, let last = wording.words.last, last.role == .number, last.unit == 0 {
            wording.words[wording.words.count - 1].unit = word.key
        }
        if let factor = lexicon.factors[word.exact], let last = wording.words.last, last.role == .number {
            scaleLast(last.number * factor)
            return
        }
        append(word, letters)
        if let digits = letters.firstIndex(where: \.isDigit), letters[digits...].allSatisfy(\.isDigit) {
            wording.words[wording.words.count - 1].number = value(UnsafeBufferPointer(rebasing: letters[digits...]))
        }
        foldPhrase()
    }

    private mutating func append(sign: UnsafeBufferPointer<UInt8>) {
        let hash = WordHash.of(sign)
        append(Wording.Word(key: hash, exact: hash, role: .content, idf: Rarity.ofUnknown), sign)
    }

    private mutating func append(_ word: Wording.Word, _ letters: UnsafeBufferPointer<UInt8>) {
        var word = word
        word.start = UInt16(clamping: wording.bytes.count)
        word.length = UInt16(clamping: letters.count)
        wording.bytes.append(contentsOf: letters)
        wording.bytes.append(0x20)
        wording.words.append(word)
    }

    /// Two words that name one thing ("new york", "cash machine") are one.
    private mutating func foldPhrase() {
        guard wording.words.count > 1 else { return }
        let first = wording.words[wording.words.count - 2]
        let second = wording.words[wording.words.count - 1]
        guard first.role != .number, let whole = lexicon.phrases[Lexicon.pair(first.exact, second.exact)] else {
            return
        }
        wording.words.removeLast()
        var folded = whole
        folded.start = first.start
        folded.length = second.start + second.length - first.start
        wording.words[wording.words.count - 1] = folded
    }

    // MARK: Numbers

    private mutating func readNumber(_ piece: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var end = start
        let isNegative = start == 0 && piece[start] == UInt8(ascii: "-")
        if isNegative { end += 1 }
        let digits = end
        while end < piece.count {
            let isPoint = piece[end] == UInt8(ascii: ".") && end + 1 < piece.count && piece[end + 1].isDigit
            guard piece[end].isDigit || isPoint else { break }
            end += 1
        }
        let number = value(UnsafeBufferPointer(rebasing: piece[digits..<end]))
        append(number: isNegative ? -number : number, UnsafeBufferPointer(rebasing: piece[start..<end]))
        let suffix = end
        while end < piece.count, piece[end].isLetter, Self.currency(piece, end) == nil { end += 1 }
        guard end > suffix else { return end }
        let letters = UnsafeBufferPointer(rebasing: piece[suffix..<end])
        switch WordHash.of(letters) {
        case Lexicon.ordinalEndings.0, Lexicon.ordinalEndings.1, Lexicon.ordinalEndings.2, Lexicon.ordinalEndings.3,
            Lexicon.decadeEnding:
            break
        case Lexicon.thousand: scaleLast((wording.words.last?.number ?? 0) * 1000)
        default: append(letters: letters)
        }
        return end
    }

    private mutating func append(number: Double, _ digits: UnsafeBufferPointer<UInt8>) {
        let hash = WordHash.of(number: number)
        var word = Wording.Word(key: hash, exact: hash, role: .number, idf: Rarity.ofNumber)
        word.number = number
        append(word, digits)
        attachPendingUnit()
    }

    private mutating func attachPendingUnit() {
        guard pendingUnit != 0, wording.words.last?.role == .number else { return }
        wording.words[wording.words.count - 1].unit = pendingUnit
        var unit = Wording.Word(key: pendingUnit, exact: pendingUnit, role: .content, kind: .unit)
        unit.idf = Rarity.ofNumber
        pendingUnit = 0
        // Beside its number, as if it had been written out.
        append(unit, UnsafeBufferPointer(start: nil, count: 0))
    }

    private mutating func scaleLast(_ value: Double) {
        let hash = WordHash.of(number: value)
        wording.words[wording.words.count - 1].key = hash
        wording.words[wording.words.count - 1].exact = hash
        wording.words[wording.words.count - 1].number = value
    }

    /// Digits with points between them. Of "1.2.3" every part counts.
    private func value(_ digits: UnsafeBufferPointer<UInt8>) -> Double {
        var value = 0.0
        var scale = 0.0
        for byte in digits {
            if byte.isDigit {
                value = value * 10 + Double(byte - 0x30)
                scale *= 10
            } else {
                scale = scale == 0 ? 1 : scale * 1e3
            }
        }
        return scale == 0 || !scale.isFinite ? value : value / scale
    }

    // MARK: The whole

    consuming func finished() -> Wording {
        let language = languages.likeliest
        for index in wording.words.indices where wording.words[index].role != .number {
            let exact = wording.words[index].exact
            if lexicon.isNegation(exact, in: language), language != .english || negates(index) {
                wording.words[index].role = .negation
                wording.negations += 1
            } else if language != .english, lexicon.isFunctionWord(exact, in: language) {
                wording.words[index].role = .function
            }
        }
        wording.questionType = QuestionType(wording.words)
        wording.trigrams = Self.trigrams(wording.bytes)
        return wording
    }

    private static let no = WordHash.of("no")
    private static let beforeNo = Set(
        ("is are was were be been has have had there get got getting make makes see with why receive show"
            as StaticString)
            .tableWords.map { WordHash.of($0) })

    private static let afterNo = Set(
        ("make wait sorry rather actually scratch uh um" as StaticString).tableWords.map { WordHash.of($0) })
    private static let not = WordHash.of("not")
    private static let or = WordHash.of("or")

    /// English "no" is often said without denying anything ("no, wait", "the first, no, the second"), and so is "or
    /// not".
    private func negates(_ index: Int) -> Bool {
        let word = wording.words[index].exact
        if word == Self.not { return index == 0 || wording.words[index - 1].exact != Self.or }
        guard word == Self.no else { return true }
        guard index > 0, index + 1 < wording.words.count, wording.words[index + 1].role == .content else {
            return false
        }
        return Self.beforeNo.contains(wording.words[index - 1].exact)
            && !Self.afterNo.contains(wording.words[index + 1].exact)
    }

    private static func trigrams(_ bytes: [UInt8]) -> [UInt32] {
        guard bytes.count > 2 else { return [] }
        var all = [UInt32](unsafeUninitializedCapacity: bytes.count - 2) { trigrams, count in
            for position in 0..<(bytes.count - 2) {
                trigrams[position] =
                    UInt32(bytes[position]) << 16 | UInt32(bytes[position + 1]) << 8 | UInt32(bytes[position + 2])
            }
            count = bytes.count - 2
        }
        all.sort()
        var kept = 1
        for position in 1..<all.count where all[position] != all[kept - 1] {
            all[kept] = all[position]
            kept += 1
        }
        all.removeSubrange(kept...)
        return all
    }
}
