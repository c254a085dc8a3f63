// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport
import Testing

@Suite struct ServerCertificateTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    @Test(arguments: [
        ("expired", -7200, -3600, TLSError.Code.certificateExpired), ("early", 3600, 7200, .certificateNotYetValid),
    ])
    func `a client refuses one before and after its time`(name: String, from: Int, to: Int, fault: TLSError.Code)
        throws
    {
        var certificate = TestCertificate()
        (certificate.notBefore, certificate.notAfter) = (from, to)
        let pair = try self.parties.connected(as: self.parties.issue("server-\(name)", certificate))
        #expect(pair.client.recorder.faults == [fault])
        #expect(pair.server.recorder.faults == [.alertReceived])
    }

    @Test func `a client that trusts another authority refuses it with its alert`() throws {
        let pair = try self.parties.connected(client: { $0.trust = .file(self.parties.others.trustFile) })
        #expect(pair.client.recorder.faults == [.unknownAuthority])
        let error = try #require(pair.server.recorder.errors.first as? TLSError)
        #expect(error.message == "the peer sent the alert \"unknown CA\"")
    }

    @Test func `a client that trusts the system refuses an authority of a test`() throws {
        let pair = try self.parties.connected(client: { $0.trust = .system })
        #expect(pair.client.recorder.faults == [.unknownAuthority])
    }

    @Test func `a certificate for clients does not make a server`() throws {
        var certificate = TestCertificate()
        certificate.usage = .client
        let pair = try self.parties.connected(as: self.parties.issue("server-usage", certificate))
        #expect(pair.client.recorder.faults == [.badCertificate])
    }

    @Test func `a fault is told once, then the channel is closed`() throws {
        let pair = try self.parties.connected(client: { $0.trust = .file(self.parties.others.trustFile) })
        for end in [pair.client, pair.server] {
            #expect(end.recorder.errors.count == 1)
            #expect(end.recorder.isInactive)
            #expect(!end.channel.isActive)
        }
    }
}
