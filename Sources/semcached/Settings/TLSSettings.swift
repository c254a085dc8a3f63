// SPDX-License-Identifier: Apache-2.0

import OpenSSLTLS

/// How the native and the gRPC port are secured: read anew on SIGHUP, with the files that it names.
enum TLSSettings {
    static let keys: Set<String> = [
        "tls.certificate", "tls.key", "tls.client_ca", "tls.client_certificates", "tls.minimum_version",
    ]

    private enum ClientCertificates: String, CaseIterable {
        case none, optional, required
    }

    /// - Returns: `nil` for plain TCP.
    /// - Throws: ``SettingsError``.
    static func read(_ source: some SettingsReader) throws -> TLSServerConfiguration? {
        guard let certificate = try source.string("tls.certificate") else {
            for key in Self.keys.sorted() where try source.string(key) != nil {
                throw SettingsError("\(key) is given without tls.certificate")
            }
            return nil
        }
        guard let key = try source.string("tls.key") else {
            throw SettingsError("tls.key is missing: tls.certificate needs the file with its private key")
        }
        var configuration = TLSServerConfiguration(identity: TLSIdentity(chainFile: certificate, keyFile: key))
        configuration.minimumVersion =
            try source.choice("tls.minimum_version", ["1.2": .tls12, "1.3": .tls13]) ?? .tls12
        let authority = try source.string("tls.client_ca")
        let asked = try source.choice("tls.client_certificates", ClientCertificates.self)
        switch (asked ?? (authority == nil ? ClientCertificates.none : .required), authority) {
        case (.none, nil): break
        case (.none, .some): throw SettingsError("tls.client_ca is given, and tls.client_certificates is none")
        case (_, nil): throw SettingsError("tls.client_certificates needs tls.client_ca, a file of CA certificates")
        case (.optional, let file?): configuration.clientCertificates = .optional(trustFile: file)
        case (.required, let file?): configuration.clientCertificates = .required(trustFile: file)
        }
        return configuration
    }

    /// Reads the files.
    ///
    /// - Throws: ``SettingsError`` naming the setting whose file will not do, or whose certificate none would take.
    static func context(_ configuration: TLSServerConfiguration) throws -> TLSContext {
        do throws(TLSError) {
            let context = try TLSContext(configuration)
            try context.checkCertificate()
            return context
        } catch {
            throw SettingsError(error, section: "tls", authorities: "client_ca")
        }
    }
}

extension SettingsError {
    /// - Parameters:
    ///   - section: With what comes before the name of a file's setting.
    ///   - authorities: Name of the setting of whom to trust.
    init(_ error: TLSError, section: String, authorities: String) {
        let name =
            switch error.part {
            case .certificate: "certificate"
            case .privateKey: "key"
            case .authorities: authorities
            case nil: "certificate"
            }
        let separator = section.contains(".") ? "_" : "."
        self.init("\(section)\(separator)\(name): \(error.message)")
    }
}
