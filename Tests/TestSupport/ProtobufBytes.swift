// SPDX-License-Identifier: Apache-2.0

/// Protobuf's wire form written by hand: what no encoder of ours would write, and an oracle for those that do.
package struct ProtobufBytes: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package func varint(_ field: Int, _ value: UInt64) -> Self { self.tagged(field, 0, Self.varint(value)) }
    package func float(_ field: Int, _ value: Float) -> Self {
        self.tagged(field, 5, withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) })
    }
    package func double(_ field: Int, _ value: Double) -> Self {
        self.tagged(field, 1, withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) })
    }
    package func data(_ field: Int, _ value: [UInt8]) -> Self {
        self.tagged(field, 2, Self.varint(UInt64(value.count)) + value)
    }
    package func text(_ field: Int, _ value: String) -> Self { self.data(field, Array(value.utf8)) }
    package func message(_ field: Int, _ value: Self = Self()) -> Self { self.data(field, value.bytes) }
    package func floats(_ field: Int, _ values: [Float]) -> Self {
        self.data(field, values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } })
    }

    /// The same field again and again.
    package func repeated(_ count: Int, _ add: (Self) -> Self) -> Self {
        let element = add(Self()).bytes
        var result = self
        result.bytes.reserveCapacity(self.bytes.count + count * element.count)
        for _ in 0..<count { result.bytes.append(contentsOf: element) }
        return result
    }

    /// Bytes that need not be a field.
    package func raw(_ bytes: [UInt8]) -> Self {
        var result = self
        result.bytes.append(contentsOf: bytes)
        return result
    }

    package static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private func tagged(_ field: Int, _ wireType: UInt64, _ value: [UInt8]) -> Self {
        self.raw(Self.varint(UInt64(field) << 3 | wireType) + value)
    }

    /// The message in a frame.
    package var frame: [UInt8] { framed(self.bytes) }
}

/// A body behind its header.
package func framed(_ body: [UInt8], flags: UInt8 = 0) -> [UInt8] {
    [flags] + withUnsafeBytes(of: UInt32(body.count).bigEndian) { Array($0) } + body
}

// MARK: Messages with the schema's numbers

extension ProtobufBytes {
    package static func hello(minimum: UInt64 = 1, maximum: UInt64 = 1, name: [UInt8] = Array("test".utf8)) -> Self {
        Self().message(1, Self().varint(1, minimum).varint(2, maximum).data(3, name))
    }

    /// A hello with fields of its own besides the versions, such as a credential.
    package static func hello(_ fields: Self) -> Self {
        Self().message(1, Self().varint(1, 1).varint(2, 1).raw(fields.bytes))
    }

    /// A call with one request, whose field number decides which.
    package static func call(id: UInt64 = 1, _ number: Int, _ request: Self) -> Self {
        Self().message(2, Self().varint(1, id).message(number, request))
    }

    package static func lookup(id: UInt64 = 1, _ request: Self) -> Self { .call(id: id, 8, request) }
    package static func store(id: UInt64 = 1, _ request: Self) -> Self { .call(id: id, 9, request) }
    package static func invalidate(id: UInt64 = 1, _ request: Self) -> Self { .call(id: id, 10, request) }

    /// The two fields that Lookup and Store both need.
    package static func asking(_ prompt: String = "what is it?", cache: String = "support") -> Self {
        Self().text(1, cache).text(2, prompt)
    }

    /// A message of a chat.
    package static func said(_ role: String = "user", _ content: String = "what is it?") -> Self {
        Self().text(1, role).text(2, content)
    }
}
