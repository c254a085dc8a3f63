// SPDX-License-Identifier: Apache-2.0

import COpenSSL

extension TLSError {
    /// What the error queue of this thread says of a connection's fault; the queue is empty afterwards.
    ///
    /// - Parameter connection: The `SSL` that failed.
    static func ofQueue(_ connection: OpaquePointer) -> TLSError {
        let code = ERR_peek_error()
        defer { ERR_clear_error() }
        guard code != 0 else { return TLSError(.failed, "OpenSSL gives no reason") }
        guard ERR_GET_LIB(code) == ERR_LIB_SSL else {
            // Parsers and ciphers below say why they could not take what came.
            return TLSError(.protocolViolation, Self.text(code))
        }
        let reason = ERR_GET_REASON(code)
        if reason > SSL_AD_REASON_OFFSET {
            let number = reason - SSL_AD_REASON_OFFSET
            // OpenSSL 3.0 has no words for this one.
            let isForCertificate = number == SSL_AD_CERTIFICATE_REQUIRED
            let alert = isForCertificate ? "certificate required" : String(cString: SSL_alert_desc_string_long(number))
            return TLSError(.alertReceived, "the peer sent the alert \"\(alert)\"")
        }
        switch reason {
        case SSL_R_CERTIFICATE_VERIFY_FAILED: return Self.ofVerification(SSL_get_verify_result(connection))
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return TLSError(.certificateRequired, "the peer has shown no certificate")
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: return TLSError(.notTLS, "the peer speaks plain HTTP")
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_BAD_RECORD_TYPE, SSL_R_NO_PROTOCOLS_AVAILABLE:
            return TLSError(.notTLS, "what the peer sent is not TLS")
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_UNSUPPORTED_SSL_VERSION, SSL_R_VERSION_TOO_LOW,
            SSL_R_WRONG_SSL_VERSION, SSL_R_UNKNOWN_PROTOCOL, SSL_R_INAPPROPRIATE_FALLBACK:
            return TLSError(.unsupportedVersion, "the peer offers no version of TLS that is allowed")
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SHARED_GROUPS, SSL_R_NO_SUITABLE_KEY_SHARE,
            SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
            return TLSError(.noSharedCipher, "the peer offers no cipher, group or signature that is allowed")
        case SSL_R_NO_APPLICATION_PROTOCOL:
            return TLSError(.noApplicationProtocol, "the peer offers no application protocol that is spoken here")
        case SSL_R_EXCESSIVE_MESSAGE_SIZE:
            return TLSError(.limitExceeded, "the peer sent a message longer than is allowed")
        default: return TLSError(.protocolViolation, Self.text(code))
        }
    }

    private static func ofVerification(_ result: Int) -> TLSError {
        let reason = String(cString: X509_verify_cert_error_string(result))
        return switch Int32(truncatingIfNeeded: result) {
        case X509_V_ERR_CERT_HAS_EXPIRED: TLSError(.certificateExpired, "the peer's certificate has expired")
        case X509_V_ERR_CERT_NOT_YET_VALID:
            TLSError(.certificateNotYetValid, "the peer's certificate is not valid yet")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            TLSError(.wrongName, "the peer's certificate is for another name")
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
            X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_CERT_UNTRUSTED:
            TLSError(.unknownAuthority, "nobody who is trusted has issued the peer's certificate: \(reason)")
        default: TLSError(.badCertificate, "the peer's certificate cannot be taken: \(reason)")
        }
    }

    /// What the queue says of a file that could not be used; the queue is empty afterwards.
    static func ofFile(_ part: Part, _ path: String) -> TLSError {
        let code = ERR_peek_error()
        defer { ERR_clear_error() }
        guard code != 0 else { return Self.misconfigured(part, path, "cannot be used") }
        let (library, reason) = (ERR_GET_LIB(code), ERR_GET_REASON(code))
        switch (library, reason) {
        case (ERR_LIB_SYS, _): return Self.misconfigured(part, path, "cannot be read: \(Self.text(code))")
        case (ERR_LIB_PEM, PEM_R_NO_START_LINE), (ERR_LIB_X509, X509_R_NO_CERTIFICATE_OR_CRL_FOUND),
            (ERR_LIB_X509, X509_R_NO_CERTIFICATE_FOUND), (ERR_LIB_OSSL_DECODER, _):
            return Self.misconfigured(part, path, "holds nothing of the kind in PEM")
        case (ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH), (ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH),
            (ERR_LIB_SSL, SSL_R_NO_CERTIFICATE_ASSIGNED):
            return Self.misconfigured(part, path, "does not belong to the certificate")
        default: return Self.misconfigured(part, path, "cannot be used: \(Self.text(code))")
        }
    }

    static func misconfigured(_ part: Part, _ path: String, _ fault: String) -> TLSError {
        TLSError(.misconfigured, "\(part.rawValue) \(path) \(fault)", part: part)
    }

    /// OpenSSL's own words, without the numbers that it puts before them.
    private static func text(_ code: UInt) -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        ERR_error_string_n(code, &bytes, bytes.count)
        let words = bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: words.split(separator: UInt8(ascii: ":")).last ?? [], as: UTF8.self)
    }
}
