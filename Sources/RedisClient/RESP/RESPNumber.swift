// SPDX-License-Identifier: Apache-2.0

/// The numbers that stand on a line. They throw ``RedisError`` with `.protocolViolation`.
enum RESPNumber {
    /// An optional sign and digits.
    static func integer(_ line: UnsafeRawBufferPointer) throws(RedisError) -> Int64 {
        var digits = line[...]
        var isNegative = false
        if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            digits = digits.dropFirst()
        }
        guard !digits.isEmpty else { throw RESPParser.violation("a number has no digits") }
        // Counted downwards, since there is one negative number more.
        var value: Int64 = 0
        for byte in digits {
            guard Self.isDigit(byte) else { throw RESPParser.violation("a number has other characters than digits") }
            let (shifted, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (next, overflows) = shifted.subtractingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !isTooLarge, !overflows else { throw RESPParser.violation("a number is too large") }
            value = next
        }
        guard !isNegative else { return value }
        guard value != .min else { throw RESPParser.violation("a number is too large") }
        return -value
    }

    /// A length.
    ///
    /// - Returns: `nil` for the -1 with which version 2 says null.
    static func count(_ line: UnsafeRawBufferPointer) throws(RedisError) -> Int? {
        let count = try Self.integer(line)
        if count == -1 { return nil }
        guard count >= 0 else { throw RESPParser.violation("a length is negative") }
        guard let count = Int(exactly: count) else { throw RESPParser.violation("a number is too large") }
        return count
    }

    static func notNull(_ line: UnsafeRawBufferPointer) throws(RedisError) -> Int {
        guard let count = try Self.count(line) else { throw RESPParser.violation("a length is negative") }
        return count
    }

    /// A decimal number, `inf`, `-inf` or `nan`.
    static func double(_ line: UnsafeRawBufferPointer) throws(RedisError) -> Double {
        // What `Double` reads besides, hexadecimal and "infinity", is not in the protocol.
        let isDecimal = line.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                true
            default: false
            }
        }
        let text = String(decoding: line, as: UTF8.self)
        if isDecimal, let value = Double(text) { return value }
        switch text {
        case "inf", "+inf": return .infinity
        case "-inf": return -.infinity
        case "nan", "-nan": return .nan
        default: throw RESPParser.violation("a number is none")
        }
    }

    /// A number of any size, which is kept as its digits.
    static func checkDigits(_ line: UnsafeRawBufferPointer) throws(RedisError) {
        var digits = line[...]
        if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            digits = digits.dropFirst()
        }
        guard !digits.isEmpty, digits.allSatisfy(Self.isDigit) else { throw RESPParser.violation("a number is none") }
    }

    static func boolean(_ line: UnsafeRawBufferPointer) throws(RedisError) -> Bool {
        guard line.count == 1 else { throw RESPParser.violation("a truth value is none") }
        switch line[0] {
        case UInt8(ascii: "t"): return true
        case UInt8(ascii: "f"): return false
        default: throw RESPParser.violation("a truth value is none")
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
