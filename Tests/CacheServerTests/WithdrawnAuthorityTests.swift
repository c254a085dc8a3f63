// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import Foundation
import OpenSSLTLS
import TestSupport
import Testing

/// What a reload that trusts others means to those who are connected.
@Suite(.timeLimit(.minutes(1))) struct WithdrawnAuthorityTests {
    private static let name = "spiffe://test/a"
    private static let goAway = ServerMessage.goAway(reason: "the certificate's authority is no longer trusted")

    private let stays: TestCertificates
    private let goes: TestCertificates
    private let credentials = CredentialAuthenticator(
        .init(
            keys: Keyed.keys,
            certificates: [CertificateGrant(name: .uri(Self.name), tenancy: .tenant(TenantID("a")), roles: .all)]))

    init() throws {
        self.stays = try TestCertificates(name: "Stays")
        self.goes = try TestCertificates(name: "Goes")
    }

    /// - Parameter authorities: Of clients; they need not have a certificate.
    private func server(trusting authorities: TestCertificates...) throws -> TLSContext {
        let files = try self.stays.issue("server")
        var configuration = TLSServerConfiguration(
            identity: TLSIdentity(chainFile: files.chainFile, keyFile: files.keyFile))
        let list = try authorities.map { try String(contentsOfFile: $0.trustFile, encoding: .utf8) }.joined()
        configuration.clientCertificates = .optional(trustFile: try self.stays.write(list, to: "clients.pem"))
        return try TLSContext(configuration)
    }

    private func client(of authority: TestCertificates?) throws -> TLSContext {
        var configuration = TLSClientConfiguration()
        configuration.trust = .file(self.stays.trustFile)
        configuration.identity = try authority.map { authority in
            let files = try authority.issue("client", TestCertificate(names: ["URI:\(Self.name)"]))
            return TLSIdentity(chainFile: files.chainFile, keyFile: files.keyFile)
        }
        return try TLSContext(configuration)
    }

    @Test func `whoever an authority let in that is no longer trusted is sent away`() async throws {
        let both = try self.server(trusting: self.stays, self.goes)
        try await TestServer.run(authenticator: self.credentials, tls: both) { server in
            let gone = try await server.open(tls: self.client(of: self.goes))
            let withKey = try await server.open(tls: self.client(of: self.goes), credential: .apiKey("key-a"))
            let stranger = try await server.connect(tls: self.client(of: self.goes))
            let without = try await server.open(tls: self.client(of: nil), credential: .apiKey("key-a"))
            server.server.replace(tls: try self.server(trusting: self.stays))
            server.server.checkCredentials()
            for client in [gone, withKey] {
                #expect(try await client.next() == Self.goAway)
                #expect(try await client.next() == nil)
            }
            #expect(try await stranger.next() == Self.goAway)
            #expect(try await without.ask(.ping) == .success(serverVersion))
            await #expect(throws: (any Error).self) { try await server.open(tls: self.client(of: self.goes)) }
            let again = try await server.open(tls: self.client(of: self.stays))
            #expect(try await again.ask(.ping) == .success(serverVersion))
        }
    }

    @Test func `a reload that trusts the same authorities, or more, disturbs nobody`() async throws {
        try await TestServer.run(
            authenticator: self.credentials, tls: try self.server(trusting: self.stays)
        ) { server in
            let client = try await server.open(tls: self.client(of: self.stays))
            for context in [
                try self.server(trusting: self.stays), try self.server(trusting: self.stays, self.goes),
            ] {
                server.server.replace(tls: context)
                server.server.checkCredentials()
                #expect(try await client.ask(.ping) == .success(serverVersion))
            }
        }
    }
}
