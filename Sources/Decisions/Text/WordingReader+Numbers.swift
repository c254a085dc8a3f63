// SPDX-License-Identifier: Apache-2.0

extension WordingReader {
    /// Reads digits with the unit, ending or factor behind them.
    ///
    /// - Returns: Where it ends.
    mutating func readNumber(_ piece: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var end = start
        let begins = start == 0 && piece[start] == UInt8(ascii: "-")
        if begins { end += 1 }
        let isNegative = begins || isExponent(piece, start)
        let digits = end
        while end < piece.count {
            let isPoint = piece[end] == UInt8(ascii: ".") && end + 1 < piece.count && piece[end + 1].isDigit
            guard piece[end].isDigit || isPoint else { break }
            end += 1
        }
        let joint = start > 0 ? piece[start - 1] : 0
        let suffix = end
        while end < piece.count, piece[end].isLetter, Self.currency(piece, end) == nil { end += 1 }
        let written = UnsafeBufferPointer(rebasing: piece[digits..<suffix])
        // "5:00" is 5.
        if joint == UInt8(ascii: ":"), written.elementsEqual("00".utf8), end == suffix { return end }
        let number = value(written)
        guard append(number: isNegative ? -number : number, written, joint: joint) else { return end }
        guard end > suffix else { return readMark(piece, end) }
        let letters = UnsafeBufferPointer(rebasing: piece[suffix..<end])
        switch WordHash.of(letters) {
        case Lexicon.ordinalEndings.0, Lexicon.ordinalEndings.1, Lexicon.ordinalEndings.2, Lexicon.ordinalEndings.3,
            Lexicon.decadeEnding:
            break
        case Lexicon.thousand: scaleLast(number * 1000)
        default: append(letters: letters)
        }
        return end
    }

    /// "2^-1", "1e-3".
    private func isExponent(_ piece: UnsafeBufferPointer<UInt8>, _ start: Int) -> Bool {
        guard start > 2, piece[start - 1] == UInt8(ascii: "-") else { return false }
        let before = piece[start - 2]
        return before == UInt8(ascii: "^") || (before == UInt8(ascii: "e") && piece[start - 3].isDigit)
    }

    private static let foot = Stem.hash(Array("foot".utf8))
    private static let inch = Stem.hash(Array("inch".utf8))

    /// Feet and inches: `5'10"`.
    private mutating func readMark(_ piece: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        guard position < piece.count, pendingUnit == 0 else { return position }
        if piece[position] == UInt8(ascii: "\"") {
            pendingUnit = Self.inch
        } else if piece[position] == UInt8(ascii: "'"), position + 1 == piece.count || piece[position + 1].isDigit {
            pendingUnit = Self.foot
        } else {
            return position
        }
        attachPendingUnit()
        return position + 1
    }

    /// - Parameters:
    ///   - written: The digits, or another way to write the number.
    ///   - joint: The sign between it and what stands before it in the same piece, 0 if there is none.
    /// - Returns: Whether there was room.
    @discardableResult
    mutating func append(number: Double, _ written: UnsafeBufferPointer<UInt8>, joint: UInt8 = 0) -> Bool {
        let hash = Self.isVersion(written) ? WordHash.of(written) : WordHash.of(number: number)
        var word = Wording.Word(key: hash, exact: hash, role: .number, idf: Rarity.ofNumber)
        word.number = number
        word.joint = joint
        guard append(word, written) else { return false }
        attachPendingUnit()
        return true
    }

    /// Whether what is written is more than a value: 3.10 comes after 3.9, and 1.2.0 is no number.
    private static func isVersion(_ written: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let point = written.firstIndex(of: UInt8(ascii: ".")) else { return false }
        let rest = written[(point + 1)...]
        if rest.contains(UInt8(ascii: ".")) { return true }
        return rest.last == UInt8(ascii: "0") && rest.contains { $0 != UInt8(ascii: "0") }
    }

    mutating func attachPendingUnit() {
        guard pendingUnit != 0, wording.words.last?.role == .number else { return }
        setUnitOfLast(pendingUnit)
        var unit = Wording.Word(key: pendingUnit, exact: pendingUnit, role: .content, kind: .unit)
        unit.idf = Rarity.ofNumber
        pendingUnit = 0
        // Beside its number, as if it had been written out.
        append(unit, UnsafeBufferPointer(start: nil, count: 0))
    }

    /// Of a number that has none; with a unit it counts by its value alone.
    mutating func setUnitOfLast(_ unit: UInt64) {
        guard let last = wording.words.last, last.role == .number, last.unit == 0 else { return }
        wording.words[wording.words.count - 1].unit = unit
        scaleLast(last.number)
    }

    mutating func scaleLast(_ value: Double) {
        guard wording.words.last?.role == .number else { return }
        let hash = WordHash.of(number: value)
        wording.words[wording.words.count - 1].key = hash
        wording.words[wording.words.count - 1].exact = hash
        wording.words[wording.words.count - 1].number = value
    }

    /// Digits with points between them. Of "1.2.3" every part counts.
    func value(_ digits: UnsafeBufferPointer<UInt8>) -> Double {
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
}
