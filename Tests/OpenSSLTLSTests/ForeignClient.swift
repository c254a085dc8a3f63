// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import NIOCore
import NIOEmbedded
import OpenSSLTLS

/// OpenSSL's client without this module: it can do what ours never does.
final class ForeignClient {
    private let context: OpaquePointer
    private let connection: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    init?(maximumVersion: Int32 = TLS1_3_VERSION) {
        guard let context = SSL_CTX_new(TLS_client_method()), let connection = SSL_new(context),
            let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem())
        else { return nil }
        shim_SSL_CTX_set_max_proto_version(context, maximumVersion)
        (self.context, self.connection, self.incoming, self.outgoing) = (context, connection, incoming, outgoing)
        SSL_set_bio(connection, incoming, outgoing)
        SSL_set_connect_state(connection)
    }

    deinit {
        SSL_free(self.connection)
        SSL_CTX_free(self.context)
    }

    /// Goes on with its handshake and hands over what it has written, until both sides have nothing to say.
    func exchange(with end: End) throws {
        while true {
            SSL_do_handshake(self.connection)
            let written = self.written()
            if written.readableBytes > 0 { try end.channel.writeInbound(written) }
            let answered = try end.written()
            if answered.readableBytes > 0 {
                answered.withUnsafeReadableBytes { _ = BIO_write(self.incoming, $0.baseAddress, Int32($0.count)) }
            }
            if written.readableBytes == 0, answered.readableBytes == 0 { return }
        }
    }

    func send(_ text: String) -> Bool { SSL_write(self.connection, text, Int32(text.utf8.count)) > 0 }

    /// Changes its keys with the next write, and asks the peer for the same.
    func updateKeys() -> Bool { SSL_key_update(self.connection, SSL_KEY_UPDATE_REQUESTED) == 1 }

    func received() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = SSL_read(self.connection, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(max(0, Int(count))), as: UTF8.self)
    }

    /// What it has written since the last time.
    func written() -> ByteBuffer {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = BIO_read(self.outgoing, &bytes, Int32(bytes.count))
        return ByteBuffer(bytes: bytes.prefix(max(0, Int(count))))
    }
}
