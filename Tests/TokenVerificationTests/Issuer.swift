// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Crypto
import CryptoExtras
import FoundationEssentials
import Logging
import Testing

@testable import TokenVerification

/// An issuer of tokens, honest or not: header and claims are what a test writes.
struct Issuer: Sendable {
    static let secret = Array("a secret that has 32 bytes or so".utf8)
    static let hs256 = Self(secret: secret)
    static let rs256 = Result { try Self(rsa: "rsa-1") }
    static let otherRS256 = Result { try Self(rsa: "rsa-2") }
    static let es256 = Self(ec: "ec-1")
    static let otherES256 = Self(ec: "ec-2")

    let algorithm: TokenConfiguration.Algorithm
    let kid: String?
    /// The public key; empty for a secret.
    let jwk: String
    /// The modulus, to misuse as a secret.
    let modulus: [UInt8]
    private let sign: @Sendable (_ bytes: [UInt8]) throws -> [UInt8]

    init(secret: [UInt8]) {
        self.algorithm = .hs256
        self.kid = nil
        self.jwk = ""
        self.modulus = []
        let key = SymmetricKey(data: secret)
        self.sign = { Array(HMAC<SHA256>.authenticationCode(for: $0, using: key)) }
    }

    init(rsa kid: String) throws {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let numbers = try key.publicKey.getKeyPrimitives()
        self.algorithm = .rs256
        self.kid = kid
        self.modulus = Array(numbers.modulus)
        self.jwk = """
            {"kty":"RSA","use":"sig","alg":"RS256","kid":"\(kid)","n":"\(Self.base64(numbers.modulus))",\
            "e":"\(Self.base64(numbers.publicExponent))"}
            """
        self.sign = {
            Array(try key.signature(for: SHA256.hash(data: $0), padding: .insecurePKCS1v1_5).rawRepresentation)
        }
    }

    init(ec kid: String) {
        let key = P256.Signing.PrivateKey()
        let point = key.publicKey.rawRepresentation
        self.algorithm = .es256
        self.kid = kid
        self.modulus = []
        self.jwk = """
            {"kty":"EC","use":"sig","alg":"ES256","kid":"\(kid)","crv":"P-256","x":"\(Self.base64(point.prefix(32)))",\
            "y":"\(Self.base64(point.suffix(32)))"}
            """
        self.sign = { Array(try key.signature(for: SHA256.hash(data: $0)).rawRepresentation) }
    }

    /// Signs whatever it is given.
    func token(_ claims: String = claims(), header: String? = nil) throws -> String {
        let kid = self.kid.map { ",\"kid\":\"\($0)\"" } ?? ""
        let header = header ?? "{\"alg\":\"\(self.algorithm.rawValue)\"\(kid)}"
        return try self.token(Array(claims.utf8), header: Array(header.utf8))
    }

    func token(_ claims: [UInt8], header: [UInt8]) throws -> String {
        let signed = "\(Self.base64(header)).\(Self.base64(claims))"
        return "\(signed).\(Self.base64(try self.sign(Array(signed.utf8))))"
    }

    static func keySet(_ issuers: Issuer...) -> String { self.keySet(issuers.map(\.jwk)) }
    static func keySet(_ keys: [String]) -> String { "{\"keys\":[\(keys.joined(separator: ","))]}" }

    static func base64(_ bytes: some Sequence<UInt8>) -> String {
        let text = Data(bytes).base64EncodedString()
        return String(text.filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }
}

/// Claims that are let in at ``now``, but for what is changed.
///
/// - Parameter changes: JSON by name; `nil` leaves a claim out.
func claims(_ changes: [String: String?] = [:]) -> String {
    var claims: [String: String?] = [
        "iss": "\"https://issuer.example\"", "aud": "\"semcached\"", "exp": "1700003600", "tenant": "\"acme\"",
        "roles": "[\"read\",\"write\"]",
    ]
    for (name, value) in changes { claims[name] = value }
    return "{" + claims.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }.joined(separator: ",") + "}"
}

let now = Timestamp(milliseconds: 1_700_000_000_000)

func configuration(
    _ algorithms: Set<TokenConfiguration.Algorithm>, _ keys: TokenConfiguration.Keys
) -> TokenConfiguration {
    TokenConfiguration(issuer: "https://issuer.example", audience: "semcached", algorithms: algorithms, keys: keys)
}

/// One that knows ``Issuer/secret``.
func secretVerifier(_ change: (inout TokenConfiguration) -> Void = { _ in }) throws -> JSONWebTokenVerifier {
    var configuration = configuration([.hs256], .secret(Issuer.secret))
    change(&configuration)
    return try JSONWebTokenVerifier(configuration, logger: silent)
}

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension JSONWebTokenVerifier {
    /// Why a token is refused; `nil` if it is not, or if the error is not what it should be.
    func refusal(_ token: String, at now: Timestamp = now) async -> TokenFault? {
        do {
            _ = try await self.verify(token, at: now)
            return nil
        } catch {
            guard let fault = TokenFault(rawValue: error.message), fault.error == error else { return nil }
            return fault
        }
    }
}

/// A file that is there while the body runs.
@discardableResult
func withFile<Value>(_ content: String, _ body: (String) async throws -> Value) async throws -> Value {
    let path = FileManager.default.temporaryDirectory.path() + "/token-keys-\(UUID().uuidString).json"
    try write(content, to: path)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}

func write(_ content: String, to path: String) throws { try Data(content.utf8).write(to: URL(filePath: path)) }
