// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport
import Testing

/// The real service with TLS: whom it lets in, and what it says of those that it does not.
@Suite(.serialized, .timeLimit(.minutes(2))) struct TLSTests {
    private static let failure = "TLS handshake failed"
    private static let tenants = """
        tenants:
          - name: acme
            create_caches: true
            certificates:
              - {san: "uri:spiffe://example.org/acme", roles: [read, write]}
              - {san: "dns:reader.acme.internal", roles: [read]}
          - name: globex
            create_caches: true
            certificates: [{san: "uri:spiffe://example.org/globex", roles: [read, write]}]
            api_keys: [{sha256: 8fe8bf44b4ddc3cd9c91a6c11f1c5b9a2ff38fb8e1fc2efc1c4a7b7a33b1a2d0, roles: [read]}]
        gateways:
          - {san: "dns:gate.internal", roles: [read], tenants: [acme]}

        """

    // MARK: Who is refused

    /// What a peer does, and what both sides say of it.
    struct Refusal: CustomTestStringConvertible {
        let testDescription: String
        /// Of `openssl s_client`.
        var arguments: [String] = []
        /// What it says of its end.
        let alert: String
        /// In the service's log.
        let reason: String
        var certificate: TestCertificate?
        /// Whether the certificate is another authority's.
        var isForeign = false
    }

    private static let refusals: [Refusal] = {
        var expired = TestCertificate(names: ["URI:spiffe://example.org/acme"])
        expired.notAfter = -60
        let current = TestCertificate(names: ["URI:spiffe://example.org/acme"])
        return [
            Refusal(
                testDescription: "client that trusts others", arguments: ["-CAfile", "OTHER"],
                alert: "certificate verify failed", reason: "the peer sent the alert \"unknown CA\"",
                certificate: current),
            Refusal(
                testDescription: "client that expects another name", arguments: ["-verify_hostname", "other.internal"],
                alert: "certificate verify failed", reason: "the peer sent the alert \"bad certificate\"",
                certificate: current),
            Refusal(
                testDescription: "expired certificate", alert: "alert certificate expired",
                reason: "certificate_expired: ", certificate: expired),
            Refusal(
                testDescription: "certificate of an unknown authority", alert: "alert unknown ca",
                reason: "unknown_authority: ", certificate: current, isForeign: true),
            Refusal(
                testDescription: "no certificate", alert: "alert certificate required",
                reason: "certificate_required: "),
            Refusal(
                testDescription: "no certificate, TLS 1.2", arguments: ["-tls1_2"], alert: "alert handshake failure",
                reason: "certificate_required: "),
            Refusal(
                testDescription: "TLS 1.1", arguments: ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                alert: "alert protocol version", reason: "unsupported_version: "),
            Refusal(
                testDescription: "cipher without forward secrecy",
                arguments: ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], alert: "alert handshake failure",
                reason: "no_shared_cipher: "),
        ]
    }()

    @Test func `whoever is refused gets its alert and one line of the log, and others are served all the while`()
        async throws
    {
        let secured = try await SecuredService(clients: "required", tenants: Self.tenants)
        let others = try TestCertificates(name: "Another authority")
        let tally = Tally()
        let load = NativeLoad(
            try secured.configuration(["URI:spiffe://example.org/acme"]), connections: 2, counting: tally)
        await tally.wait(for: 1, from: "nobody")
        for refusal in Self.refusals {
            var arguments = refusal.arguments
            let trusted = arguments.contains("OTHER") ? others.trustFile : nil
            if trusted != nil { arguments = [] }
            if let certificate = refusal.certificate {
                let files = try (refusal.isForeign ? others : secured.authority).issue("peer", certificate)
                arguments += ["-cert", files.chainFile, "-key", files.keyFile]
            }
            let said = try await secured.openSSL(arguments, trusting: trusted)
            #expect(said.contains(refusal.alert), "\(refusal.testDescription): \(said)")
            let line = try await secured.service.nextLine(with: Self.failure)
            #expect(line.contains(refusal.reason), "\(refusal.testDescription): \(line)")
            #expect(line.contains("connection.peer=[IPv4]127.0.0.1"), "\(line)")
            await tally.wait(for: 10, from: "nobody")
        }
        await load.stop()
        #expect(tally.failures == [])
        #expect(secured.service.count(Self.failure) == Self.refusals.count, "\(secured.service.logged)")
        #expect(await secured.service.stop(SIGTERM) == 0)
    }

    @Test(
        arguments: [
            // A record that holds no handshake message: unexpected_message.
            ([0x16, 3, 1, 0, 5] + Array("hello".utf8), "1503030002020a", "protocol_violation: "),
            // Data before the handshake.
            ([0x17, 3, 3, 0, 1, 0x61], "1503030002020a", "protocol_violation: "),
            // What is not TLS at all gets nothing that it could not understand: a request in plain HTTP, the hello of a plain
            // client, noise.
            (Array("GET / HTTP/1.1\r\n\r\n".utf8), "", "not_tls: the peer speaks plain HTTP"),
            ([0, 0, 0, 0, 6, 0x0a, 4, 8, 1, 0x10, 1], "", "not_tls: "),
            ([0xff, 0, 0x9c, 0x31, 0x55, 0xaa, 1, 2, 3, 4, 5, 6, 7, 8], "", "not_tls: "),
        ] as [([UInt8], String, String)])
    func `garbage is one line of the log`(bytes: [UInt8], alert: String, reason: String) async throws {
        let secured = try await SecuredService()
        let answer = try await secured.answer(toBytes: bytes)
        #expect(answer == alert)
        let line = try await secured.service.nextLine(with: Self.failure)
        #expect(line.contains(reason), "\(line)")
        try await CacheClient.withClient(secured.configuration()) { _ = try await $0.ping() }
        let status = await secured.service.stop(SIGTERM)
        #expect(status == 0, "\(secured.service.logged)")
        #expect(secured.service.count(Self.failure) == 1)
    }

    @Test func `a service without TLS is nothing to one who wants it, and one with TLS tells who does not`()
        async throws
    {
        let secured = try await SecuredService()
        let plain = try await secured.service.semcache("ping")
        #expect(plain.status == 2 && plain.errors.contains("semcached+tls://"), "\(plain.errors)")
        #expect(try await secured.service.nextLine(with: Self.failure).contains("not_tls: "))
        let unsecured = try await RunningService()
        let tls = try await unsecured.semcache("ping", "--tls")
        #expect(tls.status == 2 && tls.errors.contains("does not speak TLS"), "\(tls.errors)")
    }

    // MARK: Who is let in

    @Test func `a certificate's name is tenant and roles, and lets nobody reach another's`() async throws {
        let secured = try await SecuredService(clients: "required", tenants: Self.tenants)
        let acme = try secured.configuration(["URI:spiffe://example.org/acme"])
        try await CacheClient.withClient(acme) { _ = try await $0.store("Acme.", for: Self.question) }
        #expect(try await Self.answer(to: acme) == "Acme.")
        let reader = try secured.configuration(["DNS:reader.acme.internal"])
        #expect(try await Self.answer(to: reader) == "Acme.")
        let denied = await Self.failure {
            try await CacheClient.withClient(reader) { _ = try await $0.store("r", for: "q") }
        }
        #expect(denied?.code == .permissionDenied)
        #expect(try await Self.answer(to: secured.configuration(["URI:spiffe://example.org/globex"])) == nil)
        var gateway = try secured.configuration(["DNS:gate.internal"])
        gateway.tenant = "acme"
        #expect(try await Self.answer(to: gateway) == "Acme.")
        gateway.tenant = "globex"
        let foreign = gateway
        #expect(await Self.failure { _ = try await Self.answer(to: foreign) }?.code == .permissionDenied)
        #expect(await secured.service.stop(SIGTERM) == 0)
    }

    @Test func `names that nobody knows, and a key of another tenant than the certificate's, are one line each`()
        async throws
    {
        let key = try await Programs.newKey()
        let secured = try await SecuredService(
            clients: "required", tenants: Self.tenants.replacing(/sha256: \w+/, with: "sha256: \(key.digest)"))
        var configuration = try secured.configuration(["DNS:unknown.internal", "URI:spiffe://example.org/acme/x"])
        try await CacheClient.withClient(configuration) { client in
            let error = await Self.failure { _ = try await client.ping() }
            #expect(error?.code == .unauthenticated)
            #expect(error?.message == "the names in the certificate are not known")
        }
        configuration = try secured.configuration(["URI:spiffe://example.org/acme"])
        configuration.credential = .apiKey(key.key)
        try await CacheClient.withClient(configuration) { client in
            let error = await Self.failure { _ = try await client.ping() }
            #expect(error?.message == "the certificate and the credential are of different tenants")
        }
        // The same key, with a certificate that is nobody's: then the key decides.
        configuration = try secured.configuration(["DNS:unknown.internal"])
        configuration.credential = .apiKey(key.key)
        try await CacheClient.withClient(configuration) { _ = try await $0.ping() }
        #expect(await secured.service.stop(SIGTERM) == 0)
        #expect(secured.service.count("credential refused") == 2, "\(secured.service.logged)")
        #expect(!secured.service.logged.contains(key.key))
    }

    @Test func `what deploy/certs makes secures the service and lets its client in`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("certs-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../deploy/certs").standardizedFileURL.path
        let made = try await Programs.run(script, ["--client", "acme=URI:spiffe://example.org/acme", folder])
        try #require(made.status == 0, "\(made.errors)")
        let file = """
            tls:
              certificate: \(folder)/server.crt
              key: \(folder)/server.key
              client_ca: \(folder)/ca.crt

            """
        let service = try await RunningService(file: file + Self.tenants)
        let identity = [
            "--ca-file", "\(folder)/ca.crt", "--client-certificate", "\(folder)/acme.crt", "--client-key",
            "\(folder)/acme.key",
        ]
        let stored = try await Programs.run(
            "semcache", ["store", "q", "r"] + identity, environment: ["SEMCACHED_SERVER": service.address])
        #expect(stored.status == 0, "\(stored.errors)")
        let found = try await Programs.run(
            "semcache", ["lookup", "q"] + identity,
            environment: ["SEMCACHED_SERVER": "semcached+tls://localhost:\(service.port)"])
        #expect(found.status == 0 && found.output.contains("r"), "\(found.errors)")
        let stranger = try await service.semcache("ping", "--ca-file", "\(folder)/ca.crt")
        #expect(stranger.status == 2 && stranger.errors.contains("certificate required"), "\(stranger.errors)")
        #expect(await service.stop(SIGTERM) == 0)
    }

    // MARK: Parts

    private static let question = "Who may read this?"

    private static func answer(to configuration: ClientConfiguration) async throws -> String? {
        try await CacheClient.withClient(configuration) { try await $0.lookup(Self.question).hit?.best.text }
    }

    private static func failure(_ body: () async throws -> Void) async -> CacheClientError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? CacheClientError
        }
    }
}
