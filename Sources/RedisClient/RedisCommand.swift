// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// A command with its arguments, as it goes over the wire.
package struct RedisCommand: Sendable {
    /// Which server it goes to.
    package enum Route: Sendable, Equatable {
        /// The one that holds the key's slot.
        case key(slot: UInt16)
        /// Any primary.
        case any
    }

    package let name: String
    package let route: Route
    /// Whether to send it again is safe though it may have been executed.
    package let isRepeatable: Bool
    /// Whether there is a reply: what `SSUBSCRIBE` does is told by pushes.
    package let hasReply: Bool
    /// Time in which a reply must come, all attempts together; the client's own if `nil`.
    package var timeout: Duration?
    /// Number of arguments, the name among them.
    package private(set) var count = 0
    /// The arguments as bulk strings, one after the other, without the header of the array.
    package private(set) var body: ByteBuffer

    /// - Parameter capacity: Bytes that the arguments will take, about.
    package init(
        _ name: String, route: Route = .any, isRepeatable: Bool, hasReply: Bool = true, capacity: Int = 128
    ) {
        self.name = name
        self.route = route
        self.isRepeatable = isRepeatable
        self.hasReply = hasReply
        self.body = ByteBufferAllocator().buffer(capacity: capacity)
        self.append(name)
    }

    package mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { self.append(UnsafeRawBufferPointer($0)) }
    }

    package mutating func append(_ number: Int64) { self.append(String(number)) }

    package mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { self.append($0) } }

    /// The values in memory order: little-endian floats on the machines that Redis and we run on.
    package mutating func append(_ values: [Float]) { values.withUnsafeBytes { self.append($0) } }

    package mutating func append(_ bytes: ByteBuffer) { bytes.withUnsafeReadableBytes { self.append($0) } }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        self.count += 1
        self.body.writeString("$\(bytes.count)\r\n")
        self.body.writeBytes(bytes)
        self.body.writeStaticString("\r\n")
    }
}

extension RedisCommand: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the arguments, which may be passwords and callers' data.
    package var description: String { "\(self.name), \(self.count) arguments" }
    package var debugDescription: String { self.description }
    package var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}

/// A key of a server, with its slot.
package struct RedisKey: Sendable, Hashable {
    package let bytes: [UInt8]
    /// CRC16 of the hash tag, or of the whole key without one, modulo 16,384.
    package let slot: UInt16

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.slot = RedisSlot.of(bytes)
    }

    package init(_ text: String) { self.init(Array(text.utf8)) }

    /// A key with the same hash tag, whose slot need not be computed again.
    ///
    /// - Parameter suffix: Appended to this one, which ends behind its tag.
    package func appending(_ suffix: [UInt8]) -> Self { Self(bytes: self.bytes + suffix, slot: self.slot) }

    private init(bytes: [UInt8], slot: UInt16) {
        self.bytes = bytes
        self.slot = slot
    }
}

/// The slots of a cluster.
package enum RedisSlot {
    package static let count = 16_384

    package static func of(_ key: [UInt8]) -> UInt16 {
        var hashed = key[...]
        if let open = key.firstIndex(of: UInt8(ascii: "{")),
            let close = key[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        {
            hashed = key[(open + 1)..<close]
        }
        // CRC16-XMODEM, as the cluster specification has it.
        var crc: UInt16 = 0
        for byte in hashed {
            crc ^= UInt16(byte) << 8
            for _ in 0..<8 { crc = crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021 }
        }
        return crc % UInt16(Self.count)
    }
}
