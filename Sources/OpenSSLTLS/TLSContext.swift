// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// A configuration with its files read: what connections are made from. Immutable.
///
/// A reload makes another one; connections keep theirs. Sessions are resumed only under the context that began them,
/// since each has ticket keys of its own.
package final class TLSContext: Sendable {
    /// When the own certificate expires, seconds since 1970; `nil` if there is none.
    package let notAfter: Int64?
    /// SHA-256 of the own certificate; `nil` if there is none.
    package let certificateDigest: [UInt8]?
    /// Server side: SHA-256 of each certificate that a client's may have been issued by; empty if clients show none.
    package let clientAuthorities: Set<[UInt8]>
    let isServer: Bool
    /// Client side: whether the peer's certificate is verified.
    let isPeerVerified: Bool
    let serverName: String?
    /// What a peer may send until its handshake is done.
    let maximumHandshakeBytes: Int
    let rememberedSessions: RememberedSessions
    private let chainFile: String?
    private let handle: Handle
    /// The handle refers to it.
    private let applicationProtocols: ApplicationProtocols

    var pointer: OpaquePointer { self.handle.pointer }

    /// Reads the files.
    ///
    /// - Throws: ``TLSError`` with `.misconfigured` that names the file and what is wrong.
    package init(_ configuration: TLSServerConfiguration) throws(TLSError) {
        self.handle = try Handle(TLS_server_method(), configuration.minimumVersion)
        let pointer = self.handle.pointer
        self.isServer = true
        self.isPeerVerified = configuration.clientCertificates != .none
        self.serverName = nil
        self.chainFile = configuration.identity.chainFile
        self.maximumHandshakeBytes =
            self.isPeerVerified
            ? TLSLimits.maximumHandshakeBytes : TLSLimits.maximumHandshakeBytesWithoutCertificate
        self.rememberedSessions = RememberedSessions()
        self.applicationProtocols = try ApplicationProtocols(configuration.applicationProtocols)
        self.notAfter = try Self.use(configuration.identity, in: pointer)
        self.applicationProtocols.select(in: pointer)
        Self.resumeByTickets(in: pointer)
        switch configuration.clientCertificates {
        case .none: break
        case .optional(let file):
            try Self.trustClients(of: file, in: pointer)
            Self.verify(SSL_VERIFY_PEER, in: pointer)
        case .required(let file):
            try Self.trustClients(of: file, in: pointer)
            Self.verify(SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, in: pointer)
        }
        self.certificateDigest = SSL_CTX_get0_certificate(pointer).map { Self.digest(of: $0) }
        self.clientAuthorities = Self.trustedDigests(in: pointer)
    }

    /// Reads the files.
    ///
    /// - Throws: ``TLSError`` with `.misconfigured` that names the file and what is wrong.
    package init(_ configuration: TLSClientConfiguration) throws(TLSError) {
        self.handle = try Handle(TLS_client_method(), configuration.minimumVersion)
        let pointer = self.handle.pointer
        self.isServer = false
        self.isPeerVerified = configuration.trust != .nobodyIsChecked
        self.serverName = configuration.serverName
        self.chainFile = configuration.identity?.chainFile
        self.maximumHandshakeBytes = TLSLimits.maximumHandshakeBytes
        self.rememberedSessions = RememberedSessions()
        self.applicationProtocols = try ApplicationProtocols(configuration.applicationProtocols)
        self.notAfter = if let identity = configuration.identity { try Self.use(identity, in: pointer) } else { nil }
        self.certificateDigest = SSL_CTX_get0_certificate(pointer).map { Self.digest(of: $0) }
        self.clientAuthorities = []
        try self.applicationProtocols.offer(in: pointer)
        switch configuration.trust {
        case .system:
            guard SSL_CTX_set_default_verify_paths(pointer) == 1 else {
                throw TLSError.ofFile(.authorities, "of the system")
            }
        case .file(let file): try Self.trust(file, in: pointer)
        case .nobodyIsChecked: break
        }
        if self.isPeerVerified { Self.verify(SSL_VERIFY_PEER, in: pointer) }
        RememberedSessions.collect(in: pointer)
    }

    /// Checks that the own certificate, if there is one, would be taken now: clients would only see that it is not.
    ///
    /// - Throws: ``TLSError`` with `.misconfigured` that names the file and what is wrong.
    package func checkCertificate() throws(TLSError) {
        guard let chainFile, let leaf = SSL_CTX_get0_certificate(self.pointer) else { return }
        // A time that cannot be read is 0, and refused too.
        guard X509_cmp_current_time(X509_get0_notBefore(leaf)) < 0 else {
            let time = PeerCertificate.text(X509_get0_notBefore(leaf))
            throw TLSError.misconfigured(.certificate, chainFile, "is not valid before \(time)")
        }
        guard PeerCertificate.isCurrent(leaf) else {
            let time = PeerCertificate.text(X509_get0_notAfter(leaf))
            throw TLSError.misconfigured(.certificate, chainFile, "expired at \(time)")
        }
        let purpose = self.isServer ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT
        guard X509_check_purpose(leaf, purpose, 0) == 1 else {
            throw TLSError.misconfigured(
                .certificate, chainFile, "is not for \(self.isServer ? "servers" : "clients"), by what its usages say")
        }
    }

    // MARK: Setting up

    /// - Returns: When the certificate expires.
    private static func use(_ identity: TLSIdentity, in pointer: OpaquePointer) throws(TLSError) -> Int64 {
        try Self.check(identity.chainFile, .certificate)
        try Self.check(identity.keyFile, .privateKey)
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(pointer, identity.chainFile) == 1 else {
            throw TLSError.ofFile(.certificate, identity.chainFile)
        }
        // Without this OpenSSL would ask on the terminal.
        var isEncrypted = false
        let isUsed = withUnsafeMutablePointer(to: &isEncrypted) { isEncrypted in
            SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, isEncrypted in
                isEncrypted?.assumingMemoryBound(to: Bool.self).pointee = true
                return -1
            }
            SSL_CTX_set_default_passwd_cb_userdata(pointer, isEncrypted)
            defer { SSL_CTX_set_default_passwd_cb_userdata(pointer, nil) }
            return SSL_CTX_use_PrivateKey_file(pointer, identity.keyFile, SSL_FILETYPE_PEM) == 1
        }
        guard !isEncrypted else {
            ERR_clear_error()
            throw TLSError.misconfigured(.privateKey, identity.keyFile, "is encrypted with a passphrase")
        }
        guard isUsed, SSL_CTX_check_private_key(pointer) == 1, let leaf = SSL_CTX_get0_certificate(pointer) else {
            throw TLSError.ofFile(.privateKey, identity.keyFile)
        }
        return PeerCertificate.notAfter(leaf)
    }

    private static func trust(_ file: String, in pointer: OpaquePointer) throws(TLSError) {
        try Self.check(file, .authorities)
        ERR_clear_error()
        guard SSL_CTX_load_verify_file(pointer, file) == 1 else { throw TLSError.ofFile(.authorities, file) }
    }

    private static func trustClients(of file: String, in pointer: OpaquePointer) throws(TLSError) {
        try Self.trust(file, in: pointer)
        // Clients that have several certificates choose by these.
        guard let names = SSL_load_client_CA_file(file) else { throw TLSError.ofFile(.authorities, file) }
        SSL_CTX_set_client_CA_list(pointer, names)
    }

    /// A path reaches OpenSSL as a C string, which would end at a NUL.
    private static func check(_ path: String, _ part: TLSError.Part) throws(TLSError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw TLSError(.misconfigured, "\(part.rawValue) has no path", part: part)
        }
    }

    /// Has peers verified by OpenSSL, and then by the rules of ``PeerCertificate``, so that whom these refuse is told.
    private static func verify(_ mode: Int32, in pointer: OpaquePointer) {
        SSL_CTX_set_verify(pointer, mode) { isAccepted, verification in
            guard isAccepted == 1, X509_STORE_CTX_get_error_depth(verification) == 0 else { return isAccepted }
            let connection = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx())
            guard let connection, let session = TLSSession.owner(OpaquePointer(connection)),
                let certificate = X509_STORE_CTX_get_current_cert(verification), session.accepts(certificate)
            else {
                X509_STORE_CTX_set_error(verification, X509_V_ERR_CERT_REJECTED)
                return 0
            }
            return 1
        }
    }

    /// Tickets hold a session at the client's; nothing is kept here.
    private static func resumeByTickets(in pointer: OpaquePointer) {
        shim_SSL_CTX_set_session_cache_mode(pointer, Int(SSL_SESS_CACHE_OFF))
        SSL_CTX_set_num_tickets(pointer, TLSLimits.ticketsPerHandshake)
        let name = Array("semcached".utf8)
        SSL_CTX_set_session_id_context(pointer, name, UInt32(name.count))
        SSL_CTX_set_session_ticket_cb(
            pointer, { _, _ in 1 },
            { _, session, _, _, status, _ in
                guard status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW else {
                    return SSL_TICKET_RETURN_IGNORE_RENEW
                }
                // A resumption shows no certificate: the one that was shown must still do.
                if let certificate = SSL_SESSION_get0_peer(session), !PeerCertificate.isCurrent(certificate) {
                    return SSL_TICKET_RETURN_IGNORE_RENEW
                }
                return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW
            }, nil)
    }
}
