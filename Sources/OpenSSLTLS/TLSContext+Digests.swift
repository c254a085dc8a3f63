// SPDX-License-Identifier: Apache-2.0

import COpenSSL

extension TLSContext {
    /// - Parameter certificate: An `X509` of the caller's.
    /// - Returns: SHA-256 of it.
    static func digest(of certificate: OpaquePointer) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &count) == 1 else { return [] }
        return Array(digest.prefix(Int(count)))
    }

    /// - Parameter pointer: An `SSL_CTX` of the caller's.
    /// - Returns: The digests of all certificates that peers' may have been issued by.
    static func trustedDigests(in pointer: OpaquePointer) -> Set<[UInt8]> {
        guard let objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(pointer)) else { return [] }
        var digests: Set<[UInt8]> = []
        for position in 0..<max(0, OPENSSL_sk_num(objects)) {
            guard let object = OPENSSL_sk_value(objects, position),
                let certificate = X509_OBJECT_get0_X509(OpaquePointer(object))
            else { continue }
            digests.insert(Self.digest(of: certificate))
        }
        return digests
    }
}
