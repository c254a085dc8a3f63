// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Cuts a stream of bytes into frames: 1 byte flags, 4 bytes big-endian length, body.
///
/// The header meets its limits before any of the body is waited for. Bodies are lent, not copied.
package struct FrameReader {
    package static let headerBytes = 5

    /// Largest body that is accepted, bytes. May change between frames.
    package var maximumBodyBytes: Int
    private var pending = ByteBuffer()

    package init(maximumBodyBytes: Int) { self.maximumBodyBytes = maximumBodyBytes }

    /// Whether some but not all of a frame has arrived.
    package var isInsideFrame: Bool { self.pending.readableBytes > 0 }

    /// Memory that is held for frames, bytes.
    package var capacity: Int { self.pending.capacity }

    package mutating func append(_ incoming: ByteBuffer) {
        if self.pending.readableBytes == 0 {
            self.pending = incoming
        } else {
            self.pending.writeImmutableBuffer(incoming)
        }
    }

    /// Hands the body of the next complete frame to a closure; `nil` if none is complete.
    ///
    /// - Parameter body: Must not let the bytes escape.
    /// - Throws: ``WireError`` with `.unsupportedFlags` or `.frameTooLarge`; the stream cannot be read any further.
    package mutating func withNextBody<Result>(
        _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(WireError) -> Result? {
        let start = self.pending.readerIndex
        guard let flags = self.pending.getInteger(at: start, as: UInt8.self) else { return nil }
        guard flags == 0 else {
            throw WireError(.unsupportedFlags, "frame flags are \(flags); only 0 (not compressed) is supported")
        }
        guard let length = self.pending.getInteger(at: start + 1, as: UInt32.self) else { return nil }
        guard length <= self.maximumBodyBytes else {
            throw WireError(.frameTooLarge, "frame has \(length) bytes, the limit is \(self.maximumBodyBytes)")
        }
        let end = Self.headerBytes + Int(length)
        // No memory ahead of the bytes: it grows, by doubling, only with what the peer has really sent.
        guard self.pending.readableBytes >= end else { return nil }
        let result = self.pending.withUnsafeReadableBytes { bytes in
            body(UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes..<end]))
        }
        self.pending.moveReaderIndex(forwardBy: end)
        if self.pending.readableBytes == 0 { self.pending = ByteBuffer() }
        return result
    }

    /// Gives back what was read already; worth calling once per read of the socket.
    package mutating func reclaim() { self.pending.discardReadBytes() }
}

extension ByteBuffer {
    /// Appends a frame whose body a closure writes; the header's length is filled in afterwards.
    package mutating func writeFrame(_ writeBody: (inout ByteBuffer) -> Void) {
        let start = self.writerIndex
        self.writeInteger(0 as UInt8)
        self.writeInteger(0 as UInt32)
        writeBody(&self)
        let length = self.writerIndex - start - FrameReader.headerBytes
        self.setInteger(UInt32(length), at: start + 1)
    }
}
