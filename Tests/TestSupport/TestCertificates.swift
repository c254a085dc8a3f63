// SPDX-License-Identifier: Apache-2.0

import Foundation

/// An authority and what it has issued, as PEM files in a folder that goes with it.
package final class TestCertificates: Sendable {
    package let folder: String
    /// The authority's own certificate: what those trust who trust it.
    package let trustFile: String
    /// Certificates between those that it issues and the root, in PEM.
    private let intermediates: String
    private let authority: TestCertificate.Signed

    /// - Parameter parent: Who has issued the authority's certificate; itself if `nil`.
    package init(name: String = "Test authority", issuedBy parent: TestCertificates? = nil) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "certificates-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder.path
        var certificate = TestCertificate()
        certificate.subject = name
        certificate.names = nil
        certificate.usage = .authority
        let authority = try certificate.signed(by: parent?.authority)
        self.authority = authority
        self.intermediates = parent.map { authority.certificatePEM + $0.intermediates } ?? ""
        self.trustFile = folder.appending(path: "authority.pem").path
        try Data(authority.certificatePEM.utf8).write(to: URL(filePath: self.trustFile))
    }

    deinit { try? FileManager.default.removeItem(atPath: self.folder) }

    /// Issues a certificate.
    ///
    /// - Parameter name: Of its files; an earlier one of the same name is replaced, as by a renewal.
    /// - Returns: Paths of the chain, leaf first, and of the key.
    @discardableResult
    package func issue(_ name: String, _ certificate: TestCertificate = TestCertificate()) throws
        -> (chainFile: String, keyFile: String)
    {
        let signed = try certificate.signed(by: certificate.isSelfSigned ? nil : self.authority)
        let chain = signed.certificatePEM + (certificate.isSelfSigned ? "" : self.intermediates)
        return (try self.write(chain, to: "\(name).pem"), try self.write(signed.keyPEM, to: "\(name).key"))
    }

    /// A file in the folder that holds anything.
    ///
    /// - Returns: Its path.
    @discardableResult
    package func write(_ text: String, to name: String) throws -> String {
        let file = URL(filePath: self.folder).appending(path: name)
        try Data(text.utf8).write(to: file, options: .atomic)
        return file.path
    }
}
