// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Glibc
import NIOCore
import NIOPosix
import OpenSSLTLS
import TestSupport
import Testing

@testable import GRPCFront

@Suite(.timeLimit(.minutes(1))) struct LifeCycleTests {
    /// A connection that says what the test wants it to.
    private func connect(to front: TestFront) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: front.port) { channel in
                channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
            }
    }

    /// Sends bytes and reads until the server closes.
    private func converse(_ bytes: [UInt8], with front: TestFront) async throws -> [UInt8] {
        try await self.connect(to: front).executeThenClose { inbound, outbound in
            var answer: [UInt8] = []
            do {
                try await outbound.write(ByteBuffer(bytes: bytes))
                for try await part in inbound { answer.append(contentsOf: part.readableBytesView) }
            } catch is IOError, is ChannelError {
                // Reset, or closed before: closed all the same.
            }
            return answer
        }
    }

    @Test func `a call in flight is answered before a server that stops is gone`() async throws {
        let embedder = ControlledEmbedder()
        try await TestFront.run(embedder: embedder, endsGracefully: true) { front in
            try await front.withClient { client in
                try await withThrowingTaskGroup(of: ServiceResponse.self) { group in
                    group.addTask { try await client.call(lookup("what takes so long?")) }
                    let held = await embedder.nextHeld()
                    await front.beginShutdown()
                    held.succeed()
                    let answer = try await group.next()
                    #expect(answer?.missReason == .noEntry)
                }
            }
        }
    }

    @Test func `a server that stops does not wait for a peer that says nothing`() async throws {
        try await TestFront.run(endsGracefully: true) { front in
            try await self.connect(to: front).executeThenClose { inbound, outbound in
                // The preface and empty settings; whatever the server then says is left unanswered.
                try await outbound.write(
                    ByteBuffer(bytes: Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]))
                var iterator = inbound.makeAsyncIterator()
                _ = try await iterator.next()
                await front.beginShutdown()
                // A reset is an end as well.
                while let part = try? await iterator.next(), part.readableBytes >= 0 {}
            }
        }
    }

    @Test(
        arguments: [
            Array("GET / HTTP/1.1\r\n\r\n".utf8), [UInt8](repeating: 0, count: 4096),
            Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [UInt8](repeating: 0xff, count: 64),
        ] as [[UInt8]]) func `a peer that does not speak HTTP/2 is sent away, and others are served`(bytes: [UInt8])
        async throws
    {
        try await TestFront.run { front in
            _ = try await self.converse(bytes, with: front)
            try await front.withClient { try await $0.call(.ping) }
        }
    }

    @Test func `a peer that says nothing is sent away`() async throws {
        var limits = ConnectionLimits()
        limits.handshakeDeadline = .milliseconds(50)
        try await TestFront.run(limits: limits) { front in
            let answer = try await self.converse([], with: front)
            // The server's own settings at most.
            #expect(answer.count < 100)
        }
    }

    @Test func `a connection over the limit is closed, and one that goes makes room`() async throws {
        var limits = ConnectionLimits()
        limits.maximumConnections = 1
        try await TestFront.run(limits: limits) { front in
            try await front.withClient { client in
                try await client.call(.ping)
                #expect(try await self.converse([], with: front) == [])
                try await client.call(.ping)
            }
            // The one before is gone a moment after its client.
            try await front.withClient { client in
                let options = ServiceRequest.ping
                while try await client.error(options) != nil {
                    try Task.checkCancellation()
                    await Task.yield()
                }
            }
        }
    }

    @Test func `a request that does not arrive as a whole is given up`() async throws {
        var limits = ConnectionLimits()
        limits.frameDeadline = .milliseconds(50)
        try await TestFront.run(limits: limits) { front in
            try await front.withClient { client in
                let error = await #expect(throws: RPCError.self) {
                    try await client.clientStreaming(
                        request: StreamingClientRequest<[UInt8]> { _ in try await Task.never() },
                        descriptor: MethodDescriptor(
                            fullyQualifiedService: "semcached.v1.SemanticCache", method: "Lookup"),
                        serializer: Bytes(), deserializer: Bytes(), options: .defaults
                    ) { try $0.message }
                }
                #expect(error?.code == .deadlineExceeded)
            }
        }
    }

    // MARK: TLS

    private func front(_ certificates: TestCertificates, _ clients: TLSServerConfiguration.ClientCertificates = .none)
        throws -> TLSContext
    {
        let (chainFile, keyFile) = try certificates.issue("server")
        var tls = TLSServerConfiguration(identity: TLSIdentity(chainFile: chainFile, keyFile: keyFile))
        tls.clientCertificates = clients
        tls.applicationProtocols = [GRPCFront.applicationProtocol]
        return try TLSContext(tls)
    }

    private func trusting(_ certificates: TestCertificates, _ client: (chainFile: String, keyFile: String)? = nil)
        -> HTTP2ClientTransport.Posix.TransportSecurity
    {
        .tls { tls in
            tls.trustRoots = .certificates([.file(path: certificates.trustFile, format: .pem)])
            tls.serverCertificateVerification = .noHostnameVerification
            guard let client else { return }
            tls.certificateChain = [.file(path: client.chainFile, format: .pem)]
            tls.privateKey = .file(path: client.keyFile, format: .pem)
        }
    }

    @Test func `a client certificate is a credential`() async throws {
        let certificates = try TestCertificates()
        let grants = [
            CertificateGrant(name: CertificateName("dns:client.test")!, tenancy: .tenant(TenantID("a")), roles: [.read])
        ]
        let authenticator = CredentialAuthenticator(.init(keys: [], certificates: grants))
        let tls = try self.front(certificates, .optional(trustFile: certificates.trustFile))
        try await TestFront.run(
            clock: ManualClock(wallClock()), authenticator: authenticator, tls: tls
        ) { front in
            func client(_ name: String) throws -> (String, String) {
                var certificate = TestCertificate()
                certificate.names = ["DNS:\(name)"]
                return try certificates.issue(name, certificate)
            }
            try await front.withClient(self.trusting(certificates, try client("client.test"))) { client in
                try await client.call(lookup("q", mode: .exact))
                try await client.expect(.permissionDenied, of: store("q", "a"))
            }
            try await front.withClient(self.trusting(certificates, try client("other.test"))) { client in
                try await client.expect(.unauthenticated, of: .ping)
            }
            try await front.withClient(self.trusting(certificates)) { client in
                try await client.expect(.unauthenticated, of: .ping)
            }
        }
    }

    /// Runs a front that lets in the holder of a certificate for `client.test`, and hands over how to connect as him.
    private func withHolder(
        of tenant: String, tokens: (any TokenVerifier)? = nil,
        _ body: (
            TestFront, CredentialAuthenticator, _ holder: HTTP2ClientTransport.Posix.TransportSecurity,
            _ nobody: HTTP2ClientTransport.Posix.TransportSecurity
        ) async throws -> Void
    ) async throws {
        let certificates = try TestCertificates()
        let authenticator = CredentialAuthenticator(
            .init(keys: [], tokens: tokens, certificates: [Self.grant(to: tenant)]))
        let tls = try self.front(certificates, .optional(trustFile: certificates.trustFile))
        var certificate = TestCertificate()
        certificate.names = ["DNS:client.test"]
        let holder = self.trusting(certificates, try certificates.issue("client.test", certificate))
        try await TestFront.run(
            clock: ManualClock(wallClock()), authenticator: authenticator, tls: tls
        ) { front in try await body(front, authenticator, holder, self.trusting(certificates)) }
    }

    private static func grant(to tenant: String) -> CertificateGrant {
        CertificateGrant(name: CertificateName("dns:client.test")!, tenancy: .tenant(TenantID(tenant)), roles: .all)
    }

    @Test func `what a peer says of its connection itself is not believed`() async throws {
        try await self.withHolder(of: "a") { front, _, holder, nobody in
            try await front.withClient(holder) { client in
                try await client.call(.ping)
                try await front.withClient(nobody) { other in
                    // The holder's is the first, and open.
                    #expect(front.front.peers.call(of: ["semcache-connection": "1.1"])?.peer.certificate != nil)
                    try await other.expect(.unauthenticated, of: .ping, ["semcache-connection": "1.1"])
                }
                try await client.call(.ping)
            }
        }
    }

    @Test func `a token that is remembered is refused once its connection's certificate is another tenant's`()
        async throws
    {
        let tokens = CountingTokens()
        try await self.withHolder(of: "a", tokens: tokens) { front, authenticator, holder, _ in
            tokens.expiresAt = front.clock.now + .seconds(3600)
            let metadata: Metadata = ["authorization": "Bearer good-a"]
            try await front.withClient(holder) { client in
                try await client.call(.ping, metadata)
                authenticator.replace(.init(keys: [], tokens: tokens, certificates: [Self.grant(to: "b")]))
                try await client.expect(.unauthenticated, of: .ping, metadata)
            }
        }
    }

    @Test func `certificates are replaced without a connection being lost`() async throws {
        let old = try TestCertificates(name: "Old")
        let new = try TestCertificates(name: "New")
        try await TestFront.run(tls: try self.front(old)) { front in
            try await front.withClient(self.trusting(old)) { client in
                try await client.call(.ping)
                front.front.replace(tls: try self.front(new))
                try await client.call(.ping)
                try await front.withClient(self.trusting(new)) { try await $0.call(.ping) }
            }
        }
    }

    @Test func `a client that does not agree on HTTP/2 is sent away`() async throws {
        let certificates = try TestCertificates()
        try await TestFront.run(tls: try self.front(certificates)) { front in
            var configuration = TLSClientConfiguration()
            configuration.trust = .file(certificates.trustFile)
            let context = try TLSContext(configuration)
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: front.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(TLSHandler(context, peerName: "127.0.0.1"))
                        return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            try await channel.executeThenClose { inbound, _ in
                for try await _ in inbound {}
            }
        }
    }
}

extension Task where Success == Never, Failure == Never {
    /// Ends only by being cancelled.
    static func never() async throws {
        for await _ in AsyncStream<Never>.makeStream().stream {}
        try Task.checkCancellation()
    }
}

/// Milliseconds since 1970: certificates are in force by the real clock.
private func wallClock() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000
}
