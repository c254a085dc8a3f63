// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport

/// A `semcached` with TLS and the authority that has issued its certificates and its clients'.
struct SecuredService {
    let authority: TestCertificates
    let service: RunningService

    /// - Parameters:
    ///   - clients: `none`, `optional` or `required`.
    ///   - tenants: The rest of the settings file.
    init(clients: String = "none", tenants: String = "") async throws {
        let authority = try TestCertificates()
        try authority.issue("server", Self.certificate("original"))
        self.authority = authority
        self.service = try await RunningService(file: Self.file(authority, clients, tenants))
    }

    static func file(_ authority: TestCertificates, _ clients: String = "none", _ more: String = "") -> String {
        """
        tls:
          certificate: \(authority.folder)/server.pem
          key: \(authority.folder)/server.key
          \(clients == "none" ? "" : "client_ca: \(authority.trustFile)")
          client_certificates: \(clients)

        """ + more
    }

    /// - Parameter subject: Tells it from others of the same server.
    static func certificate(_ subject: String) -> TestCertificate {
        var certificate = TestCertificate()
        certificate.subject = subject
        return certificate
    }

    // MARK: Clients

    /// - Parameter certificate: Names of the certificate that it shows; none if `nil`.
    func configuration(_ certificate: [String]? = nil) throws -> ClientConfiguration {
        var configuration = ClientConfiguration(
            ServerAddress(host: "127.0.0.1", port: self.service.port, usesTLS: true))
        var tls = ClientTLS(trust: .authorities(file: self.authority.trustFile))
        if let certificate {
            let files = try self.authority.issue(UUID().uuidString, TestCertificate(names: certificate))
            tls.certificate = ClientTLS.Certificate(chainFile: files.chainFile, keyFile: files.keyFile)
        }
        configuration.transportSecurity = .tls(tls)
        return configuration
    }

    /// What `openssl s_client` says of an attempt to connect. It speaks until the server ends the connection.
    func openSSL(_ arguments: [String], trusting file: String? = nil) async throws -> String {
        let result = try await Programs.run(
            "/usr/bin/openssl",
            [
                "s_client", "-connect", self.service.address, "-CAfile", file ?? self.authority.trustFile,
                "-verify_return_error", "-ign_eof",
            ] + arguments)
        return result.output + result.errors
    }

    /// Who the server says that it is, on a new connection.
    func serverSubject() async throws -> String {
        let result = try await Programs.run(
            "/usr/bin/openssl",
            ["s_client", "-connect", self.service.address, "-CAfile", self.authority.trustFile])
        let line = result.output.split(separator: "\n").first { $0.hasPrefix("subject=CN = ") }
        return String(line?.dropFirst("subject=CN = ".count) ?? "none: \(result.output) \(result.errors)")
    }

    /// What the server answers to bytes, in hexadecimal, until it ends the connection.
    func answer(toBytes bytes: [UInt8]) async throws -> String {
        let text = bytes.map { "\\x" + String($0, radix: 16) }.joined()
        let result = try await Programs.run(
            "/bin/bash",
            ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(self.service.port); printf '\(text)' >&3; od -An -v -tx1 <&3"])
        return result.output.split(whereSeparator: \.isWhitespace).joined()
    }
}
