// SPDX-License-Identifier: Apache-2.0

import Foundation
import OpenSSLTLS
import Synchronization
import TestSupport
import Testing

@Suite struct RenewedTLSContextTests {
    private let certificates: TestCertificates
    private var configuration = TLSClientConfiguration()
    private let identity: TLSIdentity

    init() throws {
        self.certificates = try TestCertificates()
        self.identity = try Parties.identity(self.certificates, "client", TestCertificate())
        self.configuration.identity = self.identity
        self.configuration.trust = .file(self.certificates.trustFile)
    }

    @Test func `files that have not changed are not read again`() throws {
        let renewed = try RenewedTLSContext(self.configuration)
        #expect(renewed.current() === renewed.current())
    }

    @Test func `files that have changed are read again`() throws {
        let renewed = try RenewedTLSContext(self.configuration)
        let before = renewed.current()
        var certificate = TestCertificate()
        certificate.notAfter = 1234
        try self.certificates.issue("client", certificate)
        let after = renewed.current()
        #expect(before !== after && before.notAfter != after.notAfter)
    }

    @Test func `while changed files cannot be used the context stays as it was, and it is told once`() throws {
        let faults = Mutex<[TLSError]>([])
        let renewed = try RenewedTLSContext(self.configuration) { error in faults.withLock { $0.append(error) } }
        let before = renewed.current()
        let key = try String(contentsOfFile: self.identity.keyFile, encoding: .utf8)
        try self.certificates.write("half of a k", to: "client.key")
        for _ in 0..<3 { #expect(renewed.current() === before) }
        #expect(faults.withLock { $0.map(\.part) } == [.privateKey])
        try self.certificates.write(key, to: "client.key")
        #expect(renewed.current() !== before)
        #expect(faults.withLock { $0.count } == 1)
    }

    @Test func `files that cannot be used at first are refused`() throws {
        try self.certificates.write("", to: "client.key")
        #expect { try RenewedTLSContext(self.configuration) } throws: { ($0 as? TLSError)?.part == .privateKey }
    }
}
