// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import NIOCore

/// What OpenSSL reads ciphertext from and writes it to, in place of a socket: two buffers.
///
/// Whoever has it keeps it alive for as long as there is the `BIO` of ``makeBIO()``. Confined to one event loop.
final class ByteBufferBIO {
    /// From the peer; what is left was not asked for yet.
    private(set) var incoming = ByteBuffer()
    /// For the peer.
    private var outgoing = ByteBuffer()

    var incomingBytes: Int { self.incoming.readableBytes }
    var outgoingBytes: Int { self.outgoing.readableBytes }

    /// Takes what the channel has read, without copying if all before it was consumed.
    func append(_ buffer: ByteBuffer) {
        if self.incoming.readableBytes == 0 {
            self.incoming = buffer
        } else {
            self.incoming.discardReadBytes()
            self.incoming.writeImmutableBuffer(buffer)
        }
    }

    /// Makes room once for what is about to be written in pieces.
    func reserve(_ bytes: Int) { self.outgoing.reserveCapacity(minimumWritableBytes: bytes) }

    /// Gives away what was written.
    func takeOutgoing() -> ByteBuffer {
        var taken = ByteBuffer()
        swap(&taken, &self.outgoing)
        return taken
    }

    /// Gives away what nobody will read.
    func dropIncoming() { self.incoming = ByteBuffer() }

    /// A `BIO` on this; `nil` if there is no memory.
    func makeBIO() -> OpaquePointer? {
        guard let method = Self.method, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    // MARK: Called by OpenSSL

    private func read(into target: UnsafeMutableRawBufferPointer) -> Int {
        let count = self.incoming.readWithUnsafeReadableBytes { source in
            let count = min(source.count, target.count)
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
            return count
        }
        // An idle connection holds no buffer.
        if self.incoming.readableBytes == 0 { self.incoming = ByteBuffer() }
        return count
    }

    private static func owner(_ bio: OpaquePointer?) -> ByteBufferBIO? {
        guard let data = BIO_get_data(bio) else { return nil }
        return Unmanaged<ByteBufferBIO>.fromOpaque(data).takeUnretainedValue()
    }

    /// Made once, never changed and never freed, which is what makes it safe to share.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ByteBuffer") else { return nil }
        BIO_meth_set_read(method) { bio, target, count in
            shim_BIO_clear_retry_flags(bio)
            guard let owner = ByteBufferBIO.owner(bio), let target, count > 0 else { return 0 }
            let read = owner.read(into: UnsafeMutableRawBufferPointer(start: target, count: Int(count)))
            guard read > 0 else {
                // Nothing now, more later.
                shim_BIO_set_retry_read(bio)
                return -1
            }
            return Int32(read)
        }
        BIO_meth_set_write(method) { bio, source, count in
            shim_BIO_clear_retry_flags(bio)
            guard let owner = ByteBufferBIO.owner(bio), let source, count > 0 else { return 0 }
            owner.outgoing.writeBytes(UnsafeRawBufferPointer(start: source, count: Int(count)))
            return count
        }
        BIO_meth_set_ctrl(method) { bio, command, _, _ in
            switch command {
            case BIO_CTRL_FLUSH: 1
            case BIO_CTRL_PENDING: ByteBufferBIO.owner(bio)?.incoming.readableBytes ?? 0
            case BIO_CTRL_WPENDING: ByteBufferBIO.owner(bio)?.outgoing.readableBytes ?? 0
            default: 0
            }
        }
        return method
    }()
}
