// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import OpenSSLTLS
import TestSupport
import Testing

/// Against OpenSSL's own program, over real sockets.
@Suite(.timeLimit(.minutes(2))) struct InteropTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    private func client(_ server: GreetingServer, _ arguments: [String] = []) async throws -> OpenSSLProgram {
        let usual = [
            "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile", self.parties.certificates.trustFile,
            "-verify_return_error", "-verify_ip", "127.0.0.1",
        ]
        return try await OpenSSLProgram.run(usual + arguments, input: "")
    }

    private func server(_ change: (inout TLSServerConfiguration) -> Void = { _ in }) async throws -> GreetingServer {
        try await GreetingServer(self.parties.serverContext(nil, change))
    }

    @Test(arguments: [("-tls1_2", TLSVersion.tls12), ("-tls1_3", .tls13)])
    func `both versions work with its client`(option: String, version: TLSVersion) async throws {
        let server = try await self.server()
        let program = try await self.client(server, [option])
        #expect(program.output.contains("hello"))
        #expect(program.output.contains("Verify return code: 0 (ok)"))
        #expect(await server.handshakes.next()?.version == version)
        try await server.close()
    }

    @Test func `TLS 1_1 is refused with its alert`() async throws {
        let server = try await self.server()
        let program = try await self.client(server, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        #expect(program.output.contains("alert protocol version"))
        #expect(await server.faults.next()?.code == .unsupportedVersion)
        try await server.close()
    }

    @Test func `TLS 1_2 is refused where 1_3 is demanded`() async throws {
        let server = try await self.server { $0.minimumVersion = .tls13 }
        let program = try await self.client(server, ["-tls1_2"])
        #expect(program.output.contains("alert protocol version"))
        #expect(await server.faults.next()?.code == .unsupportedVersion)
        try await server.close()
    }

    @Test(arguments: ["AES128-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"])
    func `a cipher without ephemeral keys or authenticated encryption is refused`(cipher: String) async throws {
        let server = try await self.server()
        let program = try await self.client(server, ["-tls1_2", "-cipher", cipher])
        #expect(program.output.contains("alert handshake failure"))
        #expect(await server.faults.next()?.code == .noSharedCipher)
        try await server.close()
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func `its client shows a certificate`(version: String) async throws {
        let server = try await self.server {
            $0.clientCertificates = .required(trustFile: self.parties.certificates.trustFile)
        }
        let (chain, key) = (self.parties.client.chainFile, self.parties.client.keyFile)
        let program = try await self.client(server, [version, "-cert", chain, "-key", key])
        #expect(program.output.contains("hello"))
        #expect(await server.handshakes.next()?.peer?.uris == ["spiffe://example.org/acme"])
        let without = try await self.client(server, [version])
        #expect(
            without.output.contains(version == "-tls1_3" ? "alert certificate required" : "alert handshake failure"))
        #expect(await server.faults.next()?.code == .certificateRequired)
        try await server.close()
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func `its client resumes a session`(version: String) async throws {
        let server = try await self.server {
            $0.clientCertificates = .required(trustFile: self.parties.certificates.trustFile)
        }
        let identity = [
            version, "-cert", self.parties.client.chainFile, "-key", self.parties.client.keyFile, "-ign_eof",
        ]
        let file = self.parties.certificates.folder + "/session\(version)"
        _ = try await self.client(server, identity + ["-sess_out", file])
        _ = try await self.client(server, identity + ["-sess_in", file])
        let (first, second) = (await server.handshakes.next(), await server.handshakes.next())
        #expect(first?.isResumed == false && second?.isResumed == true)
        #expect(first?.peer == second?.peer)
        try await server.close()
    }

    @Test func `a renegotiation is refused`() async throws {
        let server = try await SilentServer(self.parties.serverContext())
        // A line with an R asks for one.
        let program = try await OpenSSLProgram.run(
            ["s_client", "-connect", "127.0.0.1:\(server.port)", "-tls1_2"], input: "R\n")
        #expect(program.output.contains("RENEGOTIATING"))
        #expect(program.output.contains("no renegotiation"))
        try await server.close()
    }
}

/// A server that takes what comes and says nothing.
private final class SilentServer: Sendable {
    let port: Int
    private let channel: any Channel

    init(_ context: TLSContext) async throws {
        self.channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TLSHandler(context))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.port = self.channel.localAddress?.port ?? 0
    }

    func close() async throws { try await self.channel.close() }
}
