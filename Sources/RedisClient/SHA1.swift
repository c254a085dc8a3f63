// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// The digest by which a server knows a script. It protects nothing.
enum SHA1 {
    /// 40 lower-case hexadecimal digits.
    static func hexadecimal(of text: String) -> String {
        let source = Array(text.utf8)
        let digest = [UInt8](unsafeUninitializedCapacity: Int(SHA_DIGEST_LENGTH)) { bytes, count in
            _ = COpenSSL.SHA1(source, source.count, bytes.baseAddress)
            count = Int(SHA_DIGEST_LENGTH)
        }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
