// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport
import Testing

@Suite struct ClientCertificateTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    private func connected(
        as identity: TLSIdentity?, isRequired: Bool = true
    ) throws -> TLSPair {
        let trustFile = self.parties.certificates.trustFile
        let pair = try TLSPair(
            client: self.parties.clientContext { $0.identity = identity },
            server: self.parties.serverContext {
                $0.clientCertificates = isRequired ? .required(trustFile: trustFile) : .optional(trustFile: trustFile)
            })
        try pair.connect()
        return pair
    }

    @Test func `the server learns the names of the client's certificate`() throws {
        let pair = try self.connected(as: self.parties.client)
        let peer = try #require(pair.server.recorder.handshakes.first?.peer)
        #expect(peer.uris == ["spiffe://example.org/acme"])
        #expect(peer.dnsNames == ["api.acme.internal"])
        #expect(peer.emails == ["a@acme.test"])
    }

    @Test func `an address is no name of a client`() throws {
        let identity = try self.parties.issue("addresses", TestCertificate(names: ["IP:192.0.2.1", "IP:2001:db8::1"]))
        let peer = try #require(try self.connected(as: identity).server.recorder.handshakes.first?.peer)
        #expect(peer == PeerCertificate(notAfter: peer.notAfter))
    }

    @Test func `a certificate without names has none`() throws {
        var certificate = TestCertificate()
        certificate.names = nil
        let pair = try self.connected(as: self.parties.issue("nameless", certificate))
        let peer = try #require(pair.server.recorder.handshakes.first?.peer)
        #expect(peer == PeerCertificate(notAfter: peer.notAfter))
    }

    @Test func `the certificate's end is that of the peer and of the own context`() throws {
        var certificate = TestCertificate()
        certificate.notAfter = 7200
        let identity = try self.parties.issue("short", certificate)
        let pair = try self.connected(as: identity)
        let ofPeer = try #require(pair.server.recorder.handshakes.first?.peer?.notAfter)
        let own = try #require(try self.parties.clientContext { $0.identity = identity }.notAfter)
        #expect(ofPeer == own)
        let now = Int64(Date().timeIntervalSince1970)
        #expect(abs(own - (now + 7200)) < 60)
    }

    @Test(arguments: [true, false])
    func `a client without a certificate is refused where it must have one`(isRequired: Bool) throws {
        let pair = try self.connected(as: nil, isRequired: isRequired)
        #expect(pair.server.recorder.faults == (isRequired ? [.certificateRequired] : []))
        #expect(pair.server.recorder.handshakes.map(\.peer) == (isRequired ? [] : [nil]))
        #expect(pair.client.recorder.faults == (isRequired ? [.alertReceived] : []))
    }

    @Test(arguments: [true, false])
    func `a certificate of a stranger is refused even where none is needed`(isRequired: Bool) throws {
        let identity = try Parties.identity(self.parties.others, "stranger-\(isRequired)", TestCertificate())
        let pair = try self.connected(as: identity, isRequired: isRequired)
        #expect(pair.server.recorder.faults == [.unknownAuthority])
        #expect(pair.server.recorder.handshakes.isEmpty)
        #expect(pair.client.recorder.faults == [.alertReceived])
    }

    @Test(arguments: [(-7200, -3600, TLSError.Code.certificateExpired), (3600, 7200, .certificateNotYetValid)])
    func `a certificate is refused before and after its time`(from: Int, to: Int, fault: TLSError.Code) throws {
        var certificate = TestCertificate()
        (certificate.notBefore, certificate.notAfter) = (from, to)
        let pair = try self.connected(as: self.parties.issue("time\(from)", certificate))
        #expect(pair.server.recorder.faults == [fault])
        #expect(pair.server.recorder.handshakes.isEmpty)
    }

    @Test func `a certificate for servers does not make a client`() throws {
        var certificate = TestCertificate()
        certificate.usage = .server
        let pair = try self.connected(as: self.parties.issue("usage", certificate))
        #expect(pair.server.recorder.faults == [.badCertificate])
    }

    @Test func `a self-signed certificate is refused, and accepted if it is the one that is trusted`() throws {
        var certificate = TestCertificate()
        certificate.isSelfSigned = true
        let identity = try self.parties.issue("self-signed", certificate)
        #expect(try self.connected(as: identity).server.recorder.faults == [.unknownAuthority])
        let pair = try TLSPair(
            client: self.parties.clientContext { $0.identity = identity },
            server: self.parties.serverContext { $0.clientCertificates = .required(trustFile: identity.chainFile) })
        try pair.connect()
        #expect(pair.server.recorder.handshakes.count == 1)
    }

    // MARK: Names that are none

    /// The extension with these names, each with its tag: 2 is a DNS name, 6 a URI.
    private static func encoded(_ names: [(tag: UInt8, bytes: [UInt8])]) -> [UInt8] {
        func element(_ tag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
            let count = bytes.count
            let length: [UInt8] =
                count < 128
                ? [UInt8(count)] : [0x82, UInt8(count >> 8), UInt8(count & 255)]
            return [tag] + length + bytes
        }
        return element(0x30, names.flatMap { element(0x80 | $0.tag, $0.bytes) })
    }

    @Test(arguments: [
        ("a NUL", encoded([(2, Array("api.acme.internal\0.evil.test".utf8))])),
        ("no ASCII", encoded([(6, Array("spiffe://example.org/acm\u{e9}".utf8))])),
        ("a blank", encoded([(2, Array("a b".utf8))])),
        ("nothing", encoded([(2, [])])),
        ("too much", encoded([(6, [UInt8](repeating: 0x61, count: TLSLimits.maximumSubjectNameBytes + 1))])),
        ("too many", encoded(Array(repeating: (2, [0x61]), count: Int(TLSLimits.maximumSubjectNames) + 1))),
    ])
    func `a certificate whose names could be taken for others is refused`(what: String, names: [UInt8]) throws {
        var certificate = TestCertificate()
        certificate.encodedNames = names
        let pair = try self.connected(as: self.parties.issue("names-\(what)", certificate))
        #expect(pair.server.recorder.faults == [.badCertificate])
        #expect(pair.server.recorder.handshakes.isEmpty)
        #expect(!pair.server.channel.isActive)
        let told = pair.client.recorder.errors.compactMap { ($0 as? TLSError)?.message }
        #expect(told == ["the peer sent the alert \"bad certificate\""])
    }

    @Test func `the largest number of names, each of the largest size that fits, is taken`() throws {
        var certificate = TestCertificate()
        let name = [UInt8](repeating: 0x61, count: 200)
        certificate.encodedNames = Self.encoded(
            Array(repeating: (2, name), count: Int(TLSLimits.maximumSubjectNames)))
        let pair = try self.connected(as: self.parties.issue("names-all", certificate))
        #expect(pair.server.recorder.handshakes.first?.peer?.dnsNames.count == Int(TLSLimits.maximumSubjectNames))
    }

    @Test func `a chain of more bytes than are allowed is refused`() throws {
        var certificate = TestCertificate()
        let name = [UInt8](repeating: 0x61, count: 2000)
        certificate.encodedNames = Self.encoded(Array(repeating: (2, name), count: 20))
        let pair = try self.connected(as: self.parties.issue("names-long", certificate))
        #expect(pair.server.recorder.faults == [.limitExceeded])
    }
}
