// SPDX-License-Identifier: Apache-2.0

/// Words are compared as numbers: FNV-1a of their bytes, 64 bits.
///
/// Two words of one number would be taken for one: no more than a wrong comparison of that very text, so that nobody
/// gains by looking for such words.
enum WordHash {
    static func of(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }

    static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }

    static func of(_ word: StaticString) -> UInt64 { word.withUTF8Buffer { of($0) } }

    /// The hash of a number, which never is one of a word.
    static func of(number: Double) -> UInt64 { number.bitPattern &* 0x9e37_79b9_7f4a_7c15 ^ 0x5bd1_e995_0000_0001 }
}

extension UInt8 {
    var isDigit: Bool { self &- 0x30 < 10 }
    /// A letter of lower case ASCII, or a byte of any other character.
    var isLetter: Bool { self &- 0x61 < 26 || self >= 0x80 }
}

extension StaticString {
    /// The words of a table in the source, in order.
    var tableWords: [[UInt8]] {
        withUTF8Buffer { $0.split { $0 == 0x20 || $0 == 0x0a }.map(Array.init) }
    }
}
