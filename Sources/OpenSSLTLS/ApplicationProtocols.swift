// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// Names of application protocols as the extension writes them: each behind its length.
final class ApplicationProtocols: Sendable {
    private let bytes: [UInt8]

    /// - Throws: ``TLSError`` with `.misconfigured` for a name that the extension cannot hold, or too many.
    init(_ names: [String]) throws(TLSError) {
        guard names.count <= TLSLimits.maximumApplicationProtocols,
            names.allSatisfy({ (1...TLSLimits.maximumApplicationProtocolBytes).contains($0.utf8.count) })
        else { throw TLSError(.misconfigured, "an application protocol's name is empty or too long, or too many are") }
        self.bytes = names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    }

    /// Makes a client's connections offer them.
    func offer(in context: OpaquePointer) throws(TLSError) {
        guard !self.bytes.isEmpty else { return }
        // This one returns 0 if it is done.
        guard SSL_CTX_set_alpn_protos(context, self.bytes, UInt32(self.bytes.count)) == 0 else {
            throw TLSError(.failed, "OpenSSL does not take the application protocols")
        }
    }

    /// Makes a server's connections choose among them. The caller keeps this alive as long as the context.
    func select(in context: OpaquePointer) {
        guard !self.bytes.isEmpty else { return }
        SSL_CTX_set_alpn_select_cb(
            context,
            { _, selected, selectedCount, offered, offeredCount, argument in
                guard let argument, let selected, let selectedCount else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                let own = Unmanaged<ApplicationProtocols>.fromOpaque(argument).takeUnretainedValue()
                return own.bytes.withUnsafeBufferPointer { own in
                    var found: UnsafeMutablePointer<UInt8>?
                    let result = SSL_select_next_proto(
                        &found, selectedCount, own.baseAddress, UInt32(own.count), offered, offeredCount)
                    guard result == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                    selected.pointee = UnsafePointer(found)
                    return SSL_TLSEXT_ERR_OK
                }
            }, Unmanaged.passUnretained(self).toOpaque())
    }
}
