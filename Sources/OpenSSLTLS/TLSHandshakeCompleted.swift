// SPDX-License-Identifier: Apache-2.0

/// User inbound event of ``TLSHandler``: from now on the connection is secure, and whatever was demanded of the peer's
/// certificate is met.
package struct TLSHandshakeCompleted: Sendable, Equatable {
    package let version: TLSVersion
    /// What both sides speak; `nil` if one of them did not say.
    package let applicationProtocol: String?
    /// The peer's certificate if it was verified; a client that shows none, where it need not, has none.
    package let peer: PeerCertificate?
    /// Whether it goes on from an earlier connection, at which the certificate was shown.
    package let isResumed: Bool
}
