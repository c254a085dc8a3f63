// SPDX-License-Identifier: Apache-2.0

extension TLSError {
    /// Whether the next attempt may end otherwise though neither side has changed anything.
    package var isPassing: Bool {
        switch self.code {
        case .truncated, .handshakeAbandoned, .failed: true
        case .notTLS, .unsupportedVersion, .noSharedCipher, .noApplicationProtocol, .certificateExpired,
            .certificateNotYetValid, .unknownAuthority, .certificateRequired, .wrongName, .badCertificate,
            .alertReceived, .limitExceeded, .protocolViolation, .misconfigured:
            false
        }
    }
}
