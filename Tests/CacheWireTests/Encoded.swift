// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import NIOCore

/// Messages as the bodies of their frames.
struct Encoded {
    private let client = ClientMessageEncoder()
    private let server = ServerMessageEncoder()

    func body(of message: ClientMessage) -> [UInt8] {
        var buffer = ByteBuffer()
        self.client.write(message, into: &buffer)
        return Self.body(&buffer)
    }

    func body(of message: ServerMessage) -> [UInt8] {
        var buffer = ByteBuffer()
        self.server.write(message, into: &buffer)
        return Self.body(&buffer)
    }

    /// The body of the one frame that a buffer holds.
    static func body(_ buffer: inout ByteBuffer) -> [UInt8] {
        var reader = FrameReader(maximumBodyBytes: Int(UInt32.max))
        reader.append(buffer)
        let body = try? reader.withNextBody { Array($0) }
        precondition(!reader.isInsideFrame, "more than one frame")
        return body!
    }
}

extension ClientMessageDecoder {
    func decode(_ body: [UInt8]) throws(WireError) -> ClientMessage {
        let result = body.withUnsafeBytes { bytes in
            Result { () throws(WireError) in try self.decode(bytes) }
        }
        return try result.get()
    }
}

extension ServerMessageDecoder {
    func decode(_ body: [UInt8]) throws(WireError) -> ServerMessage {
        let result = body.withUnsafeBytes { bytes in
            Result { () throws(WireError) in try self.decode(bytes) }
        }
        return try result.get()
    }
}
