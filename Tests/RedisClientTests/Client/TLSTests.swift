// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import OpenSSLTLS
import RedisClient
import TestSupport
import Testing

/// `rediss://`, against real servers and scripted ones.
@Suite(.timeLimit(.minutes(3))) struct TLSTests {
    private let authority: TestCertificates

    init() throws { self.authority = try TestCertificates() }

    private func files(
        _ certificate: TestCertificate = TestCertificate(), requiresClientCertificate: Bool = false
    ) throws -> RedisServer.TLS {
        RedisServer.TLS(
            certificate: try self.authority.issue("server", certificate), trustFile: self.authority.trustFile,
            requiresClientCertificate: requiresClientCertificate)
    }

    /// Trusts the authority, unless the test says otherwise.
    private func tls(_ change: (inout TLSClientConfiguration) -> Void = { _ in }) -> TLSClientConfiguration {
        var configuration = TLSClientConfiguration()
        configuration.trust = .file(self.authority.trustFile)
        change(&configuration)
        return configuration
    }

    /// Of a scripted server.
    private func context(_ certificate: TestCertificate = TestCertificate()) throws -> TLSContext {
        let files = try self.authority.issue("scripted", certificate)
        return try TLSContext(
            TLSServerConfiguration(identity: TLSIdentity(chainFile: files.chainFile, keyFile: files.keyFile)))
    }

    /// - Returns: What a command fails with, sent by a client that would go on trying for long.
    private func failure(_ url: String, _ tls: TLSClientConfiguration) async throws -> RedisError {
        try await withClient(url, patience: .seconds(60), tls: tls) { client in
            try #require(await client.failure(command("GET", "k")))
        }
    }

    // MARK: What works

    @Test func `commands go over TLS, large ones too`() async throws {
        let server = try await RedisServer.start(tls: try self.files(), password: "hunter2")
        let value = String(repeating: "0123456789abcdef", count: 64 << 10)
        try await withClient("rediss://:hunter2@127.0.0.1:\(server.tlsPort)", tls: self.tls()) { client throws in
            #expect(try await client.send(command("SET", "k", value)).text == "OK")
            #expect(try await client.send(command("GET", "k")).text == value)
            let writes = (0..<500).map { command("SET", "key-\($0)", "\($0)") }
            for result in await client.send(writes) { #expect(try result.get().text == "OK") }
        }
        #expect(try await server.command("DBSIZE") == .integer(501))
    }

    @Test func `a server that wants a certificate gets the client's`() async throws {
        let server = try await RedisServer.start(tls: try self.files(requiresClientCertificate: true))
        let own = try self.authority.issue("client")
        let tls = self.tls { $0.identity = TLSIdentity(chainFile: own.chainFile, keyFile: own.keyFile) }
        try await withClient("rediss://127.0.0.1:\(server.tlsPort)", tls: tls) { client throws in
            #expect(try await client.send(command("SET", "k", "v")).text == "OK")
        }
    }

    @Test func `a name may be set that the certificate is for`() async throws {
        let server = try await RedisServer.start(tls: try self.files(TestCertificate(names: ["DNS:redis.internal"])))
        let tls = self.tls { $0.serverName = "redis.internal" }
        try await withClient("rediss://127.0.0.1:\(server.tlsPort)", tls: tls) { client throws in
            #expect(try await client.send(command("SET", "k", "v")).text == "OK")
        }
    }

    @Test func `a cluster whose servers name each other by IP address is used over TLS`() async throws {
        let cluster = try await RedisCluster.start(tls: try self.files(TestCertificate(names: ["DNS:redis.internal"])))
        let tls = self.tls { $0.serverName = "redis.internal" }
        try await withClient("rediss+cluster://127.0.0.1:\(cluster.nodes[1].tlsPort)", tls: tls) { client throws in
            let writes = (0..<100).map { command("SET", "key-\($0)", "\($0)") }
            for result in await client.send(writes) { #expect(try result.get().text == "OK") }
            let ports = try await client.primaries().map(\.port)
            #expect(ports.sorted() == cluster.nodes.map(\.tlsPort).sorted())
        }
    }

    @Test func `sentinels are asked over TLS, and so is the primary that they name`() async throws {
        let context = try self.context()
        let primary = try await ScriptedRedisServer.start(tls: context) { _, words in
            switch String(decoding: words[0], as: UTF8.self) {
            case "ROLE": .text("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")
            case "SET": .text("+OK\r\n")
            default: nil
            }
        }
        let port = "\(primary.port)"
        let sentinel = try await ScriptedRedisServer.start(tls: context) { _, words in
            guard words.first == Array("SENTINEL".utf8) else { return nil }
            return .text("*2\r\n$9\r\n127.0.0.1\r\n$\(port.utf8.count)\r\n\(port)\r\n")
        }
        try await withClient("rediss+sentinel://\(sentinel.address)/cache", tls: self.tls()) { client throws in
            #expect(try await client.send(command("SET", "k", "v")).text == "OK")
        }
        await primary.stop()
        await sentinel.stop()
    }

    @Test func `a command whose connection is lost is sent again on the next`() async throws {
        let isFirst = Shared(true)
        let server = try await ScriptedRedisServer.start(tls: try self.context()) { _, words in
            guard words.first == Array("GET".utf8) else { return nil }
            defer { isFirst.change { $0 = false } }
            return isFirst.now ? .bytesThenClose(Array("$5\r\nhal".utf8)) : .bulk("whole")
        }
        try await withClient("rediss://\(server.address)", patience: .seconds(20), tls: self.tls()) { client throws in
            #expect(try await client.send(command("GET", "k")).text == "whole")
        }
        #expect(server.connectionCount == 2)
        await server.stop()
    }

    @Test func `a server that is killed and comes back is used again`() async throws {
        let server = try await RedisServer.start(tls: try self.files())
        let url = "rediss://127.0.0.1:\(server.tlsPort)"
        try await withClient(url, patience: .seconds(20), tls: self.tls()) { client throws in
            #expect(try await client.send(command("SET", "k", "v")).text == "OK")
            try await server.kill()
            try await server.restart()
            #expect(try await client.send(command("SET", "k", "v")).text == "OK")
        }
    }

    // MARK: What does not

    @Test func `a server that nobody who is trusted has vouched for gets no password, and no second attempt`()
        async throws
    {
        let server = try await ScriptedRedisServer.start(tls: try self.context())
        let other = try TestCertificates(name: "Other authority")
        let error = try await self.failure(
            "rediss://:hunter2@\(server.address)", self.tls { $0.trust = .file(other.trustFile) })
        #expect(error.code == .misconfigured)
        #expect(!error.mayHaveBeenExecuted)
        #expect(error.message.hasPrefix("TLS: nobody who is trusted has issued the peer's certificate"))
        #expect(!"\(error)".contains("hunter2"))
        #expect(server.commands.isEmpty)
        await server.stop()
    }

    @Test func `a server of another name is refused`() async throws {
        let server = try await RedisServer.start(tls: try self.files(TestCertificate(names: ["DNS:elsewhere"])))
        let error = try await self.failure("rediss://127.0.0.1:\(server.tlsPort)", self.tls())
        #expect(error.code == .misconfigured)
        #expect(error.message == "TLS: the peer's certificate is for another name")
    }

    @Test func `a server that wants a certificate and gets none says so`() async throws {
        let server = try await RedisServer.start(tls: try self.files(requiresClientCertificate: true))
        let error = try await self.failure("rediss://127.0.0.1:\(server.tlsPort)", self.tls())
        #expect(error.code == .misconfigured)
        #expect(error.message.contains("certificate required"))
    }

    @Test func `a port without TLS is an error that says so`() async throws {
        let server = try await RedisServer.start()
        let error = try await withClient(
            "rediss://127.0.0.1:\(server.port)", patience: .zero, connectTimeout: .milliseconds(500), tls: self.tls()
        ) { client in
            try #require(await client.failure(command("GET", "k")))
        }
        // A server waits for the end of a line that may never come, or finds one and answers.
        #expect(error.message.contains("speaks no TLS") || error.message.contains("does not speak TLS"))
    }

    @Test func `what keeps sentinels from being asked is said`() async throws {
        let sentinel = try await ScriptedRedisServer.start(
            tls: try self.context(TestCertificate(names: ["DNS:elsewhere"])))
        let error = try await self.failure("rediss+sentinel://\(sentinel.address)/cache", self.tls())
        #expect(error.code == .misconfigured)
        #expect(error.message == "a sentinel cannot be used: TLS: the peer's certificate is for another name")
        await sentinel.stop()
    }

    @Test func `a certificate that is mended is noticed`() async throws {
        let authority = self.authority
        let server = try await RedisServer.start(tls: try self.files(TestCertificate(names: ["DNS:elsewhere"])))
        let log = RecordedLog()
        let url = "rediss://127.0.0.1:\(server.tlsPort)"
        try await withClient(url, tls: self.tls(), logger: log.logger) { client throws in
            #expect(await client.failure(command("SET", "k", "v"))?.code == .misconfigured)
            let mended = try authority.issue("server")
            try await server.command("CONFIG", "SET", "tls-cert-file", mended.chainFile, "tls-key-file", mended.keyFile)
            while await log.nextMessage() != "Redis server is reachable again" {}
            #expect(try await client.send(command("SET", "k", "v")).text == "OK")
        }
    }
}
