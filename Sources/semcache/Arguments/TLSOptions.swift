// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How TLS is spoken with the server.
struct TLSOptions: ParsableArguments {
    static let caVariable = "SEMCACHED_CA_FILE"
    static let certificateVariable = "SEMCACHED_CLIENT_CERTIFICATE"
    static let keyVariable = "SEMCACHED_CLIENT_KEY"
    /// Not `SEMCACHED_SERVER_…`, which the daemon takes for a setting of its own.
    static let nameVariable = "SEMCACHED_PEER_NAME"

    @Flag(
        help: """
            Speak TLS with the server, as an address of semcached+tls:// says too, and each of the options below.
            """)
    var tls = false

    @Option(
        help: ArgumentHelp(
            """
            Trust the certificates of this file (PEM), such as your authority's, instead of the system's (default: \
            $\(caVariable)).
            """, valueName: "file"))
    var caFile: String?

    @Option(
        help: ArgumentHelp(
            """
            Show the server this certificate (PEM, with those above it), by which it may know the tenant (default: \
            $\(certificateVariable)).
            """, valueName: "file"))
    var clientCertificate: String?

    @Option(
        help: ArgumentHelp("The certificate's private key (PEM; default: $\(keyVariable)).", valueName: "file"))
    var clientKey: String?

    @Option(
        help: ArgumentHelp(
            """
            The name that the server's certificate must be for, if it is not that of its address (default: \
            $\(nameVariable)).
            """, valueName: "name"))
    var serverName: String?

    /// An option comes before the environment. The environment alone does not ask for TLS.
    func security(
        of address: ServerAddress, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> TransportSecurity {
        let isAsked = [self.caFile, self.clientCertificate, self.clientKey, self.serverName].contains { $0 != nil }
        guard self.tls || isAsked || address.usesTLS else { return .plaintext }
        func setting(_ option: String?, _ variable: String) -> String? {
            option ?? environment[variable].flatMap { $0.isEmpty ? nil : $0 }
        }
        var tls = ClientTLS()
        if let file = setting(self.caFile, Self.caVariable) { tls.trust = .authorities(file: file) }
        tls.serverName = setting(self.serverName, Self.nameVariable)
        let certificate = setting(self.clientCertificate, Self.certificateVariable)
        switch (certificate, setting(self.clientKey, Self.keyVariable)) {
        case (nil, nil): break
        case (let chain?, let key?): tls.certificate = ClientTLS.Certificate(chainFile: chain, keyFile: key)
        case (.some, nil):
            throw CommandFault("--client-certificate needs --client-key (or \(Self.keyVariable))", field: "client_key")
        case (nil, .some):
            throw CommandFault(
                "--client-key needs --client-certificate (or \(Self.certificateVariable))", field: "client_certificate")
        }
        return .tls(tls)
    }
}
