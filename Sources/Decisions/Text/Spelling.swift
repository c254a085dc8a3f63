// SPDX-License-Identifier: Apache-2.0

/// Whether two words are one word, spelt or inflected differently.
enum Spelling {
    /// Longest words that are compared letter by letter, bytes.
    private static let longest = 48

    static func isSame(_ one: UnsafeBufferPointer<UInt8>, _ two: UnsafeBufferPointer<UInt8>, bothKnown: Bool) -> Bool {
        let shorter = min(one.count, two.count)
        let longer = max(one.count, two.count)
        guard shorter >= 3, longer <= longest, !isPrefixOpposite(one, two) else { return false }
        let prefix = commonPrefix(one, two)
        // "withdraw" and "withdrawal", "verify" and "verification".
        if prefix >= 5, prefix * 5 >= shorter * 4, longer - prefix <= 7 { return true }
        // Known words are seldom misspelt into one another: "form" is not "from".
        if bothKnown { return shorter >= 7 && isOneEditApart(one, two, prefix) }
        guard shorter >= 4 || (shorter == 3 && longer == 4) else { return false }
        guard prefix > 0 || shorter >= 5 else { return false }
        return isOneEditApart(one, two, prefix) || (shorter >= 10 && isTwoEditsApart(one, two))
    }

    /// "legal" and "illegal", "freeze" and "unfreeze".
    static func isPrefixOpposite(_ one: UnsafeBufferPointer<UInt8>, _ two: UnsafeBufferPointer<UInt8>) -> Bool {
        let (short, long) = one.count < two.count ? (one, two) : (two, one)
        let added = long.count - short.count
        guard (2...3).contains(added), short.count >= 4, long.suffix(short.count).elementsEqual(short) else {
            return false
        }
        let prefix = WordHash.of(UnsafeBufferPointer(rebasing: long[..<added]))
        return negatingPrefixes.contains(prefix)
    }

    private static let negatingPrefixes = Set(
        ("un in im il ir dis non de mis" as StaticString).tableWords.map { WordHash.of($0) })

    private static func commonPrefix(_ one: UnsafeBufferPointer<UInt8>, _ two: UnsafeBufferPointer<UInt8>) -> Int {
        var length = 0
        while length < min(one.count, two.count), one[length] == two[length] { length += 1 }
        return length
    }

    /// One letter more, less, other, or two neighbours swapped.
    private static func isOneEditApart(
        _ one: UnsafeBufferPointer<UInt8>, _ two: UnsafeBufferPointer<UInt8>, _ prefix: Int
    ) -> Bool {
        let a = one[prefix...]
        let b = two[prefix...]
        if a.count == b.count {
            if a.isEmpty || a.dropFirst().elementsEqual(b.dropFirst()) { return true }
            return a.count > 1 && a[prefix] == b[prefix + 1] && a[prefix + 1] == b[prefix]
                && a.dropFirst(2).elementsEqual(b.dropFirst(2))
        }
        if a.count == b.count + 1 { return a.dropFirst().elementsEqual(b) }
        if b.count == a.count + 1 { return b.dropFirst().elementsEqual(a) }
        return false
    }

    /// Of long words: the first edit undone in each of the ways, one edit is left.
    private static func isTwoEditsApart(_ one: UnsafeBufferPointer<UInt8>, _ two: UnsafeBufferPointer<UInt8>) -> Bool {
        let prefix = commonPrefix(one, two)
        func rest(_ word: UnsafeBufferPointer<UInt8>, _ from: Int) -> UnsafeBufferPointer<UInt8> {
            UnsafeBufferPointer(rebasing: word[min(from, word.count)...])
        }
        for (skippedOne, skippedTwo) in [(1, 1), (1, 0), (0, 1), (2, 2)] {
            let a = rest(one, prefix + skippedOne)
            let b = rest(two, prefix + skippedTwo)
            if isOneEditApart(a, b, commonPrefix(a, b)) { return true }
        }
        return false
    }
}
