// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// What a verified certificate says of its subject. The subject's distinguished name is not looked at, nor are
/// addresses: they say where somebody is, not who.
package struct PeerCertificate: Sendable, Equatable {
    package var dnsNames: [String]
    package var uris: [String]
    package var emails: [String]
    /// Seconds since 1970.
    package var notAfter: Int64

    package init(dnsNames: [String] = [], uris: [String] = [], emails: [String] = [], notAfter: Int64) {
        self.dnsNames = dnsNames
        self.uris = uris
        self.emails = emails
        self.notAfter = notAfter
    }

    /// - Parameter certificate: An `X509` of the caller's.
    /// - Throws: ``TLSError`` with `.badCertificate` for names that could be taken for others, or too many.
    init(_ certificate: OpaquePointer) throws(TLSError) {
        self.init(notAfter: Self.notAfter(certificate))
        var isCritical: Int32 = 0
        guard let found = X509_get_ext_d2i(certificate, NID_subject_alt_name, &isCritical, nil) else {
            // -1: there is no such extension. Otherwise it is there twice, or cannot be read.
            guard isCritical == -1 else { throw TLSError(.badCertificate, "the certificate's names cannot be read") }
            return
        }
        let names = OpaquePointer(found)
        defer { GENERAL_NAMES_free(names) }
        let count = OPENSSL_sk_num(names)
        guard count <= TLSLimits.maximumSubjectNames else {
            throw TLSError(.badCertificate, "the certificate has more than \(TLSLimits.maximumSubjectNames) names")
        }
        for index in 0..<max(0, count) {
            guard let name = OPENSSL_sk_value(names, index) else { continue }
            try self.add(name.assumingMemoryBound(to: GENERAL_NAME.self))
        }
    }

    private mutating func add(_ name: UnsafeMutablePointer<GENERAL_NAME>) throws(TLSError) {
        var type: Int32 = 0
        guard let value = GENERAL_NAME_get0_value(name, &type) else { return }
        switch type {
        case GEN_DNS: self.dnsNames.append(try Self.text(value))
        case GEN_URI: self.uris.append(try Self.text(value))
        case GEN_EMAIL: self.emails.append(try Self.text(value))
        default: break
        }
    }

    private static func bytes(_ string: UnsafeMutableRawPointer) -> UnsafeBufferPointer<UInt8> {
        let string = string.assumingMemoryBound(to: ASN1_STRING.self)
        let count = ASN1_STRING_length(string)
        return UnsafeBufferPointer(start: ASN1_STRING_get0_data(string), count: max(0, Int(count)))
    }

    /// Printable ASCII only: a NUL would end the name elsewhere, and what looks like a letter might not be it.
    private static func text(_ string: UnsafeMutableRawPointer) throws(TLSError) -> String {
        let bytes = Self.bytes(string)
        guard !bytes.isEmpty, bytes.count <= TLSLimits.maximumSubjectNameBytes else {
            throw TLSError(.badCertificate, "a certificate's name is empty or too long")
        }
        guard bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw TLSError(.badCertificate, "a certificate's name has bytes that no name has")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Seconds since 1970; of a time that cannot be read, 0: long ago.
    static func notAfter(_ certificate: OpaquePointer) -> Int64 {
        guard let time = X509_get0_notAfter(certificate), let epoch = ASN1_TIME_set(nil, 0) else { return 0 }
        defer { ASN1_TIME_free(epoch) }
        var (days, seconds): (Int32, Int32) = (0, 0)
        guard ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return 0 }
        return Int64(days) * 86_400 + Int64(seconds)
    }

    /// A time as text, such as `2026-01-31 12:00:00Z`.
    static func text(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        guard let time, let bio = BIO_new(BIO_s_mem()) else { return "an unknown time" }
        defer { BIO_free(bio) }
        // 1: as ISO 8601 writes it.
        guard ASN1_TIME_print_ex(bio, time, 1) == 1 else { return "an unknown time" }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(max(0, Int(count))), as: UTF8.self)
    }

    /// Whether a certificate has not expired yet.
    static func isCurrent(_ certificate: OpaquePointer) -> Bool {
        // Positive: later than now.
        X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0
    }
}
