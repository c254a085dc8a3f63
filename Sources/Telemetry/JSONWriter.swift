// SPDX-License-Identifier: Apache-2.0

/// Writes one JSON value as UTF-8, on one line, without spaces. It puts the commas; nesting is the caller's.
///
/// What it writes can stand in a log and on a terminal: all control characters (C0, DEL, C1) and the line separators
/// U+2028 and U+2029 are escaped, so that no value begins a new line or talks to a terminal.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// Something stands before the next value in its array or object.
    private var needsComma = false

    package init(reservingCapacity capacity: Int = 0) {
        self.bytes.reserveCapacity(capacity)
    }

    package var text: String { String(decoding: self.bytes, as: UTF8.self) }

    package mutating func object(_ members: (inout JSONWriter) -> Void) {
        self.beginObject()
        members(&self)
        self.endObject()
    }

    package mutating func array(_ elements: (inout JSONWriter) -> Void) {
        self.beginArray()
        elements(&self)
        self.endArray()
    }

    package mutating func beginObject() { self.open(UInt8(ascii: "{")) }
    package mutating func endObject() { self.close(UInt8(ascii: "}")) }
    package mutating func beginArray() { self.open(UInt8(ascii: "[")) }
    package mutating func endArray() { self.close(UInt8(ascii: "]")) }

    /// Name of the member whose value is written next.
    package mutating func key(_ name: String, limit: Int = .max) {
        self.string(name, limit: limit)
        self.bytes.append(UInt8(ascii: ":"))
        self.needsComma = false
    }

    /// - Parameter limit: bytes as written, without the quotes; what is longer is cut between two characters (Unicode
    ///   scalars) and ends with `…`.
    /// - Returns: whether all of it was written.
    @discardableResult
    package mutating func string(_ value: String, limit: Int = .max) -> Bool {
        self.separate()
        self.bytes.append(UInt8(ascii: "\""))
        let isWhole = self.escape(value, limit: limit)
        self.bytes.append(UInt8(ascii: "\""))
        return isWhole
    }

    package mutating func integer(_ value: some BinaryInteger) {
        self.separate()
        self.bytes.append(contentsOf: String(value).utf8)
    }

    /// JSON has no number for what is not finite; it is written as protobuf's JSON writes it, as a string: NaN, Infinity,
    /// -Infinity.
    package mutating func number(_ value: Double) {
        guard value.isFinite else {
            self.string(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
            return
        }
        self.separate()
        self.bytes.append(contentsOf: value.description.utf8)
    }

    package mutating func bool(_ value: Bool) {
        self.separate()
        self.bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    package mutating func null() {
        self.separate()
        self.bytes.append(contentsOf: "null".utf8)
    }

    /// A value that is JSON already.
    package mutating func json(_ value: some Sequence<UInt8>) {
        self.separate()
        self.bytes.append(contentsOf: value)
    }

    /// A place to come back to when what was written since turns out too long.
    package struct Mark {
        fileprivate let count: Int
        fileprivate let needsComma: Bool
    }

    package var mark: Mark { Mark(count: self.bytes.count, needsComma: self.needsComma) }

    package mutating func rewind(to mark: Mark) {
        self.bytes.removeSubrange(mark.count...)
        self.needsComma = mark.needsComma
    }

    private mutating func separate() {
        if self.needsComma { self.bytes.append(UInt8(ascii: ",")) }
        self.needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        self.separate()
        self.bytes.append(bracket)
        self.needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        self.bytes.append(bracket)
        self.needsComma = true
    }

    private mutating func escape(_ value: String, limit: Int) -> Bool {
        if value.utf8.count <= limit, value.utf8.allSatisfy(Self.isPlain) {
            self.bytes.append(contentsOf: value.utf8)
            return true
        }
        let start = self.bytes.count
        // Where it is cut if the rest does not fit: the last place that leaves room for the ellipsis.
        var cut = start
        for scalar in value.unicodeScalars {
            self.escape(scalar)
            let written = self.bytes.count - start
            guard written <= limit else {
                self.bytes.removeSubrange(cut...)
                if limit >= Self.ellipsis.count { self.bytes.append(contentsOf: Self.ellipsis) }
                return false
            }
            if written <= limit - Self.ellipsis.count { cut = self.bytes.count }
        }
        return true
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private static let ellipsis = Array("…".utf8)
    private static let hexDigits = Array("0123456789abcdef".utf8)

    private mutating func escape(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x22, 0x5C: self.bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(scalar.value)])
        case 0x20...0x7E: self.bytes.append(UInt8(scalar.value))
        case 0x0A: self.bytes.append(contentsOf: "\\n".utf8)
        case 0x0D: self.bytes.append(contentsOf: "\\r".utf8)
        case 0x09: self.bytes.append(contentsOf: "\\t".utf8)
        case _ where scalar.isControl:
            self.bytes.append(contentsOf: "\\u".utf8)
            for shift: UInt32 in [12, 8, 4, 0] { self.bytes.append(Self.hexDigits[Int(scalar.value >> shift & 0xF)]) }
        default: self.bytes.append(contentsOf: UTF8.encode(scalar)!)
        }
    }
}

extension Unicode.Scalar {
    /// A control character (C0, DEL, C1) or a separator of lines or paragraphs: what must not stand in a line.
    var isControl: Bool {
        switch self.value {
        case 0...0x1F, 0x7F...0x9F, 0x2028, 0x2029: true
        default: false
        }
    }
}
