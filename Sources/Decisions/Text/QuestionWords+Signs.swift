// SPDX-License-Identifier: Apache-2.0

/// Which signs belong to what is asked, and which only mark it. What is kept once is kept again, so that folding a
/// folded text changes nothing.
extension QuestionWords {
    /// Lower case, with typographic signs, signs of full width and digits of other scripts as their ASCII ones.
    static func plain(_ text: String) -> [UInt8] {
        var plain: [UInt8] = []
        for scalar in text.lowercased().unicodeScalars {
            switch scalar.value {
            case ..<0x80: plain.append(UInt8(scalar.value))
            case 0xff01...0xff5e: plain.append(UInt8(scalar.value - 0xfee0))
            case 0x2018, 0x2019, 0x201b, 0xb4, 0x2bc, 0x2032: plain.append(UInt8(ascii: "'"))
            case 0x201c, 0x201d, 0x2033: plain.append(UInt8(ascii: "\""))
            case 0x2010...0x2015, 0x2212: plain.append(UInt8(ascii: "-"))
            case 0xd7: plain.append(UInt8(ascii: "*"))
            case 0xf7: plain.append(UInt8(ascii: "/"))
            case 0x66a, 0xfe6a: plain.append(UInt8(ascii: "%"))
            case 0x66b: plain.append(UInt8(ascii: "."))
            case 0x66c: plain.append(UInt8(ascii: ","))
            // Per mille, per ten thousand, the section sign.
            case 0x2030, 0x2031, 0xa7: plain.append(contentsOf: Array(String(scalar).utf8))
            default:
                if scalar.properties.numericType == .decimal, let value = scalar.properties.numericValue {
                    plain.append(0x30 + UInt8(value))
                    continue
                }
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

    /// A comma between digits with three digits, and no more, behind it.
    static func isThousandsSeparator(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
        guard position > 0, position + 3 < text.count, text[position - 1].isDigit else { return false }
        guard text[(position + 1)...(position + 3)].allSatisfy(\.isDigit) else { return false }
        return position + 4 == text.count || !text[position + 4].isDigit
    }

    /// Marks that stand alone, with more behind them.
    static func loneMark(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Range<Int>? {
        guard isMark(text[position]), position == 0 || text[position - 1] == 0x20 else { return nil }
        var end = position
        while end < text.count, isMark(text[end]) { end += 1 }
        guard end - position <= 4, end + 1 < text.count, text[end] == 0x20, text[end + 1] > 0x20 else { return nil }
        return position..<end
    }

    static func isMark(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "?"), UInt8(ascii: "!"), UInt8(ascii: ";"), UInt8(ascii: ","), UInt8(ascii: "'"),
            UInt8(ascii: "\""), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Words behind which a mark is what is asked about: "what does ? mean".
    static let introducing = Set(
        ("does do sign symbol character operator" as StaticString).tableWords.map { WordHash.of($0) })

    /// Whether a bracket has a number or an operator beside it, spaces apart.
    static func isOfFormula(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
        var before = position - 1
        while before >= 0, text[before] == 0x20 { before -= 1 }
        if before >= 0, isOperand(text, before) { return true }
        var after = position + 1
        while after < text.count, text[after] == 0x20 { after += 1 }
        return after < text.count && isOperand(text, after)
    }

    private static func isOperand(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
        switch text[position] {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "*"), UInt8(ascii: "/"),
            UInt8(ascii: "^"), UInt8(ascii: "="), UInt8(ascii: "<"), UInt8(ascii: ">"):
            return true
        case UInt8(ascii: "-"):
            // One that stands alone, or before a number: such a one is never taken off.
            let isFree = position == 0 || isGap(text[position - 1])
            return isFree && (position + 1 == text.count || isGap(text[position + 1]) || text[position + 1].isDigit)
        default: return false
        }
    }

    private static func isGap(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "[")
            || byte == UInt8(ascii: "]")
    }

    /// A letter that mostly stands for a number, and for no word.
    static func isVariable(_ byte: UInt8) -> Bool {
        byte &- 0x61 < 26 && byte != UInt8(ascii: "a") && byte != UInt8(ascii: "i")
    }

    /// Whether a piece so far ends with a digit, or is a variable.
    static func isNumber(_ piece: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let last = piece.last else { return false }
        return last.isDigit || (piece.count == 1 && isVariable(last))
    }

    static func isSign(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "-")
    }

    /// Whether what follows a sign belongs to it: "-5", ".5", "-.5", ".net", "-a", "--all".
    static func beginsWord(_ piece: UnsafeBufferPointer<UInt8>, _ start: Int) -> Bool {
        guard start + 1 < piece.count else { return false }
        let next = piece[start + 1]
        if piece[start] == UInt8(ascii: ".") {
            return next.isDigit || (next.isLetter && (start == 0 || piece[start - 1] != UInt8(ascii: ".")))
        }
        guard piece[start] == UInt8(ascii: "-") else { return false }
        if next == UInt8(ascii: ".") { return start + 2 < piece.count && piece[start + 2].isDigit }
        return next.isDigit || isOption(UnsafeBufferPointer(rebasing: piece[start...]))
    }

    /// "-a", "--all".
    static func isOption(_ word: UnsafeBufferPointer<UInt8>) -> Bool {
        guard word.count > 1, word[0] == UInt8(ascii: "-") else { return false }
        if word.count == 2 { return word[1] &- 0x61 < 26 }
        return word[1] == UInt8(ascii: "-") && word.count > 3 && word[2...].allSatisfy { $0 &- 0x61 < 26 }
    }

    /// Whether the last sign of a piece belongs to it: "a-", "bbb-", "6'", "f''".
    static func endsWord(_ piece: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard let sign = piece.last else { return false }
        let head = piece.dropLast()
        guard let last = head.last else { return false }
        switch sign {
        case UInt8(ascii: "-"):
            if last.isDigit { return true }
            guard head.allSatisfy({ $0 &- 0x61 < 26 }) else { return false }
            return head.count <= 2 || (head.count == 3 && head.allSatisfy { $0 == last })
        case UInt8(ascii: "'"):
            if last.isDigit { return true }
            guard let first = head.first, isVariable(first) else { return false }
            return head.dropFirst().allSatisfy { $0 == UInt8(ascii: "'") }
        default: return false
        }
    }
}
