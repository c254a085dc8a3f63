// SPDX-License-Identifier: Apache-2.0

/// Whether two words are one word, spelt or inflected differently.
enum Spelling {
    typealias Letters = UnsafeBufferPointer<UInt8>

    /// What is known of two words beside their letters.
    enum Knowledge {
        /// Both are common: seldom misspelt into one another.
        case both
        case one
        /// Both are rare: maybe two names.
        case neither
        /// Either is a name of some kind.
        case name
    }

    /// Longest words that are compared letter by letter, bytes.
    private static let longest = 48

    static func isSame(_ one: Letters, _ two: Letters, _ known: Knowledge) -> Bool {
        let shorter = min(one.count, two.count)
        let longer = max(one.count, two.count)
        guard shorter >= 3, longer <= longest else { return false }
        if isUnaccented(one, two) { return true }
        let prefix = commonPrefix(one, two)
        // "withdraw" and "withdrawal", "verify" and "verification".
        if prefix >= 5, prefix * 5 >= shorter * 4, known != .name, isEnding(one, prefix), isEnding(two, prefix) {
            return true
        }
        guard isPlain(one), isPlain(two) else { return false }
        if shorter >= 4, isVariant(one, two, prefix) { return true }
        switch known {
        // "Form" is not "from", and a "contact" no "contract".
        case .both: return shorter >= 7 && prefix >= 5 && isSlip(one, two, prefix)
        case .name: return shorter >= 5 && prefix >= 2 && isSlip(one, two, prefix)
        case .neither: return shorter >= 4 && prefix >= 1 && isOneEditApart(one, two, prefix)
        case .one:
            guard shorter >= 4 || (shorter == 3 && longer == 4), prefix > 0 || shorter >= 5 else { return false }
            return isOneEditApart(one, two, prefix) || (shorter >= 10 && isTwoEditsApart(one, two))
        }
    }

    private static func isPlain(_ word: Letters) -> Bool { word.allSatisfy { $0 &- 0x61 < 26 } }

    private static func commonPrefix(_ one: Letters, _ two: Letters) -> Int {
        var length = 0
        while length < min(one.count, two.count), one[length] == two[length] { length += 1 }
        return length
    }

    /// What is left of a word inflects it, and makes no other word of it. English, then German, French, Spanish.
    private static func isEnding(_ word: Letters, _ prefix: Int) -> Bool {
        prefix == word.count || endings.contains(WordHash.of(word[prefix...]))
    }

    private static let endings = Set(
        ("""
        s es e ed d er ers r ing ings al als ally ly ion ions tion ation ations ication ications ment ments ness y ies ied
        able ible ive ative or ors ant ance ances ence ity ial ially ization isation ize ise izing ising ized ised ized ic
        ical ically cation fication t ts te tes ted ting ve sion sions ry ery c g k p
        en ung ungen st n em ar ado ada ando ación aciones ción ir ido o os a as amos é ée és ées ez ons iert ieren ierung
        """ as StaticString).tableWords.map { WordHash.of($0) })

    /// One letter more, less, other, or two neighbours swapped.
    private static func isOneEditApart(_ one: Letters, _ two: Letters, _ prefix: Int) -> Bool {
        if isSwap(one, two, prefix) { return true }
        let a = one[prefix...]
        let b = two[prefix...]
        if a.count == b.count { return a.dropFirst().elementsEqual(b.dropFirst()) }
        if a.count == b.count + 1 { return a.dropFirst().elementsEqual(b) }
        if b.count == a.count + 1 { return b.dropFirst().elementsEqual(a) }
        return false
    }

    /// Two neighbours swapped, the rest equal.
    private static func isSwap(_ one: Letters, _ two: Letters, _ prefix: Int) -> Bool {
        guard one.count == two.count, prefix + 1 < one.count else { return false }
        return one[prefix] == two[prefix + 1] && one[prefix + 1] == two[prefix]
            && one[(prefix + 2)...].elementsEqual(two[(prefix + 2)...])
    }

    /// A swap, or a letter missing: what fingers do, and other names seldom are.
    private static func isSlip(_ one: Letters, _ two: Letters, _ prefix: Int) -> Bool {
        isSwap(one, two, prefix) || (one.count != two.count && isOneEditApart(one, two, prefix))
    }

    /// Ways to write one word: organise, colour, travelling, licence, theatre.
    private static func isVariant(_ one: Letters, _ two: Letters, _ prefix: Int) -> Bool {
        let (short, long) = one.count <= two.count ? (one, two) : (two, one)
        if short.count >= 6, isSameWithoutDoubles(short, long) { return true }
        if short.count == long.count {
            guard prefix < short.count else { return true }
            let letters = (min(short[prefix], long[prefix]), max(short[prefix], long[prefix]))
            if short[(prefix + 1)...].elementsEqual(long[(prefix + 1)...]), short.count >= 6 {
                return letters == (UInt8(ascii: "s"), UInt8(ascii: "z"))
                    || letters == (UInt8(ascii: "c"), UInt8(ascii: "s"))
            }
            return short.count >= 5 && prefix + 2 >= short.count - 1 && isSwap(one, two, prefix)
                && letters == (UInt8(ascii: "e"), UInt8(ascii: "r"))
        }
        guard long.count == short.count + 1, prefix > 0, long[(prefix + 1)...].elementsEqual(short[prefix...]) else {
            return false
        }
        let (added, before) = (long[prefix], long[prefix - 1])
        return added == UInt8(ascii: "u") && before == UInt8(ascii: "o") && prefix < short.count
            && short[prefix] == UInt8(ascii: "r") && short.count >= 5
    }

    private static func isSameWithoutDoubles(_ one: Letters, _ two: Letters) -> Bool {
        var (first, second) = (0, 0)
        while first < one.count, second < two.count {
            let byte = one[first]
            guard byte == two[second] else { return false }
            while first < one.count, one[first] == byte { first += 1 }
            while second < two.count, two[second] == byte { second += 1 }
        }
        return first == one.count && second == two.count
    }

    /// Of long words: the first edit undone in each of the ways, one edit is left.
    private static func isTwoEditsApart(_ one: Letters, _ two: Letters) -> Bool {
        let prefix = commonPrefix(one, two)
        func rest(_ word: Letters, _ from: Int) -> Letters { Letters(rebasing: word[min(from, word.count)...]) }
        func isOneApart(_ skippedOne: Int, _ skippedTwo: Int) -> Bool {
            let a = rest(one, prefix + skippedOne)
            let b = rest(two, prefix + skippedTwo)
            return isOneEditApart(a, b, commonPrefix(a, b))
        }
        if isOneApart(1, 1) || isOneApart(1, 0) || isOneApart(0, 1) { return true }
        guard prefix + 1 < min(one.count, two.count) else { return false }
        return one[prefix] == two[prefix + 1] && one[prefix + 1] == two[prefix] && isOneApart(2, 2)
    }

    // MARK: Accents

    /// One word is the other as it is typed without accents: "café" and "cafe".
    private static func isUnaccented(_ one: Letters, _ two: Letters) -> Bool {
        guard isPlain(one) != isPlain(two) else { return false }
        let (plain, accented) = isPlain(one) ? (one, two) : (two, one)
        var place = 0
        var index = 0
        while index < accented.count {
            var byte = accented[index]
            if byte == 0xc3, index + 1 < accented.count {
                index += 1
                byte = base(accented[index])
            }
            guard place < plain.count, byte != 0, plain[place] == byte else { return false }
            place += 1
            index += 1
        }
        return place == plain.count
    }

    /// The letter under the accent of U+00E0 to U+00FF, by the second byte of its encoding; 0 if there is none.
    private static func base(_ byte: UInt8) -> UInt8 {
        switch byte {
        case 0xa0...0xa5: UInt8(ascii: "a")
        case 0xa7: UInt8(ascii: "c")
        case 0xa8...0xab: UInt8(ascii: "e")
        case 0xac...0xaf: UInt8(ascii: "i")
        case 0xb1: UInt8(ascii: "n")
        case 0xb2...0xb6, 0xb8: UInt8(ascii: "o")
        case 0xb9...0xbc: UInt8(ascii: "u")
        case 0xbd, 0xbf: UInt8(ascii: "y")
        default: 0
        }
    }
}
