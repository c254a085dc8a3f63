// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// What a server sent.
package enum RESPMessage: Sendable, Equatable {
    /// The reply to a command; one that is an error is `.error`.
    case reply(RESPValue)
    /// What nobody asked for; begins with its kind.
    case push([RESPValue])
}

/// Cuts a stream of bytes into messages, of either version of the protocol.
///
/// What was parsed or searched is not looked at again when more bytes come. Strings are slices of the bytes that were
/// received. Streamed strings and aggregates (`$?`, `*?`), which no server sends, are refused.
package struct RESPParser: Sendable {
    /// What elements are collected for.
    private enum Kind {
        case array
        case map
        case push
        /// Read and dropped.
        case attribute
    }

    private struct Open {
        let kind: Kind
        /// Elements that are still to come, more than 0.
        var remaining: Int
        var elements: [RESPValue] = []
    }

    private enum BulkKind {
        case string
        case error
        /// Three letters and a colon come first.
        case verbatim
    }

    /// Aggregates that are not complete, the innermost last.
    private var open: [Open] = []
    /// The string whose header was read and whose bytes are to come.
    private var bulk: (kind: BulkKind, count: Int)?
    /// Bytes from the buffer's reader index on that hold no line end.
    private var searched = 0
    private var elements = 0
    private var bytes = 0
    private var failure: RedisError?

    package init() {}

    /// Takes the next message from the front of what was received.
    ///
    /// - Parameter buffer: Always the same one, with what comes appended to it: see ``append(_:to:)``.
    /// - Returns: `nil` if there is no whole message yet.
    /// - Throws: ``RedisError`` with `.protocolViolation`; the same again when called after that.
    package mutating func next(_ buffer: inout ByteBuffer) throws(RedisError) -> RESPMessage? {
        if let failure { throw failure }
        do throws(RedisError) {
            while let value = try self.nextValue(&buffer) {
                if let message = self.close(value) { return message }
            }
            return nil
        } catch {
            self.failure = error
            self.open = []
            throw error
        }
    }

    /// Appends what came, without moving more than what has not been parsed.
    ///
    /// Slices of the buffer may be in use, and then writing to it would copy all of it: so what is left of it goes to a
    /// new one, and only a string that is waited for, of which there are no slices, grows in place.
    package static func append(_ incoming: ByteBuffer, to buffer: inout ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = incoming
        } else {
            if buffer.readerIndex > 0 {
                var rest = ByteBufferAllocator().buffer(capacity: buffer.readableBytes + incoming.readableBytes)
                rest.writeImmutableBuffer(buffer)
                buffer = rest
            }
            buffer.writeImmutableBuffer(incoming)
        }
    }

    // MARK: Aggregates

    /// A value, or an aggregate without elements, which is one too.
    private enum Parsed {
        case value(RESPValue)
        case push
        /// Nothing: an empty attribute.
        case none
    }

    /// Puts a value where it belongs, and closes the aggregates that it completes.
    ///
    /// - Returns: The message, if that is complete.
    private mutating func close(_ parsed: Parsed) -> RESPMessage? {
        var value: RESPValue
        switch parsed {
        case .value(let parsed): value = parsed
        case .push: return self.finish(.push([]))
        case .none: return nil
        }
        while let last = self.open.indices.last {
            self.open[last].elements.append(value)
            self.open[last].remaining -= 1
            guard self.open[last].remaining == 0 else { return nil }
            let closed = self.open.removeLast()
            switch closed.kind {
            case .array: value = .array(closed.elements)
            case .map: value = .map(closed.elements)
            case .push: return self.finish(.push(closed.elements))
            case .attribute: return nil
            }
        }
        return self.finish(.reply(value))
    }

    private mutating func finish(_ message: RESPMessage) -> RESPMessage {
        self.elements = 0
        self.bytes = 0
        return message
    }

    private mutating func begin(_ kind: Kind, _ count: Int, perElement: Int) throws(RedisError) -> Parsed? {
        guard count <= RedisLimits.maximumElements else { throw Self.violation("it announces too many elements") }
        guard kind != .push || self.open.isEmpty else { throw Self.violation("there is a push inside of a reply") }
        guard count > 0 else {
            switch kind {
            case .array: return .value(.array([]))
            case .map: return .value(.map([]))
            case .push: return .push
            case .attribute: return Parsed.none
            }
        }
        guard self.open.count < RedisLimits.maximumDepth else { throw Self.violation("it is nested too deeply") }
        self.open.append(Open(kind: kind, remaining: count * perElement))
        return nil
    }

    // MARK: Values

    /// Reads on until there is a value.
    ///
    /// - Returns: `nil` if more bytes are needed.
    private mutating func nextValue(_ buffer: inout ByteBuffer) throws(RedisError) -> Parsed? {
        while true {
            if let bulk = self.bulk {
                guard let value = try self.readBulk(bulk.kind, bulk.count, &buffer) else { return nil }
                self.bulk = nil
                return .value(value)
            }
            guard let count = try self.findLine(buffer) else { return nil }
            let parsed = try self.parse(&buffer, count)
            buffer.moveReaderIndex(forwardBy: count + 2)
            if let parsed { return parsed }
        }
    }

    /// - Returns: How many bytes the line has before its CR LF; at least 1.
    private mutating func findLine(_ buffer: ByteBuffer) throws(RedisError) -> Int? {
        let searched = self.searched
        let (count, isEnded) = buffer.withUnsafeReadableBytes { bytes -> (Int, Bool?) in
            var index = searched
            while index < bytes.count, index <= RedisLimits.maximumLineBytes {
                // A line feed stands nowhere else in a line, so what comes before it must be the carriage return.
                if bytes[index] == UInt8(ascii: "\n") {
                    return (index, index >= 2 && bytes[index - 1] == UInt8(ascii: "\r"))
                }
                index += 1
            }
            return (index, nil)
        }
        guard count <= RedisLimits.maximumLineBytes else { throw Self.violation("a line is too long") }
        guard let isEnded else {
            self.searched = count
            return nil
        }
        guard isEnded else { throw Self.violation("a line does not end as it must") }
        self.searched = 0
        self.elements += 1
        guard self.elements <= RedisLimits.maximumElements else {
            throw Self.violation("it has too many elements")
        }
        try self.count(bytes: count)
        return count - 1
    }

    private mutating func readBulk(
        _ kind: BulkKind, _ count: Int, _ buffer: inout ByteBuffer
    ) throws(RedisError) -> RESPValue? {
        guard buffer.readableBytes >= count + 2, var string = buffer.readSlice(length: count) else { return nil }
        guard buffer.readInteger(as: UInt16.self) == Self.lineEnd else {
            throw Self.violation("a string does not end as it must")
        }
        switch kind {
        case .string: return .bytes(string)
        case .error: return .error(RESPServerError(text: String(buffer: string)))
        case .verbatim:
            guard string.readSlice(length: 3) != nil, string.readInteger(as: UInt8.self) == UInt8(ascii: ":") else {
                throw Self.violation("a verbatim string has no format")
            }
            return .bytes(string)
        }
    }

    /// - Parameter count: Bytes of the line, without its end.
    /// - Returns: `nil` if what the line announces is yet to come.
    private mutating func parse(_ buffer: inout ByteBuffer, _ count: Int) throws(RedisError) -> Parsed? {
        let type = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) ?? 0
        switch type {
        case UInt8(ascii: "+"): return .value(.bytes(Self.text(buffer, count)))
        case UInt8(ascii: "-"): return .value(.error(RESPServerError(text: String(buffer: Self.text(buffer, count)))))
        case UInt8(ascii: "("):
            try Self.line(buffer, count, RESPNumber.checkDigits)
            return .value(.bytes(Self.text(buffer, count)))
        case UInt8(ascii: ":"): return .value(.integer(try Self.line(buffer, count, RESPNumber.integer)))
        case UInt8(ascii: ","): return .value(.double(try Self.line(buffer, count, RESPNumber.double)))
        case UInt8(ascii: "#"): return .value(.boolean(try Self.line(buffer, count, RESPNumber.boolean)))
        case UInt8(ascii: "_"):
            guard count == 1 else { throw Self.violation("a null has a value") }
            return .value(.null)
        case UInt8(ascii: "$"), UInt8(ascii: "!"), UInt8(ascii: "="):
            return try self.beginBulk(type, try Self.line(buffer, count, RESPNumber.count))
        case UInt8(ascii: "*"):
            guard let elements = try Self.line(buffer, count, RESPNumber.count) else { return .value(.null) }
            return try self.begin(.array, elements, perElement: 1)
        case UInt8(ascii: "~"):
            return try self.begin(.array, try Self.line(buffer, count, RESPNumber.notNull), perElement: 1)
        case UInt8(ascii: "%"):
            return try self.begin(.map, try Self.line(buffer, count, RESPNumber.notNull), perElement: 2)
        case UInt8(ascii: ">"):
            return try self.begin(.push, try Self.line(buffer, count, RESPNumber.notNull), perElement: 1)
        case UInt8(ascii: "|"):
            return try self.begin(.attribute, try Self.line(buffer, count, RESPNumber.notNull), perElement: 2)
        default: throw Self.violation("a line is of an unknown type")
        }
    }

    /// What stands on the line behind its type.
    private static func text(_ buffer: ByteBuffer, _ count: Int) -> ByteBuffer {
        buffer.getSlice(at: buffer.readerIndex + 1, length: count - 1) ?? ByteBuffer()
    }

    private static func line<Value>(
        _ buffer: ByteBuffer, _ count: Int,
        _ read: (UnsafeRawBufferPointer) throws(RedisError) -> Value
    ) throws(RedisError) -> Value {
        try buffer.withUnsafeReadableBytes { (bytes) throws(RedisError) -> Value in
            try read(UnsafeRawBufferPointer(rebasing: bytes[1..<count]))
        }
    }

    /// - Parameter length: `nil` for null.
    private mutating func beginBulk(_ type: UInt8, _ length: Int?) throws(RedisError) -> Parsed? {
        let kind: BulkKind =
            switch type {
            case UInt8(ascii: "!"): .error
            case UInt8(ascii: "="): .verbatim
            default: .string
            }
        guard let count = length else {
            guard kind == .string else { throw Self.violation("a length is negative") }
            return .value(.null)
        }
        guard count <= RedisLimits.maximumBulkBytes else { throw Self.violation("a string is too long") }
        guard kind != .error || count <= RedisLimits.maximumLineBytes else {
            throw Self.violation("an error is too long")
        }
        try self.count(bytes: count)
        self.bulk = (kind, count)
        return nil
    }

    private mutating func count(bytes: Int) throws(RedisError) {
        self.bytes += bytes
        guard self.bytes <= RedisLimits.maximumReplyBytes else { throw Self.violation("it has too many bytes") }
    }

    private static let lineEnd: UInt16 = 0x0d0a

    static func violation(_ reason: String) -> RedisError {
        RedisError(.protocolViolation, "the server does not speak the protocol: \(reason)")
    }
}
