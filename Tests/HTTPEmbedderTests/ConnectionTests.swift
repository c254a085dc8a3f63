// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import TestSupport
import Testing

@testable import HTTPEmbedder

/// TLS and proxies.
struct ConnectionTests {
    private let certificates: TestCertificates
    private let server: NIOSSLContext

    /// A server that wants a certificate of its own authority.
    init() throws {
        self.certificates = try TestCertificates()
        let (chain, key) = try self.certificates.issue("server")
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(chain).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        tls.certificateVerification = .noHostnameVerification
        tls.trustRoots = .file(self.certificates.trustFile)
        self.server = try NIOSSLContext(configuration: tls)
    }

    private func configuration(
        _ port: Int, client: Bool = true, _ change: (inout HTTPEmbedder.Configuration) -> Void = { _ in }
    ) throws -> HTTPEmbedder.Configuration {
        let (chain, key) = try self.certificates.issue("client")
        return HTTPEmbedderTests.configuration("https://localhost:\(port)") {
            $0.tls.trustFile = self.certificates.trustFile
            if client {
                $0.tls.certificateFile = chain
                $0.tls.keyFile = key
            }
            change(&$0)
        }
    }

    @Test func `a private authority and a client's certificate are used`() async throws {
        try await ProviderServer.withServer(tls: self.server, { _, _ in .vectors() }) { server in
            try await withEmbedder(try self.configuration(server.port)) { embedder in
                #expect(await embedder.code() == nil)
            }
        }
    }

    @Test func `without the certificate or the authority there is no connection`() async throws {
        try await ProviderServer.withServer(tls: self.server, { _, _ in .vectors() }) { server in
            let others = try TestCertificates(name: "Others")
            let configurations = [
                try self.configuration(server.port, client: false),
                try self.configuration(server.port) { $0.tls.trustFile = others.trustFile },
                try self.configuration(server.port) { $0.tls.trustFile = nil },
            ]
            for configuration in configurations {
                try await withEmbedder(configuration) { embedder in
                    #expect(await embedder.code() == .unavailable)
                }
            }
            #expect(server.requests.isEmpty)
            withExtendedLifetime(others) {}
        }
    }

    @Test func `without verification any authority will do, and the log says so`() async throws {
        let log = RecordedLog()
        try await ProviderServer.withServer(tls: self.server, { _, _ in .vectors() }) { server in
            let configuration = try self.configuration(server.port) {
                $0.tls.trustFile = nil
                $0.tls.isVerified = false
            }
            try await withEmbedder(configuration, logger: log.logger) { embedder in
                #expect(await embedder.code() == nil)
            }
        }
        #expect(log.lines(with: "not verified").count == 1)
    }

    @Test(arguments: ["trust_file", "certificate_file", "key_file"])
    func `a file that cannot be used is refused at the start`(_ field: String) throws {
        let bad = try self.certificates.write("no PEM", to: "bad.pem")
        let configuration = try self.configuration(1) {
            switch field {
            case "trust_file": $0.tls.trustFile = bad
            case "certificate_file": $0.tls.certificateFile = bad
            default: $0.tls.keyFile = bad
            }
        }
        let error = #expect(throws: CacheError.self) {
            try HTTPEmbedder(configuration, logger: RecordedLog().logger)
        }
        #expect(error?.field == field)
    }

    @Test func `a proxy is asked for a tunnel, with its own credential and no other`() async throws {
        let (own, key) = (try SecretFile("dXNlcjpwYXNz"), try SecretFile(secret))
        try await ProviderServer.withServer({ _, _ in .vectors() }) { server in
            let asked = Mailbox<String>()
            let proxy = try await Tunnel.listen(to: server.port, asked)
            let configuration = HTTPEmbedderTests.configuration("http://provider.invalid") {
                $0.proxy = .init(
                    host: "127.0.0.1", port: proxy.localAddress?.port ?? 0, credential: .file(own.path))
                $0.credential = .file(key.path)
                $0.allowsPlaintextCredential = true
            }
            try await withEmbedder(configuration) { embedder in
                #expect(await embedder.code() == nil)
                let head = try #require(await asked.next()).lowercased()
                #expect(head.hasPrefix("connect provider.invalid:80 http/1.1\r\n"))
                #expect(head.contains("proxy-authorization: basic dxnlcjpwyxnz\r\n"))
                #expect(!head.contains(secret))
                #expect(server.requests[0].headers["Authorization"] == ["Bearer \(secret)"])
                #expect(server.requests[0].headers["Proxy-Authorization"].isEmpty)
            }
            try await proxy.close()
        }
        withExtendedLifetime((own, key)) {}
    }

    @Test func `what is encrypted stays so behind a proxy`() async throws {
        try await ProviderServer.withServer(tls: self.server, { _, _ in .vectors() }) { server in
            let asked = Mailbox<String>()
            let proxy = try await Tunnel.listen(to: server.port, asked)
            let configuration = try self.configuration(server.port) {
                $0.proxy = .init(host: "127.0.0.1", port: proxy.localAddress?.port ?? 0)
            }
            try await withEmbedder(configuration) { embedder in
                #expect(await embedder.code() == nil)
                #expect(await asked.next()?.hasPrefix("CONNECT localhost:\(server.port) HTTP/1.1\r\n") == true)
            }
            try await proxy.close()
        }
    }
}

/// A proxy that makes a tunnel to one port, whatever it is asked for.
private final class Tunnel: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let port: Int
    private let asked: Mailbox<String>
    private var head = ""
    private var other: (any Channel)?

    private init(_ port: Int, _ asked: Mailbox<String>) {
        self.port = port
        self.asked = asked
    }

    static func listen(to port: Int, _ asked: Mailbox<String>) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Tunnel(port, asked))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = self.unwrapInboundIn(data)
        if let other { return other.writeAndFlush(buffer, promise: nil) }
        self.head += String(buffer: buffer)
        guard self.head.hasSuffix("\r\n\r\n") else { return }
        self.asked.append(self.head)
        let near = context.channel
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Back(near))
                }
            }
            .connect(host: "127.0.0.1", port: self.port)
            .whenSuccess { channel in
                let (handler, context) = bound.value
                handler.other = channel
                let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")
                context.writeAndFlush(handler.wrapOutboundOut(answer), promise: nil)
            }
    }

    func channelInactive(context: ChannelHandlerContext) { self.other?.close(promise: nil) }

    private final class Back: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let near: any Channel

        init(_ near: any Channel) { self.near = near }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.near.writeAndFlush(self.unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { self.near.close(promise: nil) }
    }
}
