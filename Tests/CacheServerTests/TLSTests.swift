// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import Logging
import NIOCore
import OpenSSLTLS
import TestSupport
import Testing

/// The native port with TLS: who is let in, and who is not.
@Suite(.timeLimit(.minutes(1))) struct TLSTests {
    private static let failure = "TLS handshake failed"
    private static let needsHello = ServerMessage.reply(
        Reply(
            id: 0, result: .failure(CacheError(.unauthenticated, "a hello with a credential must come first"))))
    private static let grants = [
        CertificateGrant(name: .uri("spiffe://test/a"), tenancy: .tenant(TenantID("a")), roles: [.read]),
        CertificateGrant(name: .dns("gate.internal"), tenancy: .gateway([TenantID("a")]), roles: [.write]),
    ]

    private let authority: TestCertificates
    private let credentials = CredentialAuthenticator(.init(keys: Keyed.keys, certificates: Self.grants))

    init() throws { self.authority = try TestCertificates() }

    private func identity(_ name: String, _ certificate: TestCertificate) throws -> TLSIdentity {
        let files = try self.authority.issue(name, certificate)
        return TLSIdentity(chainFile: files.chainFile, keyFile: files.keyFile)
    }

    private func server(
        _ clients: TLSServerConfiguration.ClientCertificates = .none
    ) throws -> TLSContext {
        var configuration = TLSServerConfiguration(identity: try self.identity("server", TestCertificate()))
        configuration.clientCertificates = clients
        return try TLSContext(configuration)
    }

    /// - Parameter name: In the certificate that it shows; none if `nil`.
    private func client(_ name: String? = nil) throws -> TLSContext {
        var configuration = TLSClientConfiguration()
        configuration.trust = .file(self.authority.trustFile)
        configuration.identity = try name.map { try self.identity("client", TestCertificate(names: [$0])) }
        return try TLSContext(configuration)
    }

    private var required: TLSServerConfiguration.ClientCertificates { .required(trustFile: self.authority.trustFile) }

    // MARK: Who is let in

    @Test func `the holder of a certificate is its tenant, with its roles, and needs to show nothing else`()
        async throws
    {
        try await TestServer.run(authenticator: self.credentials, tls: try self.server(self.required)) { server in
            let writer = try await server.open(tls: self.client("URI:spiffe://other"), credential: .apiKey("key-a"))
            try await writer.store(store("whose is it", "of tenant a"))
            let client = try await server.open(tls: self.client("URI:spiffe://test/a"))
            #expect(try await client.lookup(lookup("whose is it")).response == "of tenant a")
            #expect(Keyed.code(try await client.ask(.store(store("q", "r")))) == .permissionDenied)
        }
    }

    @Test func `the holder of a gateway's certificate names the tenant of each call`() async throws {
        try await TestServer.run(authenticator: self.credentials, tls: try self.server(self.required)) { server in
            let client = try await server.open(tls: self.client("DNS:gate.internal"))
            let stored = try await client.ask(.store(store("q", "r")), tenant: "a")
            #expect(Keyed.code(stored) == nil)
            #expect(Keyed.code(try await client.ask(.store(store("q", "r")), tenant: "b")) == .permissionDenied)
            #expect(Keyed.code(try await client.ask(.store(store("q", "r")))) == .invalidArgument)
        }
    }

    @Test(arguments: [
        ("URI:spiffe://test/unknown", Credential.none, "the names in the certificate are not known"),
        ("URI:spiffe://test/a", .apiKey("key-b"), "the certificate and the credential are of different tenants"),
    ])
    func `a certificate that lets nobody in is refused, and the log says so once`(
        name: String, credential: Credential, reason: String
    ) async throws {
        let log = RecordedLog(level: .info)
        try await TestServer.run(
            authenticator: self.credentials, tls: try self.server(self.required), log: log
        ) { server in
            let client = try await server.connect(tls: self.client(name))
            try await client.send(Keyed.hello(credential))
            try await Keyed.expectEnd(of: client, .unauthenticated, reason)
            #expect(await log.next(with: "credential refused").contains("reason=\(reason)"))
            // Its own end tells nothing new.
            #expect(log.lines(with: "connection.peer").count == 1)
        }
    }

    @Test func `certificates that are replaced are for connections that come, and end none that is there`()
        async throws
    {
        try await TestServer.run(tls: try self.server()) { server in
            let old = try await server.open(tls: self.client())
            let renewed = try TestCertificates(name: "Another authority")
            let files = try renewed.issue("server")
            server.server.replace(
                tls: try TLSContext(
                    TLSServerConfiguration(
                        identity: TLSIdentity(chainFile: files.chainFile, keyFile: files.keyFile))))
            var trusting = TLSClientConfiguration()
            trusting.trust = .file(renewed.trustFile)
            let new = try await server.open(tls: try TLSContext(trusting))
            #expect(try await new.ask(.ping) == .success(serverVersion))
            #expect(try await server.connect(tls: self.client()).next() == nil)
            #expect(try await old.ask(.ping) == .success(serverVersion))
        }
    }

    // MARK: Who is not

    /// Expects the end of a connection and one line about it, while somebody else is served.
    private func expectRefusal(
        _ reason: String, limits: ConnectionLimits = .patient,
        _ misbehave: (_ stranger: WireClient, _ other: WireClient) async throws -> Void
    ) async throws {
        let log = RecordedLog(level: .info)
        try await TestServer.run(limits: limits, tls: try self.server(), log: log) { server in
            let other = try await server.open(tls: self.client())
            let stranger = try await server.connect()
            let port = stranger.address?.port ?? 0
            try await misbehave(stranger, other)
            let line = await log.next(with: Self.failure)
            #expect(line.contains("reason=\(reason)"))
            #expect(
                line.contains("connection.peer=[IPv4]127.0.0.1/127.0.0.1:\(port)"), "\(line)")
            await stranger.closed()
            while try await server.connections(toldTo: other) > 1 {}
            #expect(log.lines(with: Self.failure).count == 1)
        }
    }

    @Test func `a plain client is refused with one line`() async throws {
        try await self.expectRefusal("not_tls: ") { stranger, _ in try await stranger.send(Keyed.hello(.none)) }
    }

    @Test func `a handshake that drips is given up in time, however busily it drips, with one line`() async throws {
        var limits = ConnectionLimits.patient
        // Long enough for the other one, who has to be in by then.
        limits.handshakeDeadline = .seconds(10)
        try await self.expectRefusal("not complete in time", limits: limits) { stranger, other in
            // Ends when the server has closed.
            var position = 0
            while (try? await stranger.send(bytes: [Self.endlessHello(position)])) != nil {
                for _ in 1...10 { _ = try await other.ask(.ping).get() }
                position += 1
            }
            #expect(position > 0)
        }
    }

    /// A byte of a ClientHello of 16,000 bytes, in one record.
    private static func endlessHello(_ position: Int) -> UInt8 {
        let beginning = [0x16, 3, 1, 0x3e, 0x84, 1, 0, 0x3e, 0x80, 3, 3] as [UInt8]
        return position < beginning.count ? beginning[position] : 0
    }

    @Test func `a handshake that is broken off is one line`() async throws {
        try await self.expectRefusal("handshake_abandoned: ") { stranger, _ in
            try await stranger.send(bytes: [0x16, 3, 1, 0x40, 0, 1, 2])
            await stranger.close()
        }
    }

    @Test func `a peer that leaves without a word, as a balancer's probe does, is none`() async throws {
        let log = RecordedLog(level: .info)
        try await TestServer.run(tls: try self.server(), log: log) { server in
            let other = try await server.open(tls: self.client())
            let probe = try await server.connect()
            while try await server.connections(toldTo: other) < 2 {}
            await probe.close()
            while try await server.connections(toldTo: other) > 1 {}
            #expect(log.lines(with: "connection.peer") == [])
        }
    }

    @Test func `TLS and hello have one deadline together`() async throws {
        var limits = ConnectionLimits.patient
        // Long enough for TLS alone, also on a machine that stands still meanwhile.
        limits.handshakeDeadline = .seconds(10)
        let log = RecordedLog(level: .info)
        try await TestServer.run(
            authenticator: self.credentials, limits: limits, tls: try self.server(), log: log
        ) { server in
            let client = try await server.connect(tls: self.client())
            #expect(try await client.next() == Self.needsHello)
            #expect(try await client.next() == nil)
            #expect(log.lines(with: Self.failure) == [])
        }
    }

    @Test func `a peer that does not read its replies is not read either, and cut off in time`() async throws {
        var limits = ConnectionLimits.patient
        limits.writeDeadline = .milliseconds(300)
        try await TestServer.run(limits: limits, tls: try self.server()) { server in
            let other = try await server.open(tls: self.client())
            try await other.store(store("a long story", String(repeating: "x", count: 512 << 10)))
            for tier in [Tier.store, .l1] { #expect(try await other.lookup(lookup("a long story")).hit?.tier == tier) }
            let client = try await server.open(tls: self.client(), receiveBufferBytes: 64 << 10)
            try await client.stopReading()
            var calls: [UInt8] = []
            for id in 1...4000 as ClosedRange<UInt64> {
                calls += ProtobufBytes.lookup(id: id, .asking("a long story")).frame
            }
            try await client.send(bytes: calls)
            while try await server.connections(toldTo: other) > 1 {}
            guard case .stats(let statistics) = try await other.ask(.stats(cache: nil)).get() else {
                Issue.record("no statistics")
                return
            }
            // 2,000 MiB were asked for. What was made is what lies between the peer and the limit of what waits.
            let made = try #require(statistics.caches.first).exactHitsL1
            #expect(made > 1 && made < 64)
            try? await client.startReading()
            await client.closed()
        }
    }
}
