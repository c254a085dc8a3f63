// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import Foundation
import NIOCore
import OpenSSLTLS
import TestSupport
import Testing

/// SIGHUP and what it does to certificates, while others make calls.
@Suite(.serialized, .timeLimit(.minutes(2))) struct TLSReloadTests {
    private static func tenants(_ names: [String]) -> String {
        "tenants:\n"
            + names.map { name in
                """
                  - name: \(name)
                    create_caches: true
                    certificates: [{san: "dns:\(name).internal", roles: [read, write]}]

                """
            }.joined()
    }

    @Test func `certificates are renewed under the load of 16 clients, and no call fails`() async throws {
        let tenants = Self.tenants(["acme"])
        let secured = try await SecuredService(clients: "required", tenants: tenants)
        let file = SecuredService.file(secured.authority, "required", tenants)
        let configuration = try secured.configuration(["DNS:acme.internal"])
        let tally = Tally()
        let load = NativeLoad(configuration, connections: 16, counting: tally)
        // One that makes a connection for each call.
        let newcomers = NewcomersLoad(configuration, counting: tally)
        let early = CacheClient(configuration)
        _ = try await early.ping()
        await tally.wait(for: 200, from: "nobody")
        for round in 1...5 {
            try secured.authority.issue("server", SecuredService.certificate("renewed \(round)"))
            let line = try await secured.service.reload(file)
            #expect(line.contains("settings reloaded") && line.contains("certificates read"), "\(line)")
            #expect(try await secured.serverSubject() == "renewed \(round)")
            await tally.wait(for: 100, from: "nobody")
            await tally.wait(for: 3, from: "newcomer")
        }
        _ = try await early.ping()
        await early.close()
        await newcomers.stop()
        await load.stop()
        #expect(tally.failures == [])
        #expect(await secured.service.stop(SIGTERM) == 0)
    }

    @Test func `connections that there are go on with the certificate that they have seen`() async throws {
        let secured = try await SecuredService()
        var trust = TLSClientConfiguration()
        trust.trust = .file(secured.authority.trustFile)
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: secured.service.port)
        let old = try await WireClient.open(to: address, tls: try TLSContext(trust))
        // Another authority's: the old client would not trust it.
        let renewed = try TestCertificates(name: "Another authority")
        let files = try renewed.issue("server")
        let contents = try [files.chainFile, files.keyFile].map { try String(contentsOfFile: $0, encoding: .utf8) }
        try secured.authority.write(contents[0], to: "server.pem")
        try secured.authority.write(contents[1], to: "server.key")
        _ = try await secured.service.reload(SecuredService.file(secured.authority))
        await #expect(throws: (any Error).self) {
            try await WireClient.open(to: address, tls: try TLSContext(trust))
        }
        _ = try await old.ask(.ping).get()
        trust.trust = .file(renewed.trustFile)
        let new = try await WireClient.open(to: address, tls: try TLSContext(trust))
        _ = try await new.ask(.ping).get()
    }

    @Test func `a file that will not do is named, and changes nothing`() async throws {
        let tenants = Self.tenants(["acme"])
        let secured = try await SecuredService(clients: "required", tenants: tenants)
        let authority = secured.authority
        let file = SecuredService.file(authority, "required", tenants)
        let (certificate, key, trust) = (
            authority.folder + "/server.pem", authority.folder + "/server.key", authority.trustFile
        )
        let configuration = try secured.configuration(["DNS:acme.internal"])
        let original = try [certificate, key, trust].map { ($0, try String(contentsOfFile: $0, encoding: .utf8)) }
        let other = try authority.issue("other")
        let otherKey = try String(contentsOfFile: other.keyFile, encoding: .utf8)
        for (path, contents, words) in [
            (certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
            (certificate, "nothing", "holds nothing of the kind in PEM"),
            (key, otherKey, "does not belong to the certificate"),
            (key, nil, "cannot be read: No such file"),
            (trust, "", "list of authorities"),
        ] as [(String, String?, String)] {
            if let contents {
                try contents.write(toFile: path, atomically: true, encoding: .utf8)
            } else {
                try FileManager.default.removeItem(atPath: path)
            }
            // Tenants that come with it stay out as well.
            let line = try await secured.service.reload(file.replacing("name: acme", with: "name: globex"))
            #expect(line.contains("settings not reloaded"), "\(line)")
            #expect(line.contains(path) && line.contains(words), "\(line)")
            for (path, contents) in original { try contents.write(toFile: path, atomically: true, encoding: .utf8) }
            #expect(try await secured.serverSubject() == "original")
            try await CacheClient.withClient(configuration) { client in
                _ = try await client.store("r", for: "q")
            }
        }
        // All is well again.
        #expect(try await secured.service.reload(file).contains("settings reloaded"))
        #expect(await secured.service.stop(SIGTERM) == 0)
    }

    @Test func `the log says what a reload has changed, and what it could not`() async throws {
        let secured = try await SecuredService(clients: "required", tenants: Self.tenants(["acme", "globex"]))
        let reload = { (names: [String], more: String) in
            try await secured.service.reload(
                SecuredService.file(secured.authority, "required", Self.tenants(names)) + more)
        }
        let same = try await reload(["acme", "globex"], "")
        #expect(same.contains("changed=[] needs_restart=[]"), "\(same)")
        try secured.authority.issue("server", SecuredService.certificate("renewed"))
        let line = try await reload(["acme", "initech", "umbrella"], "log:\n  level: debug\nserver:\n  threads: 3\n")
        for words in [
            "tenants added: 2", "tenants removed: 1", "certificate names added or changed: 2",
            "certificate names removed or changed: 1", "certificates read", "log.level debug",
            #"needs_restart=["server.threads"]"#,
        ] {
            #expect(line.contains(words), "\(line)")
        }
        // The level is in force: that a peer comes and goes is told now.
        try await CacheClient.withClient(secured.configuration(["DNS:initech.internal"])) { _ = try await $0.ping() }
        let plain = try await reload(["acme", "initech", "umbrella"], "log:\n  level: info\nserver:\n  threads: 3\n")
        #expect(plain.contains("log.level info"), "\(plain)")
        #expect(await secured.service.stop(SIGTERM) == 0)
    }

    @Test func `a client whose name is taken away is sent off, others are not`() async throws {
        let secured = try await SecuredService(clients: "required", tenants: Self.tenants(["acme", "globex"]))
        var acme = try secured.configuration(["DNS:acme.internal"])
        acme.handoverPatience = .milliseconds(1)
        let globex = CacheClient(try secured.configuration(["DNS:globex.internal"]))
        _ = try await globex.ping()
        try await CacheClient.withClient(acme) { client in
            _ = try await client.ping()
            _ = try await secured.service.reload(
                SecuredService.file(secured.authority, "required", Self.tenants(["globex"])))
            await #expect(throws: CacheClientError.self) { while true { _ = try await client.ping() } }
        }
        _ = try await globex.ping()
        await globex.close()
        #expect(await secured.service.stop(SIGTERM) == 0)
    }
}

/// Calls, each on a connection of its own.
private struct NewcomersLoad {
    private let work: Task<Void, Never>

    init(_ configuration: ClientConfiguration, counting tally: Tally) {
        // Awaited by `stop`.
        self.work = Task {
            while !Task.isCancelled {
                let client = CacheClient(configuration)
                // Not a part of the task that is cancelled: a call is made to its end.
                let call = Task { try await client.ping() }
                do {
                    _ = try await call.value
                    tally.add(servedBy: "newcomer")
                } catch {
                    tally.add(failure: "a newcomer: \(error)")
                }
                await client.close()
            }
        }
    }

    func stop() async {
        self.work.cancel()
        await self.work.value
    }
}
