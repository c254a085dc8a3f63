// SPDX-License-Identifier: Apache-2.0

/// Writes the few small messages of gRPC itself: health, reflection, details of a status.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    /// Omits 0, as proto3 does.
    mutating func varint(_ field: UInt64, _ value: UInt64) {
        guard value != 0 else { return }
        self.raw(field << 3 | 0)
        self.raw(value)
    }

    /// Writes a length-delimited field, empty or not.
    mutating func data(_ field: UInt64, _ value: some Collection<UInt8>) {
        self.raw(field << 3 | 2)
        self.raw(UInt64(value.count))
        self.bytes.append(contentsOf: value)
    }

    mutating func text(_ field: UInt64, _ value: String) { self.data(field, value.utf8) }

    mutating func message(_ field: UInt64, _ write: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        write(&inner)
        self.data(field, inner.bytes)
    }

    private mutating func raw(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.bytes.append(UInt8(rest))
    }
}

/// The fields of a small message, as they come. Ends at what is no protobuf and then says so.
struct ProtobufFields: Sequence, IteratorProtocol {
    enum Value {
        case varint(UInt64)
        case data(ArraySlice<UInt8>)
        /// A number of 32 or 64 bits, which no message here has.
        case fixed
    }

    private var rest: ArraySlice<UInt8>
    private(set) var isMalformed = false

    init(_ bytes: ArraySlice<UInt8>) { self.rest = bytes }

    mutating func next() -> (field: UInt64, value: Value)? {
        guard !self.isMalformed, !self.rest.isEmpty else { return nil }
        guard let key = self.varint(), key >> 3 != 0, let value = self.value(ofType: key & 7) else {
            self.isMalformed = true
            return nil
        }
        return (key >> 3, value)
    }

    private mutating func value(ofType type: UInt64) -> Value? {
        switch type {
        case 0: self.varint().map { .varint($0) }
        case 1: self.take(8) == nil ? nil : .fixed
        case 2: self.varint().flatMap { self.take($0) }.map { .data($0) }
        case 5: self.take(4) == nil ? nil : .fixed
        // Groups are none of proto3.
        default: nil
        }
    }

    private mutating func take(_ count: UInt64) -> ArraySlice<UInt8>? {
        guard count <= UInt64(self.rest.count) else { return nil }
        defer { self.rest = self.rest.dropFirst(Int(count)) }
        return self.rest.prefix(Int(count))
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = self.rest.popFirst() else { return nil }
            // Bits above the 64th are dropped, as protobuf does.
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
