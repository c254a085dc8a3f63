// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport
import Testing

@Suite struct HandshakeTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    @Test func `both sides speak TLS 1_3 if nothing else is said`() throws {
        let pair = try self.parties.connected()
        #expect(pair.server.recorder.handshakes.map(\.version) == [.tls13])
        #expect(pair.client.recorder.handshakes.map(\.version) == [.tls13])
        pair.client.send("question")
        try pair.exchange()
        pair.server.send("answer")
        try pair.exchange()
        #expect(pair.server.recorder.received == Array("question".utf8))
        #expect(pair.client.recorder.received == Array("answer".utf8))
    }

    @Test func `a handshake that comes byte by byte is the same`() throws {
        let pair = try TLSPair(client: self.parties.clientContext(), server: self.parties.serverContext())
        try pair.connect { 1 }
        pair.client.send("question")
        try pair.exchange { 1 }
        #expect(pair.server.recorder.received == Array("question".utf8))
    }

    @Test func `an RSA certificate serves as well`() throws {
        var certificate = TestCertificate()
        certificate.key = .rsa
        let pair = try self.parties.connected(as: self.parties.issue("rsa", certificate))
        #expect(pair.client.recorder.handshakes.count == 1)
    }

    @Test func `a certificate that an intermediate authority has issued is verified by the root`() throws {
        let intermediate = try TestCertificates(name: "Intermediate", issuedBy: self.parties.certificates)
        let identity = try Parties.identity(intermediate, "server", TestCertificate())
        let pair = try self.parties.connected(as: identity)
        #expect(pair.client.recorder.handshakes.count == 1)
    }

    @Test func `who trusts an intermediate authority needs no root`() throws {
        let intermediate = try TestCertificates(name: "Intermediate", issuedBy: self.parties.certificates)
        let identity = try Parties.identity(intermediate, "server", TestCertificate())
        let trust = TLSClientConfiguration.Trust.file(intermediate.trustFile)
        #expect(try self.parties.connected(as: identity, client: { $0.trust = trust }).client.recorder.faults == [])
        let other = try self.parties.connected(client: { $0.trust = trust })
        #expect(other.client.recorder.faults == [.unknownAuthority])
    }

    // MARK: Names

    @Test func `a host name is asked for in the hello, and an address is not`() throws {
        for (name, isAsked) in [("cache.example.org", true), ("127.0.0.1", false), ("::1", false)] {
            let end = try End(self.parties.clientContext(), peerName: name)
            try end.connect()
            let hello = try end.written()
            #expect(hello.readableBytesView.contains(subsequence: name.utf8) == isAsked)
        }
    }

    @Test(arguments: ["localhost", "127.0.0.1", "::1"])
    func `names and addresses of the certificate are accepted`(name: String) throws {
        let pair = try self.parties.connected(peerName: name)
        #expect(pair.client.recorder.handshakes.count == 1)
    }

    @Test(arguments: ["example.org", "127.0.0.2", "::2", "localhos", "sub.localhost"])
    func `another name is refused with its alert`(name: String) throws {
        let pair = try self.parties.connected(peerName: name)
        #expect(pair.client.recorder.faults == [.wrongName])
        #expect(pair.client.recorder.handshakes.isEmpty)
        #expect(pair.server.recorder.faults == [.alertReceived])
        #expect(!pair.client.channel.isActive)
    }

    @Test(arguments: [("a.example.org", true), ("example.org", false), ("a.b.example.org", false)])
    func `a wildcard stands for one label`(name: String, isAccepted: Bool) throws {
        let identity = try self.parties.issue("wildcard-\(name)", TestCertificate(names: ["DNS:*.example.org"]))
        let pair = try self.parties.connected(peerName: name, as: identity)
        #expect(pair.client.recorder.handshakes.count == (isAccepted ? 1 : 0))
    }

    @Test func `a configured name takes the place of the one that was connected to`() throws {
        let pair = try self.parties.connected(peerName: "10.0.0.1", client: { $0.serverName = "localhost" })
        #expect(pair.client.recorder.handshakes.count == 1)
    }

    @Test(arguments: [nil, "", "a\0b", ".localhost", String(repeating: "a", count: 256)])
    func `without a name that can be verified there is no connection`(name: String?) throws {
        let pair = try self.parties.connected(peerName: name)
        #expect(pair.client.recorder.faults == [.misconfigured])
        #expect(!pair.client.channel.isActive)
    }

    @Test func `a subject's common name is no host name`() throws {
        var certificate = TestCertificate()
        certificate.subject = "localhost"
        certificate.names = nil
        let pair = try self.parties.connected(as: self.parties.issue("common-name", certificate))
        #expect(pair.client.recorder.faults == [.wrongName])
    }

    @Test func `who checks nobody accepts anybody, and knows nothing about them`() throws {
        let identity = try Parties.identity(self.parties.others, "stranger", TestCertificate(names: ["DNS:x"]))
        let pair = try self.parties.connected(peerName: nil, as: identity, client: { $0.trust = .nobodyIsChecked })
        #expect(pair.client.recorder.handshakes.count == 1)
        #expect(pair.client.recorder.handshakes.first?.peer == nil)
    }

    // MARK: Application protocols

    @Test(arguments: [
        (["semcache/1", "h2"], ["h2", "semcache/1"], "semcache/1"), (["h2"], ["h2"], "h2"), (["h2"], [], nil),
        ([], ["h2"], nil),
    ])
    func `the server's first protocol that the client offers is spoken`(
        server: [String], client: [String], spoken: String?
    ) throws {
        let pair = try self.parties.connected(
            client: { $0.applicationProtocols = client }, server: { $0.applicationProtocols = server })
        #expect(pair.server.recorder.handshakes.map(\.applicationProtocol) == [spoken])
        #expect(pair.client.recorder.handshakes.map(\.applicationProtocol) == [spoken])
    }

    @Test func `a client that offers only other protocols is refused with its alert`() throws {
        let pair = try self.parties.connected(
            client: { $0.applicationProtocols = ["http/1.1"] }, server: { $0.applicationProtocols = ["h2"] })
        #expect(pair.server.recorder.faults == [.noApplicationProtocol])
        #expect(pair.client.recorder.faults == [.alertReceived])
    }

    // MARK: Versions

    @Test(arguments: [true, false])
    func `a side that demands TLS 1_3 gets it`(isServer: Bool) throws {
        let pair = try self.parties.connected(
            client: { $0.minimumVersion = isServer ? .tls12 : .tls13 },
            server: { $0.minimumVersion = isServer ? .tls13 : .tls12 })
        #expect(pair.server.recorder.handshakes.map(\.version) == [.tls13])
    }
}

extension Collection where Element == UInt8 {
    func contains(subsequence other: some Collection<UInt8>) -> Bool {
        let (bytes, other) = (Array(self), Array(other))
        guard bytes.count >= other.count else { return false }
        return (0...bytes.count - other.count).contains { bytes[$0..<$0 + other.count].elementsEqual(other) }
    }
}
