// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import Foundation
import NIOCore
import NIOPosix
import OpenSSLTLS
import TestSupport
import Testing

/// Calls over TLS, and what is said when there can be none.
@Suite(.timeLimit(.minutes(1)))
struct TLSTests {
    private let authority: TestCertificates

    init() throws { self.authority = try TestCertificates() }

    /// - Parameter change: Of the server's configuration.
    private func context(
        _ certificate: TestCertificate = TestCertificate(), _ change: (inout TLSServerConfiguration) -> Void = { _ in }
    ) throws -> TLSContext {
        let files = try self.authority.issue("server", certificate)
        var configuration = TLSServerConfiguration(
            identity: TLSIdentity(chainFile: files.chainFile, keyFile: files.keyFile))
        change(&configuration)
        return try TLSContext(configuration)
    }

    /// Trusts the authority, unless the test says otherwise.
    private func client(
        _ server: ScriptedServer, _ change: (inout ClientTLS) -> Void = { _ in }
    ) -> CacheClient {
        var tls = ClientTLS(trust: .authorities(file: self.authority.trustFile))
        change(&tls)
        var configuration = ClientConfiguration(server)
        configuration.transportSecurity = .tls(tls)
        return CacheClient(configuration)
    }

    private func expectPing(_ client: CacheClient, at server: ScriptedServer) async throws {
        async let ping = client.ping()
        let peer = try await server.welcomePeer()
        peer.answer(try await peer.call(), version: "over TLS")
        #expect(try await ping.serverVersion == "over TLS")
        await client.close()
    }

    private func certificate(_ name: String, of authority: TestCertificates) throws -> ClientTLS.Certificate {
        let files = try authority.issue(name, TestCertificate(names: ["URI:spiffe://test/\(name)"]))
        return ClientTLS.Certificate(chainFile: files.chainFile, keyFile: files.keyFile)
    }

    // MARK: What works

    @Test(arguments: [ClientTLS.Version.tls12, .tls13])
    func `a call goes over TLS`(minimum: ClientTLS.Version) async throws {
        try await ScriptedServer.withServer(tls: try self.context()) { server in
            try await self.expectPing(self.client(server) { $0.minimumVersion = minimum }, at: server)
        }
    }

    @Test func `the name that is verified can be another than that of the address`() async throws {
        let context = try self.context(TestCertificate(names: ["DNS:cache.internal"]))
        try await ScriptedServer.withServer(tls: context) { server in
            try await self.expectPing(self.client(server) { $0.serverName = "cache.internal" }, at: server)
        }
    }

    @Test func `who says so gets a connection to anybody`() async throws {
        let context = try self.context(TestCertificate(names: ["DNS:elsewhere"]))
        try await ScriptedServer.withServer(tls: context) { server in
            try await self.expectPing(self.client(server) { $0.trust = .anybodyWithoutVerification }, at: server)
        }
    }

    @Test func `a server that asks for a certificate is shown the client's`() async throws {
        let authority = self.authority
        let context = try self.context { $0.clientCertificates = .required(trustFile: authority.trustFile) }
        try await ScriptedServer.withServer(tls: context) { server in
            let certificate = try self.certificate("one", of: authority)
            let client = self.client(server) { $0.certificate = certificate }
            async let ping = client.ping()
            let peer = try await server.welcomePeer()
            peer.answer(try await peer.call())
            _ = try await ping
            #expect(peer.clientCertificate?.uris == ["spiffe://test/one"])
            await client.close()
        }
    }

    @Test func `a client's certificate that was replaced is shown on the next connection`() async throws {
        let authority = self.authority
        let context = try self.context { $0.clientCertificates = .required(trustFile: authority.trustFile) }
        try await ScriptedServer.withServer(tls: context) { server in
            let certificate = try self.certificate("one", of: authority)
            let client = self.client(server) { $0.certificate = certificate }
            async let first = client.ping()
            let old = try await server.welcomePeer()
            old.answer(try await old.call())
            _ = try await first
            try authority.issue("one", TestCertificate(names: ["URI:spiffe://test/two"]))
            old.close()
            async let second = client.ping()
            let new = try await server.welcomePeer()
            new.answer(try await new.call())
            _ = try await second
            #expect(new.clientCertificate?.uris == ["spiffe://test/two"])
            await client.close()
        }
    }

    @Test(arguments: [true, false])
    func `calls on a connection that is lost are made again`(isCut: Bool) async throws {
        try await ScriptedServer.withServer(tls: try self.context()) { server in
            let client = self.client(server)
            async let ping = client.ping()
            let first = try await server.welcomePeer()
            _ = try await first.call()
            if isCut { try await first.cut() } else { first.close() }
            let second = try await server.welcomePeer()
            second.answer(try await second.call(), version: "second")
            #expect(try await ping.serverVersion == "second")
            await client.close()
        }
    }

    // MARK: What does not

    /// - Returns: What a call fails with.
    private func refusal(
        of context: TLSContext, _ change: (inout ClientTLS) -> Void = { _ in }
    ) async throws -> CacheClientError {
        try await ScriptedServer.withServer(tls: context) { server in
            let client = self.client(server, change)
            let error = try #require(await failure { try await client.ping() })
            await client.close()
            #expect(error.code == .unavailable)
            #expect(error.origin == .connection)
            #expect(error.field == "tls")
            #expect(error.message.hasPrefix("cannot connect to \(server.address): TLS: "))
            return error
        }
    }

    @Test func `a server that nobody who is trusted has vouched for is refused`() async throws {
        let other = try TestCertificates(name: "Other authority")
        let error = try await self.refusal(of: try self.context()) { $0.trust = .authorities(file: other.trustFile) }
        #expect(error.message.contains("nobody who is trusted has issued the peer's certificate"))
        let system = try await self.refusal(of: try self.context()) { $0.trust = .systemAuthorities }
        #expect(system.message.contains("nobody who is trusted has issued the peer's certificate"))
    }

    @Test func `a server of another name is refused`() async throws {
        let error = try await self.refusal(of: try self.context(TestCertificate(names: ["DNS:elsewhere"])))
        #expect(error.message.hasSuffix("the peer's certificate is for another name"))
    }

    @Test func `a server whose certificate has expired is refused`() async throws {
        var certificate = TestCertificate()
        certificate.notAfter = -60
        let error = try await self.refusal(of: try self.context(certificate))
        #expect(error.message.hasSuffix("the peer's certificate has expired"))
    }

    @Test func `a server that wants a certificate and gets none says so`() async throws {
        let trust = self.authority.trustFile
        let context = try self.context { $0.clientCertificates = .required(trustFile: trust) }
        let error = try await self.refusal(of: context)
        #expect(error.message.contains("certificate required"))
    }

    @Test func `a server that does not know the client's authority says so`() async throws {
        let trust = self.authority.trustFile
        let context = try self.context { $0.clientCertificates = .required(trustFile: trust) }
        let other = try TestCertificates(name: "Other authority")
        let certificate = try self.certificate("stranger", of: other)
        let error = try await self.refusal(of: context) { $0.certificate = certificate }
        #expect(error.message.contains("the peer sent the alert"))
    }

    @Test func `a server without TLS is an error that says so`() async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(PlainServer()) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        let client = CacheClient(ClientConfiguration(try ServerAddress("semcached+tls://127.0.0.1:\(port)")))
        let error = await failure { try await client.ping() }
        #expect(
            error?.message
                == "cannot connect to semcached+tls://127.0.0.1:\(port): the server does not speak TLS")
        await client.close()
        try await channel.close()
    }

    @Test func `a server that says nothing during the handshake is an error in time`() async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        var configuration = ClientConfiguration(ServerAddress(host: "127.0.0.1", port: port, usesTLS: true))
        configuration.connectTimeout = .milliseconds(300)
        let client = CacheClient(configuration)
        let error = await failure { try await client.ping() }
        #expect(error?.message.hasSuffix("it accepted but speaks no TLS, or not in time") == true)
        await client.close()
        try await channel.close()
    }

    @Test func `a server that may want TLS is an error that says how to ask for it`() async throws {
        try await ScriptedServer.withServer(tls: try self.context()) { server in
            let address = ServerAddress(host: server.address.host, port: server.address.port)
            let client = CacheClient(ClientConfiguration(address))
            let error = await failure { try await client.ping() }
            #expect(
                error?.message == "cannot connect to \(address): the server closed it; "
                    + "if it wants TLS, its address begins with semcached+tls://")
            await client.close()
        }
    }

    @Test func `a server that answers with an alert is an error that says how to ask for TLS`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let error = failure { try await client.ping() }
            let peer = try await server.nextPeer()
            _ = try await peer.hello()
            peer.send(bytes: [0x15, 3, 1, 0, 2, 2, 70])
            #expect(await error?.code == .internal)
            #expect(await error?.message.contains("it speaks TLS") == true)
            await client.close()
        }
    }

    @Test func `what waits for a server does not wait for a certificate`() async throws {
        let context = try self.context(TestCertificate(names: ["DNS:elsewhere"]))
        try await ScriptedServer.withServer(tls: context) { server in
            var configuration = ClientConfiguration(server)
            configuration.waitsForConnection = true
            configuration.transportSecurity = .tls(ClientTLS(trust: .authorities(file: self.authority.trustFile)))
            let client = CacheClient(configuration)
            let error = await failure { try await client.ping() }
            #expect(error?.message.contains("another name") == true)
            await client.close()
        }
    }

    @Test func `a file that cannot be read is what every call fails with`() async throws {
        let path = self.authority.folder + "/none.pem"
        var configuration = ClientConfiguration(ServerAddress(host: "127.0.0.1", port: 1, usesTLS: true))
        configuration.transportSecurity = .tls(ClientTLS(trust: .authorities(file: path)))
        let client = CacheClient(configuration)
        let error = await failure { try await client.ping() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.field == "tls")
        #expect(error?.message.contains(path) == true)
        await client.close()
    }

    @Test func `while a file that has changed cannot be used, what was read before stays in force`() async throws {
        try await ScriptedServer.withServer(tls: try self.context()) { server in
            let path = try self.authority.write(
                try String(decoding: Self.bytes(self.authority.trustFile), as: UTF8.self), to: "trust.pem")
            let client = self.client(server) { $0.trust = .authorities(file: path) }
            try self.authority.write("", to: "trust.pem")
            try await self.expectPing(client, at: server)
        }
    }

    private static func bytes(_ path: String) throws -> [UInt8] {
        let file = try #require(FileHandle(forReadingAtPath: path))
        return Array(try #require(try file.readToEnd()))
    }
}

/// Answers whatever comes as a server of the native protocol does that does not understand it.
private final class PlainServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = ByteBuffer()
        let fault = CacheError(.invalidArgument, "no frame")
        ServerMessageEncoder().write(.reply(Reply(id: 0, result: .failure(fault))), into: &buffer)
        context.writeAndFlush(NIOAny(buffer), promise: nil)
        context.close(promise: nil)
    }
}
