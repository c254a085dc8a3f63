// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import OpenSSLTLS

@Suite struct ForeignClientTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    @Test func `new keys are taken, and answered with new ones`() throws {
        let client = try #require(ForeignClient())
        let server = try End(self.parties.serverContext())
        try server.connect()
        try client.exchange(with: server)
        for round in 0..<5 {
            #expect(client.updateKeys())
            #expect(client.send("question \(round)"))
            try client.exchange(with: server)
            server.send("answer \(round)")
            try client.exchange(with: server)
            #expect(client.received() == "answer \(round)")
        }
        let expected = (0..<5).map { "question \($0)" }.joined()
        #expect(server.recorder.received == Array(expected.utf8))
        #expect(server.recorder.errors.isEmpty)
    }

    @Test func `new keys without end get no longer answers than they are`() throws {
        let client = try #require(ForeignClient())
        let server = try End(self.parties.serverContext())
        try server.connect()
        try client.exchange(with: server)
        var (asked, answered) = (0, 0)
        for _ in 0..<100 {
            #expect(client.updateKeys())
            #expect(client.send("x"))
            let bytes = client.written()
            asked += bytes.readableBytes
            try server.channel.writeInbound(bytes)
            answered += try server.written().readableBytes
        }
        #expect(server.recorder.received.count == 100)
        #expect(answered < asked)
    }

    @Test func `while its answers are not taken a peer's new keys are not read`() throws {
        let pair = try self.parties.connected()
        pair.client.send("question")
        var record = try pair.client.written()
        let part = record.readSlice(length: 9)
        pair.server.channel.isWritable = false
        pair.server.channel.read()
        let before = pair.server.socket.reads
        try pair.server.channel.writeInbound(#require(part))
        #expect(pair.server.socket.reads == before)
        pair.server.channel.isWritable = true
        pair.server.channel.pipeline.fireChannelWritabilityChanged()
        #expect(pair.server.socket.reads == before + 1)
    }

    @Test func `what a certificate is good for ends with it`() throws {
        for (notAfter, isCurrent) in [(3600, true), (-3600, false)] {
            var certificate = TestCertificate()
            (certificate.notBefore, certificate.notAfter) = (-7200, notAfter)
            let file = try self.parties.issue("current\(notAfter)", certificate).chainFile
            let bio = try #require(BIO_new_file(file, "r"))
            defer { BIO_free(bio) }
            let read = try #require(PEM_read_bio_X509(bio, nil, nil, nil))
            defer { X509_free(read) }
            #expect(PeerCertificate.isCurrent(read) == isCurrent)
        }
    }
}
