// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import TokenVerification

/// Which keys are taken, from files and in general, and which configurations are.
struct KeySetTests {
    private func keys(
        _ document: String, for algorithms: Set<TokenConfiguration.Algorithm> = [.rs256, .es256]
    ) throws -> [String?] {
        try VerificationKey.keys(in: Array(document.utf8), for: algorithms).map(\.identifier)
    }

    @Test func `keys that are not for us are skipped`() async throws {
        let (rsa, ec) = (try Issuer.rs256.get(), Issuer.es256)
        let short = Issuer.base64([0x80] + [UInt8](repeating: 1, count: 127))
        let point = Issuer.base64([UInt8](repeating: 1, count: 32))
        let padded = Issuer.base64([0, 0, 0x7f] + [UInt8](repeating: 1, count: 255))
        let long = Issuer.base64([0x80] + [UInt8](repeating: 1, count: 1024))
        let foreign = [
            ec.jwk.replacing("\"sig\"", with: "\"enc\""), ec.jwk.replacing("ES256", with: "ES384"),
            ec.jwk.replacing("P-256", with: "P-384"), ec.jwk.replacing("\"x\"", with: "\"z\""),
            ec.jwk.replacing("\"use\":\"sig\"", with: "\"key_ops\":[\"sign\"]"),
            ec.jwk.replacing("\"kid\":\"ec-1\"", with: "\"kid\":1"),
            rsa.jwk.replacing("RS256", with: "PS256"), rsa.jwk.replacing("RS256", with: "RS512"),
            rsa.jwk.replacing("RS256", with: "HS256"), rsa.jwk.replacing("\"RSA\"", with: "\"oct\""),
            "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"x\",\"k\":\"c2VjcmV0\"}", "{}", "7", "null",
            "{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"\(short)\",\"e\":\"AQAB\"}",
            "{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"\(padded)\",\"e\":\"AQAB\"}",
            "{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"\(long)\",\"e\":\"AQAB\"}",
            "{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"\",\"e\":\"AQAB\"}",
            "{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"!\",\"e\":\"!\"}",
            "{\"kty\":\"EC\",\"kid\":\"x\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}",
            "{\"kty\":\"EC\",\"kid\":\"x\",\"crv\":\"P-256\",\"x\":\"\(point)\",\"y\":\"\(point)\"}",
        ]
        for key in foreign { #expect(try self.keys(Issuer.keySet([key])) == [], "\(key)") }
        let all = Issuer.keySet(foreign + [rsa.jwk, ec.jwk])
        #expect(try self.keys(all) == ["rsa-1", "ec-1"])
        #expect(try self.keys(all, for: [.es256]) == ["ec-1"])
    }

    @Test func `algorithm, use and name may be left out`() async throws {
        let (rsa, ec) = (try Issuer.rs256.get(), Issuer.es256)
        let bare = [
            rsa.jwk.replacing("\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"rsa-1\",", with: ""),
            ec.jwk.replacing("\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"ec-1\"", with: "\"key_ops\":[\"verify\"]"),
        ]
        #expect(try self.keys(Issuer.keySet(bare)) == [nil, nil])
    }

    @Test func `more than a hundred keys are refused`() async throws {
        #expect(throws: KeyFault.tooLarge) {
            try self.keys(Issuer.keySet([String](repeating: "{}", count: 101)))
        }
    }

    @Test func `a file is read when the verifier is made, and another content is another identity`() async throws {
        let (old, new) = (Issuer.es256, Issuer.otherES256)
        try await withFile(Issuer.keySet(old)) { path in
            let verifier = try JSONWebTokenVerifier(configuration([.es256], .file(path)), logger: silent)
            try write("garbage", to: path)
            #expect(try await verifier.refusal(old.token()) == nil)
            #expect(throws: CacheError(.invalidArgument, "keys_file is malformed", field: "keys_file")) {
                _ = try JSONWebTokenVerifier(configuration([.es256], .file(path)), succeeding: verifier, logger: silent)
            }
            #expect(try await verifier.refusal(old.token()) == nil)
            try write(Issuer.keySet(new), to: path)
            let successor = try JSONWebTokenVerifier(
                configuration([.es256], .file(path)), succeeding: verifier, logger: silent)
            #expect(successor.identity != verifier.identity)
            #expect(try await successor.refusal(old.token()) == .unknownKey)
            #expect(try await successor.refusal(new.token()) == nil)
        }
    }

    @Test(arguments: [
        ("{\"keys\":[]}", "keys_file holds no key for the algorithms"), ("{}", "keys_file is malformed"),
        (String(repeating: " ", count: 262_145), "keys_file is too large"),
    ])
    func `a file without keys is an error at the start`(content: String, message: String) async throws {
        try await withFile(content) { path in
            #expect(throws: CacheError(.invalidArgument, message, field: "keys_file")) {
                _ = try JSONWebTokenVerifier(configuration([.es256], .file(path)), logger: silent)
            }
        }
    }

    @Test(arguments: ["/", "/dev/null", "/no/such/file"])
    func `what is no file of keys is an error at the start`(path: String) async throws {
        #expect(throws: CacheError.self) {
            _ = try JSONWebTokenVerifier(configuration([.es256], .file(path)), logger: silent)
        }
    }

    @Test(arguments: [
        ("secret_file", configuration([.hs256], .secret([UInt8](repeating: 1, count: 31)))),
        ("algorithms", configuration([.hs256, .rs256], .secret(Issuer.secret))),
        ("algorithms", configuration([.rs256], .secret(Issuer.secret))),
        ("algorithms", configuration([.hs256, .rs256], .file("keys.json"))),
        ("algorithms", configuration([.hs256], .url("https://issuer.example/keys"))),
        ("algorithms", configuration([], .secret(Issuer.secret))),
    ])
    func `secrets are for HS256 and public keys for the others`(field: String, faulty: TokenConfiguration) async throws
    {
        #expect(throws: CacheError.self) { try faulty.validate() }
        do { try faulty.validate() } catch { #expect(error.field == field) }
    }

    @Test(arguments: [
        "http://issuer.example/keys", "http://127.0.0.1.example/", "http://127.0.0.1@issuer.example/",
        "http://128.0.0.1/",
        "https://user:password@issuer.example/", "ftp://issuer.example/", "file:///etc/keys", "issuer.example", "",
        "https:///keys", "http://localhost.example/", "http://127.1/", "HTTP://issuer.example/",
    ])
    func `a URL that anybody could answer for is refused`(url: String) {
        #expect(throws: CacheError.self) { try configuration([.es256], .url(url)).validate() }
    }

    @Test(arguments: [
        "https://issuer.example/keys", "HTTPS://issuer.example", "http://127.0.0.1:8080/keys", "http://[::1]:8080/",
        "http://localhost/keys", "https://127.example/",
    ])
    func `an encrypted URL and one of this machine are taken`(url: String) throws {
        try configuration([.es256], .url(url)).validate()
    }

    @Test func `a configuration shows no secret`() {
        let configuration = configuration([.hs256], .secret([UInt8](repeating: 211, count: 32)))
        var dump = ""
        Swift.dump(configuration.keys, to: &dump)
        for text in ["\(configuration)", String(reflecting: configuration), dump] { #expect(!text.contains("211")) }
    }
}
