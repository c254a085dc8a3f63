// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// The text form of attributes: a JSON object, in the order of the attributes.
///
/// Foundation's decoder loses the order of an object's members, and an entry must come back as it was stored. The
/// reader takes what the writer writes and refuses everything else as damaged.
package enum AttributesText {
    package struct Malformed: Error {
        package let offset: Int
    }

    package static func encode(_ attributes: [Attribute]) -> [UInt8] {
        var text: [UInt8] = [UInt8(ascii: "{")]
        for (position, attribute) in attributes.enumerated() {
            if position > 0 { text.append(UInt8(ascii: ",")) }
            Self.append(attribute.name, to: &text)
            text.append(UInt8(ascii: ":"))
            switch attribute.value {
            case .string(let string): Self.append(string, to: &text)
            case .number(let number): Self.append(number, to: &text)
            case .boolean(let isTrue): text += Array((isTrue ? "true" : "false").utf8)
            case .strings(let strings):
                text.append(UInt8(ascii: "["))
                for (position, string) in strings.enumerated() {
                    if position > 0 { text.append(UInt8(ascii: ",")) }
                    Self.append(string, to: &text)
                }
                text.append(UInt8(ascii: "]"))
            }
        }
        text.append(UInt8(ascii: "}"))
        return text
    }

    /// The one text of all lists that differ only in their order; nothing for no attributes.
    ///
    /// - Parameter attributes: With distinct names.
    package static func canonical(_ attributes: [Attribute]) -> [UInt8] {
        if attributes.isEmpty { return [] }
        return Self.encode(attributes.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
    }

    package static func decode(_ text: [UInt8]) throws(Malformed) -> [Attribute] {
        var reader = Reader(text: text)
        var attributes: [Attribute] = []
        try reader.expect("{")
        if try reader.takes("}") == false {
            repeat {
                let name = try reader.string()
                try reader.expect(":")
                attributes.append(Attribute(name: name, value: try reader.value()))
            } while try reader.takes(",")
            try reader.expect("}")
        }
        guard reader.offset == text.count else { throw Malformed(offset: reader.offset) }
        return attributes
    }

    private static func append(_ string: String, to text: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        text.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
            case 0..<0x20: text += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }

    /// The shortest digits that read back as the same number. JSON has no infinity, but a number too large to be one.
    private static func append(_ number: Double, to text: inout [UInt8]) {
        if number.isNaN {
            text += Array("null".utf8)
        } else if number.isInfinite {
            text += Array((number < 0 ? "-1e999" : "1e999").utf8)
        } else {
            text += Array(number.description.utf8)
        }
    }

    private struct Reader {
        let text: [UInt8]
        var offset = 0

        init(text: [UInt8]) { self.text = text }

        func peek() throws(Malformed) -> UInt8 {
            guard self.offset < self.text.count else { throw Malformed(offset: self.offset) }
            return self.text[self.offset]
        }

        mutating func takes(_ character: Unicode.Scalar) throws(Malformed) -> Bool {
            guard try self.peek() == UInt8(ascii: character) else { return false }
            self.offset += 1
            return true
        }

        mutating func expect(_ character: Unicode.Scalar) throws(Malformed) {
            guard try self.takes(character) else { throw Malformed(offset: self.offset) }
        }

        mutating func value() throws(Malformed) -> AttributeValue {
            switch try self.peek() {
            case UInt8(ascii: "\""): return .string(try self.string())
            case UInt8(ascii: "["): return .strings(try self.strings())
            default: return try self.word()
            }
        }

        mutating func strings() throws(Malformed) -> [String] {
            var strings: [String] = []
            try self.expect("[")
            if try self.takes("]") { return strings }
            repeat { strings.append(try self.string()) } while try self.takes(",")
            try self.expect("]")
            return strings
        }

        /// A number, `true`, `false`, or `null` for what is not a number.
        mutating func word() throws(Malformed) -> AttributeValue {
            let start = self.offset
            while !",}".utf8.contains(try self.peek()) { self.offset += 1 }
            switch String(decoding: self.text[start..<self.offset], as: UTF8.self) {
            case "true": return .boolean(true)
            case "false": return .boolean(false)
            case "null": return .number(.nan)
            case let digits:
                guard let number = Double(digits) else { throw Malformed(offset: start) }
                return .number(number)
            }
        }

        mutating func string() throws(Malformed) -> String {
            try self.expect("\"")
            var bytes: [UInt8] = []
            while true {
                let byte = try self.peek()
                self.offset += 1
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
                case UInt8(ascii: "\\"): bytes.append(try self.escaped())
                default: bytes.append(byte)
                }
            }
        }

        mutating func escaped() throws(Malformed) -> UInt8 {
            let byte = try self.peek()
            self.offset += 1
            guard byte == UInt8(ascii: "u") else { return byte }
            let end = self.offset + 4
            guard end <= self.text.count,
                let code = UInt8(String(decoding: self.text[self.offset..<end], as: UTF8.self), radix: 16)
            else { throw Malformed(offset: self.offset) }
            self.offset = end
            return code
        }
    }
}
