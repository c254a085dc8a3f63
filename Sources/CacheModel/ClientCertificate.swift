// SPDX-License-Identifier: Apache-2.0

/// What a client's certificate says of its holder, once TLS has found it genuine, in force and of a CA that is trusted.
package struct ClientCertificate: Sendable, Equatable {
    /// The subject alternative names. The common name is none: nobody checks what is written there.
    package let names: [CertificateName]
    package let notAfter: Timestamp

    package init(names: [CertificateName], notAfter: Timestamp) {
        self.names = names
        self.notAfter = notAfter
    }
}

/// A subject alternative name. ASCII, so that equality is that of bytes.
package enum CertificateName: Sendable, Hashable {
    /// Lower case.
    case dns(String)
    case uri(String)
    case email(String)

    /// - Parameter text: As the configuration has it: `dns:api.acme.internal`, `uri:spiffe://example.org/acme` or
    ///   `email:cache@acme.example`.
    /// - Returns: `nil` if it is none of these, empty, longer than ``Limits/maximumCertificateNameBytes`` or not of
    ///   visible ASCII.
    package init?(_ text: String) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "dns": self.init(dns: name)
        case "uri": self.init(name, as: Self.uri)
        case "email": self.init(name, as: Self.email)
        default: return nil
        }
    }

    package init?(dns name: String) { self.init(name.lowercased(), as: Self.dns) }
    package init?(uri: String) { self.init(uri, as: Self.uri) }
    package init?(email: String) { self.init(email, as: Self.email) }

    private init?(_ name: String, as kind: (String) -> Self) {
        let isPlain = name.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        guard isPlain, (1...Limits.maximumCertificateNameBytes).contains(name.utf8.count) else { return nil }
        self = kind(name)
    }
}

extension CertificateName: CustomStringConvertible {
    package var description: String {
        switch self {
        case .dns(let name): "dns:\(name)"
        case .uri(let name): "uri:\(name)"
        case .email(let name): "email:\(name)"
        }
    }
}
