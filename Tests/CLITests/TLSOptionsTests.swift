// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient
import Testing

@testable import semcache

struct TLSOptionsTests {
    private static let environment = [
        "SEMCACHED_CA_FILE": "env-ca", "SEMCACHED_CLIENT_CERTIFICATE": "env-chain", "SEMCACHED_CLIENT_KEY": "env-key",
        "SEMCACHED_PEER_NAME": "env-name",
    ]

    private func security(
        _ arguments: [String], environment: [String: String] = [:], server: String = "cache.internal"
    ) throws -> TransportSecurity {
        let command = try #require(try Semcache.parseAsRoot(["ping"] + arguments) as? PingCommand)
        return try command.server.transport.security(of: try ServerAddress(server), environment: environment)
    }

    @Test func `nothing is encrypted unless it is asked for, and the environment does not ask`() throws {
        #expect(try self.security([]) == .plaintext)
        #expect(try self.security([], environment: Self.environment) == .plaintext)
    }

    @Test func `the address, the flag and each option ask for TLS`() throws {
        #expect(try self.security([], server: "semcached+tls://cache.internal") == .tls(ClientTLS()))
        #expect(try self.security(["--tls"]) == .tls(ClientTLS()))
        #expect(try self.security(["--ca-file", "ca"]) == .tls(ClientTLS(trust: .authorities(file: "ca"))))
        #expect(try self.security(["--server-name", "name"]) == .tls(ClientTLS(serverName: "name")))
        let certificate = ClientTLS.Certificate(chainFile: "chain", keyFile: "key")
        #expect(
            try self.security(["--client-certificate", "chain", "--client-key", "key"])
                == .tls(ClientTLS(certificate: certificate)))
    }

    @Test func `the environment says what the options do not`() throws {
        let certificate = ClientTLS.Certificate(chainFile: "env-chain", keyFile: "env-key")
        #expect(
            try self.security(["--tls"], environment: Self.environment)
                == .tls(
                    ClientTLS(
                        trust: .authorities(file: "env-ca"), certificate: certificate, serverName: "env-name")))
        #expect(
            try self.security(["--ca-file", "ca", "--client-key", "key"], environment: Self.environment)
                == .tls(
                    ClientTLS(
                        trust: .authorities(file: "ca"),
                        certificate: ClientTLS.Certificate(chainFile: "env-chain", keyFile: "key"),
                        serverName: "env-name")))
    }

    @Test func `an empty variable says nothing`() throws {
        let empty = Self.environment.mapValues { _ in "" }
        #expect(try self.security(["--tls"], environment: empty) == .tls(ClientTLS()))
    }

    @Test(arguments: [
        (["--client-certificate", "f"], "client_key"), (["--client-key", "f"], "client_certificate"),
    ])
    func `a certificate without its key is an error, and so is a key alone`(
        arguments: [String], missing: String
    ) throws {
        let error = #expect(throws: CommandFault.self) { try self.security(arguments) }
        #expect(error?.field == missing)
    }

    @Test func `a command's client gets it all`() throws {
        let arguments = ["ping", "--server", "semcached+tls://cache.internal:1", "--ca-file", "ca"]
        let command = try #require(try Semcache.parseAsRoot(arguments) as? PingCommand)
        let configuration = try command.server.clientConfiguration()
        #expect(configuration.address == ServerAddress(host: "cache.internal", port: 1, usesTLS: true))
        #expect(configuration.transportSecurity == .tls(ClientTLS(trust: .authorities(file: "ca"))))
    }

    @Test func `a connection that TLS prevents names the options`() throws {
        let error = CacheClientError(
            .unavailable, "cannot connect to semcached+tls://a:1: TLS: fault", field: "tls", origin: .connection)
        #expect(
            CommandFault(error)?.text
                == "cannot connect to semcached+tls://a:1: TLS: fault. "
                + "See --ca-file, --server-name, --client-certificate and --client-key")
    }
}
