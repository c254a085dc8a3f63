// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials

/// A token in its compact form, taken apart and not verified: nothing that it says is true yet.
struct CompactToken {
    let algorithm: TokenConfiguration.Algorithm
    /// `kid`.
    let keyIdentifier: String?
    /// What the signature is over.
    let signed: ArraySlice<UInt8>
    let signature: [UInt8]
    /// JSON.
    let payload: [UInt8]

    /// - Parameter algorithms: Those that are allowed; `none` never is.
    init(_ text: String, allowing algorithms: Set<TokenConfiguration.Algorithm>) throws(TokenFault) {
        guard text.utf8.count <= Limits.maximumTokenBytes else { throw .tooLong }
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2])
        else { throw .malformed }

        guard let header = try? JSONDecoder().decode(TokenHeader.self, from: Data(header)) else { throw .malformed }
        guard let algorithm = TokenConfiguration.Algorithm(rawValue: header.algorithm), algorithms.contains(algorithm)
        else { throw .algorithm }
        guard !header.isExtended else { throw .extended }

        self.algorithm = algorithm
        self.keyIdentifier = header.keyIdentifier
        self.signed = bytes[..<parts[1].endIndex]
        self.signature = signature
        self.payload = payload
    }
}

/// The few fields that matter. Keys that a header brings along (`jwk`, `jku`, `x5c`, `x5u`) are not even read.
private struct TokenHeader: Decodable {
    let algorithm: String
    let keyIdentifier: String?
    /// Whether there is a `crit`: we understand no extension, so whatever it lists.
    let isExtended: Bool

    private enum CodingKeys: String, CodingKey { case alg, kid, crit }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.algorithm = try fields.decode(String.self, forKey: .alg)
        self.keyIdentifier = try fields.decodeIfPresent(String.self, forKey: .kid)
        self.isExtended = fields.contains(.crit)
    }
}

/// Base64 with the alphabet of URLs, without padding (RFC 7515).
enum Base64URL {
    /// - Returns: `nil` for what an encoder would not have written, so that one token has one form.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3 + 2)
        var pending: UInt32 = 0
        var bits = 0
        for character in text {
            guard let value = self.value(of: character) else { return nil }
            pending = (pending << 6 | value) & 0xffff
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: pending >> UInt32(bits)))
            }
        }
        // A single character left over, or bits that say nothing.
        guard bits < 6, pending & (1 << UInt32(bits) - 1) == 0 else { return nil }
        return bytes
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
