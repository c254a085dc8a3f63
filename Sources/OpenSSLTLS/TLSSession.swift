// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import NIOCore

/// One connection's `SSL`: ciphertext on one side, plaintext on the other. Does no I/O. Confined to one event loop.
final class TLSSession {
    enum HandshakeStep {
        case completed(TLSHandshakeCompleted)
        case needsInput
        case failed(TLSError)
    }

    enum DecryptionEnd {
        /// Everything that came is decrypted.
        case needsInput
        /// The peer has said that it sends nothing more.
        case closed
        case failed(TLSError)
    }

    private let context: TLSContext
    private let pointer: OpaquePointer
    private let bio: ByteBufferBIO
    /// Client side: whom this is with, as far as it is verified.
    private let peerName: String?
    private var hello = HelloLength()
    /// What ``PeerCertificate`` says of the peer's.
    private var refusal: TLSError?

    /// - Parameter peerName: Client side: host name or IP address that was connected to.
    /// - Throws: ``TLSError`` with `.misconfigured` if there is no name to verify, or none that is one.
    init(_ context: TLSContext, peerName: String?) throws(TLSError) {
        let bio = ByteBufferBIO()
        guard let pointer = SSL_new(context.pointer) else { throw TLSError(.failed, "OpenSSL makes no connection") }
        guard let source = bio.makeBIO() else {
            SSL_free(pointer)
            throw TLSError(.failed, "OpenSSL makes no BIO")
        }
        // For reading and writing; the one reference goes over.
        SSL_set_bio(pointer, source, source)
        self.context = context
        self.pointer = pointer
        self.bio = bio
        self.peerName = context.isServer ? nil : context.serverName ?? peerName
        SSL_set_ex_data(pointer, 0, Unmanaged.passUnretained(self).toOpaque())
        if context.isServer {
            SSL_set_accept_state(pointer)
        } else {
            SSL_set_connect_state(pointer)
            try self.expectPeer()
        }
    }

    deinit { SSL_free(self.pointer) }

    // MARK: Ciphertext

    var outgoingBytes: Int { self.bio.outgoingBytes }

    func receive(_ ciphertext: ByteBuffer) { self.bio.append(ciphertext) }
    func takeOutgoing() -> ByteBuffer { self.bio.takeOutgoing() }

    // MARK: Handshake

    /// Server side, of everything that is received during the handshake, before it is.
    ///
    /// - Returns: How many bytes may be received before a hello is longer than is allowed; nil if all of them may.
    func bytesBeforeLongHello(_ ciphertext: ByteBuffer) -> Int? {
        guard self.context.isServer else { return nil }
        let isVersion12 = SSL_version(self.pointer) == TLS1_2_VERSION
        return self.hello.read(ciphertext.readableBytesView, isVersion12: isVersion12)
    }

    /// Goes on with the handshake as far as what came allows.
    func advanceHandshake() -> HandshakeStep {
        ERR_clear_error()
        let result = SSL_do_handshake(self.pointer)
        if result == 1 {
            do throws(TLSError) {
                return .completed(try self.outcome())
            } catch {
                return .failed(error)
            }
        }
        if SSL_get_error(self.pointer, result) == SSL_ERROR_WANT_READ { return .needsInput }
        return .failed(self.fault())
    }

    private func outcome() throws(TLSError) -> TLSHandshakeCompleted {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(self.pointer, &name, &count)
        let applicationProtocol = name.map {
            String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self)
        }
        // A certificate that nobody verified says nothing.
        let certificate = self.context.isPeerVerified ? SSL_get0_peer_certificate(self.pointer) : nil
        let peer: PeerCertificate? = if let certificate { try PeerCertificate(certificate) } else { nil }
        return TLSHandshakeCompleted(
            version: SSL_version(self.pointer) >= TLS1_3_VERSION ? .tls13 : .tls12,
            applicationProtocol: applicationProtocol, peer: peer, isResumed: SSL_session_reused(self.pointer) == 1)
    }

    // MARK: Plaintext

    /// Appends to `plaintext` all that can be decrypted now.
    func decrypt(into plaintext: inout ByteBuffer) -> DecryptionEnd {
        ERR_clear_error()
        while true {
            let room = max(self.bio.incomingBytes, Int(SSL_pending(self.pointer)), TLSLimits.minimumReadBytes)
            var result: Int32 = 0
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
                var count = 0
                result = SSL_read_ex(self.pointer, target.baseAddress, target.count, &count)
                return result == 1 ? count : 0
            }
            if result == 1 {
                // Without this the next call would only find that nothing is left.
                if self.bio.incomingBytes == 0, SSL_pending(self.pointer) == 0 { return .needsInput }
                continue
            }
            switch SSL_get_error(self.pointer, result) {
            case SSL_ERROR_WANT_READ: return .needsInput
            case SSL_ERROR_ZERO_RETURN:
                self.bio.dropIncoming()
                return .closed
            default: return .failed(self.fault())
            }
        }
    }

    /// Encrypts the first bytes of a buffer.
    func encrypt(_ count: Int, of plaintext: inout ByteBuffer) throws(TLSError) {
        guard count > 0 else { return }
        ERR_clear_error()
        let records = (count + TLSLimits.recordBytes - 1) / TLSLimits.recordBytes
        self.bio.reserve(count + records * TLSLimits.recordOverheadBytes)
        var written = 0
        let result = plaintext.withUnsafeReadableBytes { source in
            SSL_write_ex(self.pointer, source.baseAddress, count, &written)
        }
        // The BIO takes everything, so that less than all is a fault.
        guard result == 1, written == count else { throw self.fault() }
        plaintext.moveReaderIndex(forwardBy: count)
    }

    /// Says that nothing more is sent. Only after the handshake, and not after a fault.
    func sendCloseNotify() {
        ERR_clear_error()
        _ = SSL_shutdown(self.pointer)
        ERR_clear_error()
    }

    private func fault() -> TLSError {
        self.bio.dropIncoming()
        let fault = TLSError.ofQueue(self.pointer)
        return fault.code == .badCertificate ? self.refusal ?? fault : fault
    }

    /// Whether a peer's certificate that OpenSSL accepts is one of ours as well.
    func accepts(_ certificate: OpaquePointer) -> Bool {
        do throws(TLSError) {
            _ = try PeerCertificate(certificate)
            return true
        } catch {
            self.refusal = error
            return false
        }
    }

    // MARK: Client side

    private func expectPeer() throws(TLSError) {
        guard let name = self.peerName else {
            guard !self.context.isPeerVerified else { throw TLSError(.misconfigured, "there is no name to verify") }
            return
        }
        // A C string would end at a NUL, and a dot at the beginning would stand for any name before it.
        guard (1...TLSLimits.maximumPeerNameBytes).contains(name.utf8.count), !name.utf8.contains(0),
            name.utf8.first != UInt8(ascii: ".")
        else {
            throw TLSError(.misconfigured, "the name to verify is none")
        }
        if let address = a2i_IPADDRESS(name) {
            ASN1_OCTET_STRING_free(address)
            guard X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(self.pointer), name) == 1 else {
                throw TLSError(.failed, "OpenSSL does not take the address to verify")
            }
        } else {
            ERR_clear_error()
            guard SSL_set1_host(self.pointer, name) == 1, shim_SSL_set_tlsext_host_name(self.pointer, name) == 1 else {
                throw TLSError(.failed, "OpenSSL does not take the name to verify")
            }
        }
        self.context.rememberedSessions.resume(with: name, on: self.pointer)
    }

    /// - Returns: Whether the reference was taken over.
    func remember(_ session: OpaquePointer) -> Bool {
        guard let peerName else { return false }
        self.context.rememberedSessions.put(session, for: peerName)
        return true
    }

    static func owner(_ connection: OpaquePointer) -> TLSSession? {
        guard let owner = SSL_get_ex_data(connection, 0) else { return nil }
        return Unmanaged<TLSSession>.fromOpaque(owner).takeUnretainedValue()
    }
}
