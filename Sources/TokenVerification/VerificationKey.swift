// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Crypto
import CryptoExtras
import FoundationEssentials

/// A key that tells genuine signatures, for one algorithm only: a token cannot choose another for it.
struct VerificationKey: Sendable {
    private enum Key {
        case hs256(SymmetricKey)
        case rs256(_RSA.Signing.PublicKey)
        case es256(P256.Signing.PublicKey)
    }

    /// `kid`.
    let identifier: String?
    /// Of all that makes it another key; `nil` for a secret.
    let digest: CacheModel.Digest?
    private let key: Key

    var algorithm: TokenConfiguration.Algorithm {
        switch self.key {
        case .hs256: .hs256
        case .rs256: .rs256
        case .es256: .es256
        }
    }

    init(secret: [UInt8]) {
        self.identifier = nil
        self.digest = nil
        self.key = .hs256(SymmetricKey(data: secret))
    }

    /// - Throws: If it is no key that we can verify with.
    fileprivate init(_ key: JSONWebKey) throws {
        guard key.use ?? "sig" == "sig", key.operations?.contains("verify") ?? true else { throw KeyFault.unusable }
        self.identifier = key.identifier
        switch (key.type, key.algorithm) {
        case ("RSA", nil), ("RSA", "RS256"):
            guard let modulus = Self.bytes(key.modulus)?.drop(while: { $0 == 0 }), let first = modulus.first,
                Limits.tokenRSAKeyBits.contains(modulus.count * 8 - first.leadingZeroBitCount),
                let exponent = Self.bytes(key.exponent)
            else { throw KeyFault.unusable }
            self.key = .rs256(try _RSA.Signing.PublicKey(n: modulus, e: exponent))
            self.digest = Self.digest(key, [Array(modulus), exponent])
        case ("EC", nil), ("EC", "ES256"):
            guard key.curve == "P-256", let x = Self.bytes(key.x), let y = Self.bytes(key.y) else {
                throw KeyFault.unusable
            }
            // A point that is not compressed.
            self.key = .es256(try P256.Signing.PublicKey(x963Representation: [0x04] + x + y))
            self.digest = Self.digest(key, [x, y])
        default:
            throw KeyFault.unusable
        }
    }

    private static func digest(_ key: JSONWebKey, _ numbers: [[UInt8]]) -> CacheModel.Digest {
        var fingerprint = Fingerprint(.tokenKey)
        fingerprint.append(key.type)
        fingerprint.append(UInt64(key.identifier == nil ? 0 : 1))
        fingerprint.append(key.identifier ?? "")
        for number in numbers { number.withUnsafeBytes { fingerprint.append($0) } }
        return fingerprint.finish()
    }

    private static func bytes(_ text: String?) -> [UInt8]? { text.flatMap { Base64URL.decode($0.utf8) } }

    /// Whether the token's signature was made with this key's other half.
    func verifies(_ token: CompactToken) -> Bool {
        switch self.key {
        case .hs256(let key):
            return HMAC<SHA256>.isValidAuthenticationCode(token.signature, authenticating: token.signed, using: key)
        case .rs256(let key):
            let signature = _RSA.Signing.RSASignature(rawRepresentation: token.signature)
            return key.isValidSignature(signature, for: SHA256.hash(data: token.signed), padding: .insecurePKCS1v1_5)
        case .es256(let key):
            // What throws is a signature of a wrong size.
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: token.signature) else {
                return false
            }
            return key.isValidSignature(signature, for: SHA256.hash(data: token.signed))
        }
    }

    /// Whether the token says, or leaves open, that it was signed with this key's other half.
    func fits(_ token: CompactToken) -> Bool {
        guard self.algorithm == token.algorithm else { return false }
        guard let identifier = token.keyIdentifier, self.algorithm != .hs256 else { return true }
        return self.identifier?.utf8.elementsEqual(identifier.utf8) ?? false
    }
}

extension VerificationKey {
    /// Reads a JSON Web Key Set. As RFC 7517 wants it, keys that are not for us, or that we do not know, are skipped.
    static func keys(
        in document: [UInt8], for algorithms: Set<TokenConfiguration.Algorithm>
    ) throws(KeyFault) -> [VerificationKey] {
        guard document.count <= Limits.maximumKeySetBytes else { throw .tooLarge }
        guard let set = try? JSONDecoder().decode(JSONWebKeySet.self, from: Data(document)) else { throw .malformed }
        guard set.keys.count <= Limits.maximumKeys else { throw .tooLarge }
        var keys: [VerificationKey] = []
        for key in set.keys {
            if let key = key.value, let key = try? VerificationKey(key), algorithms.contains(key.algorithm) {
                keys.append(key)
            }
        }
        return keys
    }
}

/// Why there are no keys; the raw value is for the log.
enum KeyFault: String, Error {
    case unreachable
    case timeout
    case status
    case tooLarge = "too large"
    case malformed
    case unusable
    case unreadable
}

private struct JSONWebKeySet: Decodable {
    let keys: [Lenient]

    /// A key that cannot be read is `nil` and does not take the others with it.
    struct Lenient: Decodable {
        let value: JSONWebKey?

        init(from decoder: any Decoder) throws { self.value = try? JSONWebKey(from: decoder) }
    }
}

/// The public parts; private ones in a set are not even read.
private struct JSONWebKey: Decodable {
    let type: String
    let algorithm: String?
    let use: String?
    let operations: [String]?
    let identifier: String?
    let modulus: String?
    let exponent: String?
    let curve: String?
    let x: String?
    let y: String?

    private enum CodingKeys: String, CodingKey {
        case type = "kty"
        case algorithm = "alg"
        case use
        case operations = "key_ops"
        case identifier = "kid"
        case modulus = "n"
        case exponent = "e"
        case curve = "crv"
        case x
        case y
    }
}
