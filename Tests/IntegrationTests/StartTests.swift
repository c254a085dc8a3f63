// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport
import Testing

/// What the service does at its start about a Redis that is not there, and about what it shows of its settings.
@Suite(.serialized, .timeLimit(.minutes(3))) struct StartTests {
    /// Runs the service until it ends by itself.
    private func end(of settings: [String], environment: [String: String]) async throws -> ProgramResult {
        let own = ["grpc.port=0", "admin.port=0"] + settings
        return try await Programs.run(
            "semcached", ["--port", "0", "--model", try Programs.modelFolder()] + own.flatMap { ["--set", $0] },
            environment: environment)
    }

    /// Turns away whoever connects to a port of this host, for longer after the first one than a command may take.
    private static func turnAway(from port: Int) async throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var (yes, address) = (Int32(1), sockaddr_in())
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0 && listen(listener, 16) == 0)
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                close(accept(listener, nil, nil))
                let end = ContinuousClock.now + .seconds(2)
                while case let rest = end - ContinuousClock.now, rest > .zero {
                    var event = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
                    let milliseconds = rest.components.attoseconds / 1_000_000_000_000_000
                    if poll(&event, 1, Int32(rest.components.seconds * 1000 + milliseconds) + 1) > 0 {
                        close(accept(listener, nil, nil))
                    }
                }
                continuation.resume()
            }
        }
    }

    @Test func `a Redis that comes later is waited for, and why is logged once`() async throws {
        let redis = try await RedisServer.start(password: "hush-hush")
        try await redis.kill()
        let later = Task {
            try await Self.turnAway(from: redis.port)
            try await redis.restart()
        }
        let service = try await RunningService(environment: ["SEMCACHED_STORE_URL": redis.url])
        try await later.value
        #expect(try await service.semcache("store", "Where is the cloakroom?", "On the left.").status == 0)
        #expect(try await service.semcache("lookup", "Where is the cloakroom?").output.contains("On the left."))
        #expect(await service.stop(SIGTERM) == 0)
        let waiting = service.logged.split(separator: "\n").filter { $0.contains("Redis is not there") }
        #expect(waiting.count == 1 && !service.logged.contains("hush"))
        #expect(waiting.first?.contains("store.start_patience") == true)
    }

    @Test(arguments: ["0s", "1s"])
    func `a Redis that does not come ends the service when its patience is over`(patience: String) async throws {
        let redis = try await RedisServer.start()
        try await redis.kill()
        let result = try await self.end(
            of: ["store.start_patience=\(patience)"], environment: ["SEMCACHED_STORE_URL": redis.url])
        #expect(result.status == 1)
        #expect(result.errors.contains("Connection refused"), "\(result.errors)")
        #expect(result.errors.contains("Redis is not there") == (patience != "0s"))
    }

    @Test func `a Redis that refuses the password is not waited for`() async throws {
        let redis = try await RedisServer.start(password: "hush-hush")
        let result = try await self.end(of: [], environment: ["SEMCACHED_STORE_URL": "redis://:other@\(redis.address)"])
        #expect(result.status == 1)
        #expect(result.errors.contains("check the URL's user and password"), "\(result.errors)")
        #expect(!result.errors.contains("Redis is not there"))
    }

    @Test func `a certificate of Redis that is not accepted is not waited for`() async throws {
        let (own, others) = (try TestCertificates(), try TestCertificates())
        let redis = try await RedisServer.start(
            tls: .init(certificate: own.issue("server"), trustFile: own.trustFile))
        let result = try await self.end(
            of: ["store.tls_ca=\(others.trustFile)"],
            environment: ["SEMCACHED_STORE_URL": "rediss://127.0.0.1:\(redis.tlsPort)"])
        #expect(result.status == 1)
        #expect(result.errors.contains("TLS: "), "\(result.errors)")
        #expect(!result.errors.contains("Redis is not there"))
    }

    // MARK: Certificates

    @Test func `a certificate that clients would refuse is named by its setting, and does not start`() async throws {
        let certificates = try TestCertificates()
        var certificate = TestCertificate()
        (certificate.notBefore, certificate.notAfter) = (-7200, -3600)
        let own = try certificates.issue("expired", certificate)
        let settings = ["tls.certificate=\(own.chainFile)", "tls.key=\(own.keyFile)"]
        let store = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).sqlite").path
        let result = try await self.end(of: settings + ["store.path=\(store)"], environment: [:])
        let complaint = "semcached: tls.certificate: the certificate \(own.chainFile) expired at 20"
        #expect(result.status == 1)
        #expect(result.errors.contains(complaint), "\(result.errors)")
        let checked = try await Programs.run(
            "semcached", ["--check-config", "--model", Programs.modelFolder()] + settings.flatMap { ["--set", $0] })
        #expect(checked.status == 1)
        #expect(checked.errors.hasPrefix(complaint), "\(checked.errors)")
    }

    @Test(arguments: ["key", "ca"])
    func `a file of Redis' TLS that will not do is named by its setting`(setting: String) async throws {
        let certificates = try TestCertificates()
        let own = try certificates.issue("client")
        let missing = certificates.folder + "/none.pem"
        let settings = [
            "store.tls_certificate=\(own.chainFile)", "store.tls_key=\(setting == "key" ? missing : own.keyFile)",
            "store.tls_ca=\(setting == "ca" ? missing : certificates.trustFile)",
        ]
        let result = try await Programs.run(
            "semcached", ["--check-config", "--model", Programs.modelFolder()] + settings.flatMap { ["--set", $0] },
            environment: ["SEMCACHED_STORE_URL": "rediss://redis"])
        #expect(result.status == 1)
        #expect(result.errors.hasPrefix("semcached: store.tls_\(setting): "), "\(result.errors)")
    }

    // MARK: Ports

    @Test(arguments: [
        (["server.idle_deadline=500ms"], "server.idle_deadline must be at least 1s"),
        (["server.host=127.0.0.1", "grpc.host=0.0.0.0", "grpc.port=7070"], "must differ"),
        (["server.host=[::1]", "grpc.host=::1", "grpc.port=7070"], "must differ"),
        (["server.host=::1", "grpc.host=127.0.0.1", "grpc.port=7070"], nil),
        (["server.host=[::1]", "server.idle_deadline=0s"], nil),
    ])
    func `ports differ unless their hosts do, and brackets are none of a host's`(
        settings: [String], complaint: String?
    ) async throws {
        let result = try await Programs.run(
            "semcached", ["--check-config", "--model", Programs.modelFolder()] + settings.flatMap { ["--set", $0] })
        #expect(result.status == (complaint == nil ? 0 : 1), "\(result.errors)")
        #expect(complaint.map { result.errors.contains($0) } ?? true, "\(result.errors)")
    }

    @Test func `what the admin port shows of a URL has no query`() async throws {
        let jwks = "https://login.example.com/keys.json?token=hush"
        let service = try await RunningService(
            settings: ["tokens.issuer=https://login.example.com/", "tokens.audience=a", "tokens.keys_url=\(jwks)"])
        let page = try await Programs.run(
            try Programs.python(),
            [
                "-c", "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())",
                "http://127.0.0.1:\(try await service.port(of: "admin"))/config",
            ])
        let shown = page.output.replacing("\\/", with: "/")
        #expect(shown.contains("https://login.example.com/keys.json?(hidden)"), "\(shown)")
        #expect(shown.contains("https://login.example.com/") && !shown.contains("hush"))
    }
}
