// SPDX-License-Identifier: Apache-2.0

/// Versions of the protocol. Older ones are refused.
package enum TLSVersion: Sendable, Comparable {
    case tls12
    case tls13
}

/// Whom this side claims to be: files in PEM.
package struct TLSIdentity: Sendable, Equatable {
    /// Path of the own certificate, followed in the same file by those that lead to the root.
    package var chainFile: String
    /// Path of its private key, not encrypted with a passphrase.
    package var keyFile: String

    package init(chainFile: String, keyFile: String) {
        self.chainFile = chainFile
        self.keyFile = keyFile
    }
}

/// How a server speaks TLS.
package struct TLSServerConfiguration: Sendable, Equatable {
    /// Whether clients prove who they are.
    package enum ClientCertificates: Sendable, Equatable {
        /// They are not asked for one.
        case none
        /// Those that have one are verified against the file's authorities; one that fails is refused.
        case optional(trustFile: String)
        /// Those without are refused as well.
        case required(trustFile: String)
    }

    package var identity: TLSIdentity
    package var clientCertificates: ClientCertificates = .none
    package var minimumVersion: TLSVersion = .tls12
    /// Protocols that are spoken here, the preferred first. A client that offers none is accepted, one that offers only
    /// others is refused.
    package var applicationProtocols: [String] = []

    package init(identity: TLSIdentity) { self.identity = identity }
}

/// How a client speaks TLS.
package struct TLSClientConfiguration: Sendable, Equatable {
    /// By whom a server's certificate must have been issued.
    package enum Trust: Sendable, Equatable {
        /// An authority of the system.
        case system
        /// A certificate of the file: an authority's, or the server's own.
        case file(String)
        /// Anybody, for any name, at any time: whoever stands between can read everything.
        case nobodyIsChecked
    }

    package var trust: Trust = .system
    /// Sent if the server asks for it.
    package var identity: TLSIdentity?
    /// Host name or IP address that is verified, and asked for if it is a name, in place of the one that was connected
    /// to.
    package var serverName: String?
    package var minimumVersion: TLSVersion = .tls12
    /// Protocols that are offered, the preferred first.
    package var applicationProtocols: [String] = []

    package init() {}
}
