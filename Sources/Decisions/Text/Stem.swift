// SPDX-License-Identifier: Apache-2.0

/// The stem of an English word, good enough to find plurals and tenses of one word alike. Language-neutral use is
/// safe: equal words have equal stems.
///
/// Data/generate.py has the same rules; a table made by it is read by these.
enum Stem {
    /// - Parameter word: Lower case.
    /// - Returns: The length that is kept, and whether its last byte becomes a `y`.
    static func rule(_ word: UnsafeBufferPointer<UInt8>) -> (length: Int, endsInY: Bool) {
        var length = word.count
        guard length > 3, !word.contains(where: { $0 >= 0x80 }) else { return (length, false) }
        func ends(_ suffix: StaticString) -> Bool {
            let size = suffix.utf8CodeUnitCount
            return length > size
                && suffix.withUTF8Buffer {
                    $0.elementsEqual(UnsafeBufferPointer(rebasing: word[(length - size)..<length]))
                }
        }
        var endsInY = false
        if length > 4, ends("ies") || ends("ied") {
            length -= 2
            endsInY = true
        } else if length > 5, ends("ing") {
            length -= 3
        } else if length > 4, ends("ed") || ends("es") {
            length -= 2
        } else if ends("s"), !ends("ss"), !ends("us"), !ends("is") {
            length -= 1
        }
        if endsInY { return (length, true) }
        if length > 3, word[length - 1] == word[length - 2] { length -= 1 }
        if length > 3, word[length - 1] == UInt8(ascii: "e") { length -= 1 }
        return (length, false)
    }

    /// The hash of the stem.
    static func hash(_ word: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let (length, endsInY) = rule(word)
        guard endsInY else { return WordHash.of(UnsafeBufferPointer(rebasing: word[..<length])) }
        let kept = UnsafeBufferPointer(rebasing: word[..<(length - 1)])
        return (WordHash.of(kept) ^ UInt64(UInt8(ascii: "y"))) &* 0x100_0000_01b3
    }

    static func hash(_ word: [UInt8]) -> UInt64 { word.withUnsafeBufferPointer { hash($0) } }
}
