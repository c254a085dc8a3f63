// SPDX-License-Identifier: Apache-2.0

import Foundation
import OpenSSLTLS
import TestSupport
import Testing

@Suite struct ConfigurationTests {
    private let certificates: TestCertificates
    private let identity: TLSIdentity

    init() throws {
        self.certificates = try TestCertificates()
        self.identity = try Parties.identity(self.certificates, "server", TestCertificate())
    }

    private func fault(_ identity: TLSIdentity, trust: String? = nil) -> TLSError? {
        var configuration = TLSServerConfiguration(identity: identity)
        if let trust { configuration.clientCertificates = .required(trustFile: trust) }
        do throws(TLSError) {
            _ = try TLSContext(configuration)
            return nil
        } catch {
            return error
        }
    }

    /// What is wrong, if the file is named by its message.
    private func reason(_ error: TLSError?, _ file: String) throws -> String {
        let error = try #require(error)
        #expect(error.code == .misconfigured)
        let range = try #require(error.message.range(of: file))
        return String(error.message[range.upperBound...].dropFirst())
    }

    @Test func `files that are in order are taken`() {
        #expect(self.fault(self.identity, trust: self.certificates.trustFile) == nil)
    }

    @Test func `a file that is missing is named`() throws {
        let missing = self.certificates.folder + "/nowhere.pem"
        for (identity, trust) in [
            (TLSIdentity(chainFile: missing, keyFile: self.identity.keyFile), nil),
            (TLSIdentity(chainFile: self.identity.chainFile, keyFile: missing), nil), (self.identity, missing),
        ] {
            let reason = try self.reason(self.fault(identity, trust: trust), missing)
            #expect(reason == "cannot be read: No such file or directory")
        }
    }

    @Test func `a file that holds something else is named`() throws {
        let other = try self.certificates.write("not PEM\n", to: "other.pem")
        for (identity, trust) in [
            (TLSIdentity(chainFile: other, keyFile: self.identity.keyFile), nil),
            (TLSIdentity(chainFile: self.identity.chainFile, keyFile: other), nil), (self.identity, other),
        ] {
            #expect(try self.reason(self.fault(identity, trust: trust), other) == "holds nothing of the kind in PEM")
        }
    }

    @Test func `an empty list of authorities is refused`() throws {
        let empty = try self.certificates.write("", to: "empty.pem")
        #expect(try self.reason(self.fault(self.identity, trust: empty), empty) == "holds nothing of the kind in PEM")
    }

    @Test func `a damaged certificate is named`() throws {
        var text = try String(contentsOfFile: self.identity.chainFile, encoding: .utf8)
        text.replace("M", with: "N", maxReplacements: 3)
        let damaged = try self.certificates.write(text, to: "damaged.pem")
        let identity = TLSIdentity(chainFile: damaged, keyFile: self.identity.keyFile)
        #expect(try self.reason(self.fault(identity), damaged).hasPrefix("cannot be used: "))
    }

    @Test func `the key of another certificate is refused`() throws {
        for kind in [TestCertificate.Key.ellipticCurve, .rsa] {
            var certificate = TestCertificate()
            certificate.key = kind
            let key = try self.certificates.issue("another-\(kind)", certificate).keyFile
            let identity = TLSIdentity(chainFile: self.identity.chainFile, keyFile: key)
            let reason = try self.reason(self.fault(identity), key)
            #expect(reason == "does not belong to the certificate")
        }
    }

    @Test func `a key with a passphrase is refused without asking for it`() throws {
        var certificate = TestCertificate()
        certificate.passphrase = "secret"
        let identity = try Parties.identity(self.certificates, "encrypted", certificate)
        #expect(try self.reason(self.fault(identity), identity.keyFile) == "is encrypted with a passphrase")
    }

    @Test func `an expired certificate of one's own is loaded, and says when it has`() throws {
        var certificate = TestCertificate()
        (certificate.notBefore, certificate.notAfter) = (-7200, -3600)
        let identity = try Parties.identity(self.certificates, "expired", certificate)
        let notAfter = try #require(try TLSContext(TLSServerConfiguration(identity: identity)).notAfter)
        #expect(abs(Double(notAfter) - (Date().timeIntervalSince1970 - 3600)) < 60)
    }

    @Test(arguments: [(-7200, -3600, "expired at 20"), (3600, 7200, "is not valid before 20")])
    func `a certificate that nobody would take now is named, with its time`(
        from: Int, to: Int, words: String
    ) throws {
        var certificate = TestCertificate()
        (certificate.notBefore, certificate.notAfter) = (from, to)
        let identity = try Parties.identity(self.certificates, "late\(from)", certificate)
        let context = try TLSContext(TLSServerConfiguration(identity: identity))
        #expect {
            try context.checkCertificate()
        } throws: { error in
            guard let error = error as? TLSError, error.code == .misconfigured, error.part == .certificate else {
                return false
            }
            return error.message.hasPrefix("the certificate \(identity.chainFile) \(words)")
                && error.message.hasSuffix("Z")
        }
    }

    @Test(arguments: [true, false])
    func `a certificate for the other side is named`(isServer: Bool) throws {
        var certificate = TestCertificate()
        certificate.usage = isServer ? .client : .server
        let identity = try Parties.identity(self.certificates, "usage-\(isServer)", certificate)
        var client = TLSClientConfiguration()
        client.identity = identity
        let context =
            try isServer ? TLSContext(TLSServerConfiguration(identity: identity)) : TLSContext(client)
        #expect {
            try context.checkCertificate()
        } throws: {
            ($0 as? TLSError)?.message.hasPrefix(
                "the certificate \(identity.chainFile) is not for \(isServer ? "servers" : "clients")") == true
        }
    }

    @Test func `a certificate that is in order, and none, pass the check`() throws {
        try TLSContext(TLSServerConfiguration(identity: self.identity)).checkCertificate()
        try TLSContext(TLSClientConfiguration()).checkCertificate()
    }

    @Test func `a client without a certificate has no end of one`() throws {
        #expect(try TLSContext(TLSClientConfiguration()).notAfter == nil)
    }

    @Test(arguments: ["", "a\0b"]) func `a path that is none is refused`(path: String) {
        #expect(self.fault(TLSIdentity(chainFile: path, keyFile: self.identity.keyFile))?.code == .misconfigured)
        #expect(self.fault(TLSIdentity(chainFile: self.identity.chainFile, keyFile: path))?.code == .misconfigured)
        #expect(self.fault(self.identity, trust: path)?.code == .misconfigured)
    }

    @Test(arguments: [[""], [String(repeating: "a", count: 256)], Array(repeating: "h2", count: 17)])
    func `application protocols that the extension cannot hold are refused`(names: [String]) {
        var configuration = TLSServerConfiguration(identity: self.identity)
        configuration.applicationProtocols = names
        #expect { try TLSContext(configuration) } throws: { ($0 as? TLSError)?.code == .misconfigured }
    }

    @Test func `a context is the same whatever happens to its files later`() throws {
        let context = try TLSContext(TLSServerConfiguration(identity: self.identity))
        try FileManager.default.removeItem(atPath: self.identity.chainFile)
        var client = TLSClientConfiguration()
        client.trust = .file(self.certificates.trustFile)
        let pair = try TLSPair(client: TLSContext(client), server: context)
        try pair.connect()
        #expect(pair.client.recorder.handshakes.count == 1)
    }
}
