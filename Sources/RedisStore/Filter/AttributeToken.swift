// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Facts about an entry's attributes as an index keeps them: 16 lower-case hexadecimal digits of a SHA-256 each.
///
/// Names and values are a caller's and of any bytes; digests need no quoting, have one length and tell Redis nothing.
/// Two facts meet in one token by a chance of 2⁻⁶⁴.
enum AttributeToken {
    enum ValueType: UInt64 {
        case string = 1
        case number, boolean, strings
    }

    private enum Fact: UInt64 {
        case hasType = 1
        case isString, isBoolean, isNumber, hasString, hasNumberPrefix
    }

    /// The attribute is there and of this type.
    static func type(_ type: ValueType, of name: String) -> String {
        self.token(.hasType, name) { $0.append(type.rawValue) }
    }

    static func string(_ value: String, of name: String) -> String {
        self.token(.isString, name) { $0.append(value) }
    }

    static func boolean(_ value: Bool, of name: String) -> String {
        self.token(.isBoolean, name) { $0.append(value ? 1 : 0) }
    }

    /// 0 and -0 are the same number.
    static func number(_ value: Double, of name: String) -> String {
        self.token(.isNumber, name) { $0.append(OrderedNumber(value).key) }
    }

    /// The attribute is a list and has the string.
    static func element(_ value: String, of name: String) -> String {
        self.token(.hasString, name) { $0.append(value) }
    }

    static func prefix(_ prefix: OrderedNumber.Prefix, of name: String) -> String {
        self.token(.hasNumberPrefix, name) {
            $0.append(UInt64(prefix.digits))
            $0.append(prefix.value)
        }
    }

    private static func token(_ fact: Fact, _ name: String, _ append: (inout Fingerprint) -> Void) -> String {
        var fingerprint = Fingerprint(.attributeToken)
        fingerprint.append(fact.rawValue)
        fingerprint.append(name)
        append(&fingerprint)
        return String(fingerprint.finish().hexadecimal.prefix(16))
    }
}

/// A number as 16 hexadecimal digits whose order is that of numbers, and the buckets that their first digits are.
///
/// An index that has no ranges of numbers under any name finds them by these prefixes, each a token.
struct OrderedNumber {
    /// The first digits of a key.
    struct Prefix: Equatable {
        /// 1...6
        let digits: Int
        let value: UInt64
    }

    /// 24 bits: sign, exponent and 12 bits of the fraction, so that whole numbers up to 8,192 and what has as few
    /// digits in binary begin a bucket, and a range that they bound is exact.
    static let bucketDigits = 6
    private static let insideBucket = UInt64.max >> UInt64(4 * Self.bucketDigits)

    let key: UInt64

    /// - Parameter value: Finite.
    init(_ value: Double) {
        // Turns -0 into 0.
        let bits = (value + 0).bitPattern
        self.key = bits >> 63 == 0 ? bits | 1 << 63 : ~bits
    }

    /// One of each length.
    var prefixes: [Prefix] { (1...Self.bucketDigits).map { self.prefix($0) } }

    /// The smallest number of its bucket: none of the others in it is below.
    var isFirstOfBucket: Bool { self.key & Self.insideBucket == 0 }
    /// The largest one.
    var isLastOfBucket: Bool { self.key & Self.insideBucket == Self.insideBucket }

    var bucket: Prefix { self.prefix(Self.bucketDigits) }

    /// Those of which every number in a higher bucket has exactly one, and no other number any.
    var prefixesAboveBucket: [Prefix] {
        self.prefixes.flatMap { prefix in
            stride(from: prefix.value | 0xf, to: prefix.value, by: -1).map { Prefix(digits: prefix.digits, value: $0) }
        }
    }

    private func prefix(_ digits: Int) -> Prefix {
        Prefix(digits: digits, value: self.key >> UInt64(64 - 4 * digits))
    }
}
