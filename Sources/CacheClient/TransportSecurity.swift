// SPDX-License-Identifier: Apache-2.0

import OpenSSLTLS

/// How connections to a server are protected.
public enum TransportSecurity: Sendable, Hashable {
    /// Not at all: who is on the way reads and changes prompts, answers and credentials. For a server of the same
    /// machine, or where something else encrypts.
    case plaintext
    /// By TLS.
    case tls(ClientTLS)
}

/// How TLS is spoken with a server.
///
/// Files are in PEM. They are read when the client is made, and again for the next connection once they have changed, so
/// that certificates are rotated without a restart. While changed ones cannot be used, such as a certificate whose key is
/// yet to be written, what was read before stays in force.
public struct ClientTLS: Sendable, Hashable {
    /// By whom the server's certificate must have been issued.
    public enum Trust: Sendable, Hashable {
        /// An authority that the operating system trusts.
        case systemAuthorities
        /// A certificate of the file: an authority's, or the server's own.
        case authorities(file: String)
        /// Anybody, for any name, at any time: whoever stands between can pass for the server and read everything,
        /// credentials too. For tests only.
        case anybodyWithoutVerification
    }

    /// Whom the client claims to be.
    public struct Certificate: Sendable, Hashable {
        /// Path of the client's own certificate, followed in the same file by those that lead to the authority's.
        public var chainFile: String
        /// Path of its private key, without a passphrase.
        public var keyFile: String

        /// Makes one of two paths.
        public init(chainFile: String, keyFile: String) {
            self.chainFile = chainFile
            self.keyFile = keyFile
        }
    }

    /// A version of TLS. Older ones are never spoken.
    public enum Version: Sendable, Hashable {
        /// TLS 1.2.
        case tls12
        /// TLS 1.3.
        case tls13
    }

    /// Whom a server must be known to.
    public var trust: Trust

    /// Shown to a server that asks for it. A server may know the tenant by it, without another credential.
    public var certificate: Certificate?

    /// Host name or IP address that the server's certificate must be for, instead of the one in its address; also what
    /// the server is asked for.
    public var serverName: String?

    /// The oldest version that is spoken.
    public var minimumVersion: Version = .tls12

    /// Makes settings that differ from the defaults in nothing but these.
    public init(trust: Trust = .systemAuthorities, certificate: Certificate? = nil, serverName: String? = nil) {
        self.trust = trust
        self.certificate = certificate
        self.serverName = serverName
    }
}

extension ClientTLS {
    var configuration: TLSClientConfiguration {
        var configuration = TLSClientConfiguration()
        configuration.trust =
            switch self.trust {
            case .systemAuthorities: .system
            case .authorities(let file): .file(file)
            case .anybodyWithoutVerification: .nobodyIsChecked
            }
        configuration.identity = self.certificate.map { TLSIdentity(chainFile: $0.chainFile, keyFile: $0.keyFile) }
        configuration.serverName = self.serverName
        configuration.minimumVersion = self.minimumVersion == .tls12 ? .tls12 : .tls13
        return configuration
    }
}

extension ClientConfiguration {
    /// How TLS is spoken, if the security or any address says that it is: nobody who asks for it somewhere wants his
    /// credential to go elsewhere in the clear.
    var tls: ClientTLS? {
        switch self.transportSecurity {
        case .tls(let tls): tls
        case .plaintext: self.addresses.contains { $0.usesTLS } ? ClientTLS() : nil
        }
    }
}

extension TLSError {
    /// Why there is no connection, in one line.
    var reason: String { self.code == .notTLS ? "the server does not speak TLS" : "TLS: \(self.message)" }
}
