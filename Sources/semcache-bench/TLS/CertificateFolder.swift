// SPDX-License-Identifier: Apache-2.0

import Foundation
import OpenSSLTLS

/// What `deploy/certs FOLDER` makes: an authority, a server's certificate for this machine, a client's.
struct CertificateFolder {
    let path: String

    /// - Throws: ``BenchError`` naming the file that is not there.
    init(_ path: String) throws(BenchError) {
        self.path = path
        for file in ["ca.crt", "server.crt", "server.key", "client.crt", "client.key"]
        where !FileManager.default.isReadableFile(atPath: self.file(file)) {
            throw BenchError("\(self.file(file)) cannot be read: deploy/certs makes such a folder")
        }
    }

    private func file(_ name: String) -> String { "\(self.path)/\(name)" }

    /// Settings of a semcached that speaks TLS.
    func settings(requiresClients: Bool = false) -> [String] {
        var settings = ["tls.certificate=\(self.file("server.crt"))", "tls.key=\(self.file("server.key"))"]
        if requiresClients { settings.append("tls.client_ca=\(self.file("ca.crt"))") }
        return settings
    }

    /// Arguments of `openssl s_server` that make it the same server: it resumes by as many tickets, and refuses clients
    /// that show no good certificate.
    func arguments(requiresClients: Bool) -> [String] {
        var arguments = ["-cert", self.file("server.crt"), "-key", self.file("server.key"), "-num_tickets", "1"]
        if requiresClients { arguments += ["-Verify", "8", "-verify_return_error", "-CAfile", self.file("ca.crt")] }
        return arguments
    }

    /// Of a client that verifies the server, as every client should.
    func verifyingContext() throws -> TLSContext {
        var configuration = TLSClientConfiguration()
        configuration.trust = .file(self.file("ca.crt"))
        configuration.minimumVersion = .tls13
        return try TLSContext(configuration)
    }

    /// Of a client that costs as little as it can, for there is a server to be measured.
    func hastyContext(showsCertificate: Bool) throws -> TLSContext {
        var configuration = TLSClientConfiguration()
        configuration.trust = .nobodyIsChecked
        configuration.minimumVersion = .tls13
        if showsCertificate {
            configuration.identity = TLSIdentity(
                chainFile: self.file("client.crt"), keyFile: self.file("client.key"))
        }
        return try TLSContext(configuration)
    }
}
