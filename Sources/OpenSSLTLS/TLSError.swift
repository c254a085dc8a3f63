// SPDX-License-Identifier: Apache-2.0

/// Why a connection is not, or no longer, secure; or why a configuration cannot make one so.
///
/// The message names files, versions and alerts, never a key, a certificate's subject or anything that was sent.
package struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// What the peer sent is not TLS: plain HTTP, another protocol, noise.
        case notTLS = "not_tls"
        /// The two sides have no version in common.
        case unsupportedVersion = "unsupported_version"
        /// The two sides have no cipher, group or signature algorithm in common.
        case noSharedCipher = "no_shared_cipher"
        /// The peer offers only application protocols that are not spoken here.
        case noApplicationProtocol = "no_application_protocol"
        /// The peer's certificate, or one above it, has expired.
        case certificateExpired = "certificate_expired"
        /// The same, but it will be valid only later.
        case certificateNotYetValid = "certificate_not_yet_valid"
        /// Nobody who is trusted has issued the peer's certificate.
        case unknownAuthority = "unknown_authority"
        /// The peer has to show a certificate and has not.
        case certificateRequired = "certificate_required"
        /// The certificate is for other names than that of the peer.
        case wrongName = "wrong_name"
        /// The peer's certificate cannot be taken for another reason.
        case badCertificate = "bad_certificate"
        /// The peer gave up; the message has its alert.
        case alertReceived = "alert_received"
        /// The peer ended the connection without saying that it had sent everything.
        case truncated
        /// The peer ended the connection before the handshake was done.
        case handshakeAbandoned = "handshake_abandoned"
        /// More than ``TLSLimits`` allows.
        case limitExceeded = "limit_exceeded"
        /// The peer broke the protocol in another way.
        case protocolViolation = "protocol_violation"
        /// A file or a setting with which nothing can be secured.
        case misconfigured
        /// OpenSSL failed where only a lack of memory or of randomness makes it.
        case failed
    }

    /// What of a configuration is at fault.
    package enum Part: String, Sendable {
        case certificate = "the certificate"
        case privateKey = "the private key"
        case authorities = "the list of authorities"
    }

    package let code: Code
    package let message: String
    /// Of `.misconfigured`, if it is one of these.
    package let part: Part?

    package init(_ code: Code, _ message: String, part: Part? = nil) {
        self.code = code
        self.message = message
        self.part = part
    }

    package var description: String { "\(self.code.rawValue): \(self.message)" }
}
