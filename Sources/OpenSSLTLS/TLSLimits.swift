// SPDX-License-Identifier: Apache-2.0

/// Every limit of this module, with its unit and its reason.
package enum TLSLimits {
    // MARK: Handshakes

    /// What a peer that shows a certificate sends until its handshake is done, bytes: a chain of the size below, and as
    /// much again for a hello with every extension.
    package static let maximumHandshakeBytes = 64 << 10
    /// The same of a peer that is not asked for a certificate.
    package static let maximumHandshakeBytesWithoutCertificate = 32 << 10
    /// What a client's hello says that it has, bytes: room for it is made as soon as it says so, before it has come.
    /// Those with a key that is to withstand quantum computers have less than 2 KiB.
    package static let maximumHelloBytes = 16 << 10
    /// A peer's chain of certificates, bytes: ten of the largest that are in use.
    package static let maximumChainBytes = 32 << 10
    /// Certificates between the peer's own and one that is trusted: two are usual.
    package static let maximumChainDepth: Int32 = 8
    /// What is written by this side before the handshake is done, bytes: a client may begin with its largest request.
    package static let maximumBytesBeforeHandshake = 64 << 20

    // MARK: Records

    /// Plaintext of one record, bytes: what the protocol allows. Short writes are collected until they fill one.
    package static let recordBytes = 16 << 10
    /// What a record adds to its plaintext, bytes, rounded up: header, content type, tag, explicit nonce.
    package static let recordOverheadBytes = 64
    /// Ciphertext that is kept until the next flush, bytes; beyond it it is handed to the channel, whose writability
    /// counts it then.
    package static let unflushedBytes = 64 << 10
    /// Room that a read of plaintext has at least, bytes.
    package static let minimumReadBytes = 512

    // MARK: Certificates

    /// Names that a certificate has for its subject: more are in use only where one serves for many hosts' names, which
    /// a client of a cache is not.
    package static let maximumSubjectNames = 128
    /// One of them, bytes: SPIFFE allows 2,048 for its URIs, everybody else far less.
    package static let maximumSubjectNameBytes = 2048

    // MARK: Resumption

    /// Age of a ticket until it is not taken any more, seconds. Each resumption brings another one, so that a client
    /// that returns in time need not show its certificate again until that expires, or the server has another context.
    package static let sessionSeconds = 3600
    /// Tickets that a server gives out with each handshake: a client that connects again uses one, and gets another.
    package static let ticketsPerHandshake = 1
    /// Peers whose last session a client remembers; each holds a ticket and a certificate, a few KiB.
    package static let maximumRememberedSessions = 256

    // MARK: Configuration

    /// An application protocol's name, bytes: what the extension allows.
    package static let maximumApplicationProtocolBytes = 255
    /// Application protocols of a configuration: two are usual.
    package static let maximumApplicationProtocols = 16
    /// A name that is verified, bytes: what the domain name system allows.
    package static let maximumPeerNameBytes = 255
}
