// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// What OpenSSL did not do, in its words.
package struct CertificateTrouble: Error, CustomStringConvertible {
    package let description: String

    init() {
        var bytes = [CChar](repeating: 0, count: 256)
        ERR_error_string_n(ERR_get_error(), &bytes, bytes.count)
        ERR_clear_error()
        self.description = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// What a certificate is to say.
package struct TestCertificate: Sendable {
    package enum Key: Sendable {
        /// P-256: made at once.
        case ellipticCurve
        /// 2,048 bits.
        case rsa
    }

    package enum Usage: Sendable {
        case any
        case server
        case client
        case authority
    }

    package var subject = "Test"
    /// Subject's names as OpenSSL writes them: `DNS:`, `URI:`, `IP:`, `email:`.
    package var names: [String]? = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]
    /// The same as the bytes of the extension, in place of `names`: what OpenSSL itself would not write.
    package var encodedNames: [UInt8]?
    /// Seconds from now.
    package var notBefore = -3600
    package var notAfter = 86_400
    package var key = Key.ellipticCurve
    package var usage = Usage.any
    package var isSelfSigned = false
    /// Encrypts the key.
    package var passphrase: String?

    package init() {}

    /// For a server or client of these names.
    package init(names: [String]) { self.names = names }

    /// A certificate with its key. Neither is changed once it is made, and OpenSSL counts references under a lock.
    final class Signed: @unchecked Sendable {
        let certificate: OpaquePointer
        let key: OpaquePointer
        let certificatePEM: String
        let keyPEM: String

        init(_ certificate: OpaquePointer, _ key: OpaquePointer, passphrase: String?) throws {
            self.certificate = certificate
            self.key = key
            self.certificatePEM = try Self.pem { PEM_write_bio_X509($0, certificate) }
            self.keyPEM = try Self.pem { file in
                guard let passphrase else { return PEM_write_bio_PrivateKey(file, key, nil, nil, 0, nil, nil) }
                let bytes = Array(passphrase.utf8)
                return PEM_write_bio_PrivateKey(file, key, EVP_aes_128_cbc(), bytes, Int32(bytes.count), nil, nil)
            }
        }

        deinit {
            X509_free(self.certificate)
            EVP_PKEY_free(self.key)
        }

        private static func pem(_ write: (OpaquePointer) -> Int32) throws -> String {
            guard let memory = BIO_new(BIO_s_mem()) else { throw CertificateTrouble() }
            defer { BIO_free(memory) }
            guard write(memory) == 1 else { throw CertificateTrouble() }
            var bytes = [UInt8](repeating: 0, count: 128 << 10)
            let count = BIO_read(memory, &bytes, Int32(bytes.count))
            guard count > 0 else { throw CertificateTrouble() }
            return String(decoding: bytes.prefix(Int(count)), as: UTF8.self)
        }
    }

    /// - Parameter issuer: Itself if `nil`.
    func signed(by issuer: Signed?) throws -> Signed {
        let key = try self.makeKey()
        guard let certificate = X509_new() else { throw CertificateTrouble() }
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), UInt64.random(in: 1...UInt64(Int64.max)))
        X509_gmtime_adj(X509_getm_notBefore(certificate), self.notBefore)
        X509_gmtime_adj(X509_getm_notAfter(certificate), self.notAfter)
        let subject = Array(self.subject.utf8)
        X509_NAME_add_entry_by_txt(
            X509_get_subject_name(certificate), "CN", MBSTRING_FLAG, subject, Int32(subject.count), -1, 0)
        X509_set_pubkey(certificate, key)
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer?.certificate ?? certificate))
        try self.addExtensions(to: certificate, issuer: issuer?.certificate ?? certificate)
        guard X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) > 0 else { throw CertificateTrouble() }
        return try Signed(certificate, key, passphrase: self.passphrase)
    }

    private func makeKey() throws -> OpaquePointer {
        let kind = self.key == .rsa ? EVP_PKEY_RSA : EVP_PKEY_EC
        guard let context = EVP_PKEY_CTX_new_id(kind, nil) else { throw CertificateTrouble() }
        defer { EVP_PKEY_CTX_free(context) }
        guard EVP_PKEY_keygen_init(context) == 1 else { throw CertificateTrouble() }
        let isSet =
            self.key == .rsa
            ? EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048)
            : EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1)
        var key: OpaquePointer?
        guard isSet == 1, EVP_PKEY_keygen(context, &key) == 1, let key else { throw CertificateTrouble() }
        return key
    }

    private func addExtensions(to certificate: OpaquePointer, issuer: OpaquePointer) throws {
        var extensions: [(Int32, String)] = [
            (NID_basic_constraints, self.usage == .authority ? "critical,CA:TRUE" : "critical,CA:FALSE"),
            (NID_subject_key_identifier, "hash"),
        ]
        switch self.usage {
        case .any: break
        case .server: extensions.append((NID_ext_key_usage, "serverAuth"))
        case .client: extensions.append((NID_ext_key_usage, "clientAuth"))
        case .authority: extensions.append((NID_key_usage, "critical,keyCertSign,cRLSign"))
        }
        if let names, !names.isEmpty, self.encodedNames == nil {
            extensions.append((NID_subject_alt_name, names.joined(separator: ",")))
        }
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
        for (kind, value) in extensions {
            guard let made = X509V3_EXT_conf_nid(nil, &context, kind, value) else { throw CertificateTrouble() }
            X509_add_ext(certificate, made, -1)
            X509_EXTENSION_free(made)
        }
        guard let encodedNames else { return }
        let bytes = ASN1_OCTET_STRING_new()
        defer { ASN1_OCTET_STRING_free(bytes) }
        ASN1_OCTET_STRING_set(bytes, encodedNames, Int32(encodedNames.count))
        let made = X509_EXTENSION_create_by_NID(nil, NID_subject_alt_name, 0, bytes)
        X509_add_ext(certificate, made, -1)
        X509_EXTENSION_free(made)
    }
}
