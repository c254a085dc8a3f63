// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport
import Testing

@Suite struct ResumptionTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    private func serverContext() throws -> TLSContext {
        try self.parties.serverContext {
            $0.clientCertificates = .required(trustFile: self.parties.certificates.trustFile)
        }
    }

    /// Connects once and ends it.
    private func handshake(
        _ client: TLSContext, _ server: TLSContext, peerName: String = "localhost"
    ) throws -> (client: TLSHandshakeCompleted, server: TLSHandshakeCompleted) {
        let pair = try TLSPair(client: client, server: server, peerName: peerName)
        try pair.connect()
        pair.client.channel.close(promise: nil)
        try pair.exchange()
        return (
            try #require(pair.client.recorder.handshakes.first), try #require(pair.server.recorder.handshakes.first)
        )
    }

    @Test func `each further handshake with the same peer goes on from the one before`() throws {
        let (client, server) = (
            try self.parties.clientContext { $0.identity = self.parties.client }, try serverContext()
        )
        let first = try self.handshake(client, server)
        #expect(!first.client.isResumed && !first.server.isResumed)
        for _ in 0..<3 {
            let next = try self.handshake(client, server)
            #expect(next.client.isResumed && next.server.isResumed)
            #expect(next.server.peer == first.server.peer)
            #expect(next.client.peer == first.client.peer)
        }
    }

    @Test func `a session with one name is not used for another`() throws {
        let (client, server) = (
            try self.parties.clientContext { $0.identity = self.parties.client }, try serverContext()
        )
        _ = try self.handshake(client, server)
        let other = try self.handshake(client, server, peerName: "127.0.0.1")
        #expect(!other.client.isResumed)
    }

    @Test func `after a reload of either side every client shows its certificate again`() throws {
        let (client, server) = (
            try self.parties.clientContext { $0.identity = self.parties.client }, try serverContext()
        )
        _ = try self.handshake(client, server)
        #expect(try !self.handshake(client, self.serverContext()).server.isResumed)
        let reloaded = try self.parties.clientContext { $0.identity = self.parties.client }
        #expect(try !self.handshake(reloaded, server).server.isResumed)
    }

    @Test func `without client certificates sessions are resumed as well`() throws {
        let (client, server) = (try self.parties.clientContext(), try self.parties.serverContext())
        _ = try self.handshake(client, server)
        let second = try self.handshake(client, server)
        #expect(second.client.isResumed && second.server.isResumed)
        #expect(second.server.peer == nil)
    }
}
