// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import TokenVerification

/// What makes a token genuine.
struct TokenTests {
    @Test func `tokens of each algorithm are let in`() async throws {
        let (rsa, ec) = (try Issuer.rs256.get(), Issuer.es256)
        try await withFile(Issuer.keySet(rsa, ec)) { path in
            let verifier = try JSONWebTokenVerifier(configuration([.rs256, .es256], .file(path)), logger: silent)
            #expect(try await verifier.verify(rsa.token(), at: now).tenant == "acme")
            #expect(try await verifier.verify(ec.token(), at: now).tenant == "acme")
        }
        #expect(try await secretVerifier().verify(Issuer.hs256.token(), at: now).tenant == "acme")
    }

    @Test func `tokens that another implementation made are let in`() async throws {
        try await withFile(ForeignTokens.keySet) { path in
            let verifier = try JSONWebTokenVerifier(configuration([.rs256, .es256], .file(path)), logger: silent)
            #expect(try await verifier.verify(ForeignTokens.rs256, at: now).roles == [.read, .write])
            #expect(try await verifier.verify(ForeignTokens.es256, at: now).roles == [.read, .write])
        }
        let verifier = try secretVerifier { $0.keys = .secret(Array(0..<32)) }
        #expect(try await verifier.verify(ForeignTokens.hs256, at: now).roles == [.read, .write])
    }

    @Test(arguments: ["none", "None", "NONE", "", "HS384", "hs256", "RS256", "PS256", "EdDSA"])
    func `another algorithm in the header is refused`(algorithm: String) async throws {
        let token = try Issuer.hs256.token(header: "{\"alg\":\"\(algorithm)\"}")
        #expect(try await secretVerifier().refusal(token) == .algorithm)
        let unsigned = token.split(separator: ".").dropLast().joined(separator: ".") + "."
        #expect(try await secretVerifier().refusal(unsigned) == .algorithm)
    }

    @Test func `a public key is no secret`() async throws {
        let rsa = try Issuer.rs256.get()
        for secret in [Array(rsa.jwk.utf8), rsa.modulus] {
            let forger = Issuer(secret: secret)
            for header in ["{\"alg\":\"HS256\",\"kid\":\"rsa-1\"}", "{\"alg\":\"HS256\"}"] {
                let token = try forger.token(header: header)
                try await withFile(Issuer.keySet(rsa)) { path in
                    let verifier = try JSONWebTokenVerifier(
                        configuration([.rs256], .file(path)), logger: silent)
                    #expect(await verifier.refusal(token) == .algorithm)
                }
            }
            // Nor if the header says what is expected.
            let token = try forger.token(header: "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}")
            try await withFile(Issuer.keySet(rsa)) { path in
                let verifier = try JSONWebTokenVerifier(configuration([.rs256], .file(path)), logger: silent)
                #expect(await verifier.refusal(token) == .signature)
            }
        }
    }

    @Test func `a key is for its own algorithm only`() async throws {
        let (rsa, ec) = (try Issuer.rs256.get(), Issuer.es256)
        try await withFile(Issuer.keySet(rsa, ec)) { path in
            let verifier = try JSONWebTokenVerifier(configuration([.rs256, .es256], .file(path)), logger: silent)
            let token = try ec.token(header: "{\"alg\":\"RS256\",\"kid\":\"ec-1\"}")
            #expect(await verifier.refusal(token) == .unknownKey)
            // The algorithm must be allowed too, whatever keys there are.
            let strict = try JSONWebTokenVerifier(configuration([.es256], .file(path)), logger: silent)
            #expect(try await strict.refusal(rsa.token()) == .algorithm)
        }
    }

    @Test(arguments: ["[]", "[\"b64\"]", "null", "\"exp\""])
    func `a critical extension is refused`(extensions: String) async throws {
        let token = try Issuer.hs256.token(header: "{\"alg\":\"HS256\",\"crit\":\(extensions)}")
        #expect(try await secretVerifier().refusal(token) == .extended)
    }

    @Test func `a key that the header brings along is not used`() async throws {
        let (rsa, forger) = (try Issuer.rs256.get(), try Issuer.otherRS256.get())
        try await withFile(Issuer.keySet(rsa)) { path in
            let verifier = try JSONWebTokenVerifier(configuration([.rs256], .file(path)), logger: silent)
            let header = "{\"alg\":\"RS256\",\"kid\":\"rsa-1\",\"jwk\":\(forger.jwk),\"jku\":\"https://evil.example\"}"
            #expect(try await verifier.refusal(forger.token(header: header)) == .signature)
        }
    }

    @Test func `the key's name decides, and must be there if there are several keys`() async throws {
        let (one, other) = (Issuer.es256, Issuer.otherES256)
        let nameless = "{\"alg\":\"ES256\"}"
        try await withFile(Issuer.keySet(one, other)) { path in
            let verifier = try JSONWebTokenVerifier(configuration([.es256], .file(path)), logger: silent)
            #expect(try await verifier.refusal(one.token(header: nameless)) == .unknownKey)
            #expect(try await verifier.refusal(one.token(header: "{\"alg\":\"ES256\",\"kid\":\"ec-2\"}")) == .signature)
            #expect(try await verifier.refusal(one.token(header: "{\"alg\":\"ES256\",\"kid\":\"x\"}")) == .unknownKey)
            #expect(try await verifier.refusal(one.token(header: "{\"alg\":\"ES256\",\"kid\":7}")) == .malformed)
        }
        try await withFile(Issuer.keySet(one)) { path in
            let verifier = try JSONWebTokenVerifier(configuration([.es256], .file(path)), logger: silent)
            #expect(try await verifier.verify(one.token(header: nameless), at: now).tenant == "acme")
            #expect(try await verifier.refusal(other.token(header: nameless)) == .signature)
        }
    }

    @Test func `a token in which anything was changed is refused`() async throws {
        let verifier = try secretVerifier()
        let token = try Issuer.hs256.token()
        let forged = try Issuer.hs256.token(claims(["tenant": "\"victim\""]))
        let (parts, other) = (token.split(separator: "."), forged.split(separator: "."))
        #expect(await verifier.refusal("\(parts[0]).\(other[1]).\(parts[2])") == .signature)
        let bytes = Array(token.utf8)
        for position in bytes.indices {
            var changed = bytes
            changed[position] ^= 1
            #expect(await verifier.refusal(String(decoding: changed, as: UTF8.self)) != nil)
        }
    }

    @Test func `a token that is cut off anywhere is refused`() async throws {
        let (verifier, token) = (try secretVerifier(), try Issuer.hs256.token())
        for count in 0..<token.utf8.count { #expect(await verifier.refusal(String(token.prefix(count))) != nil) }
    }

    @Test(arguments: [
        "", ".", "..", "...", "a.b.c", "e30.e30.e30", "e30=.e30.e30", "\u{e9}.\u{0}.x", "e30.e30", "a.b.c.d.e",
    ])
    func `what is no token is refused`(text: String) async throws {
        #expect(try await secretVerifier().refusal(text) == .malformed)
    }

    @Test func `a signature has one form`() async throws {
        let (verifier, token) = (try secretVerifier(), try Issuer.hs256.token())
        #expect(await verifier.refusal(token + "=") == .malformed)
        #expect(await verifier.refusal(token + "\n") == .malformed)
        #expect(await verifier.refusal(token + "A") == .signature)
    }

    @Test(arguments: [0, 1, 32, 63, 64, 65, 255, 256, 257, 1024])
    func `a signature of any size that is not the key's is refused`(count: Int) async throws {
        let (rsa, ec) = (try Issuer.rs256.get(), Issuer.es256)
        let signature = Issuer.base64([UInt8](repeating: 1, count: count))
        try await withFile(Issuer.keySet(rsa, ec)) { path in
            let verifier = try JSONWebTokenVerifier(configuration([.rs256, .es256], .file(path)), logger: silent)
            for token in [try rsa.token(), try ec.token()] {
                let signed = token.split(separator: ".").dropLast().joined(separator: ".")
                #expect(await verifier.refusal("\(signed).\(signature)") == .signature)
            }
        }
        let signed = try Issuer.hs256.token().split(separator: ".").dropLast().joined(separator: ".")
        #expect(try await secretVerifier().refusal("\(signed).\(signature)") == .signature)
    }

    @Test func `a token of 8 KiB is let in and one of 9 KiB is refused unread`() async throws {
        let (verifier, issuer) = (try secretVerifier(), Issuer.hs256)
        let fits = try issuer.token(claims(["x": "\"\(String(repeating: "x", count: 5900))\""]))
        #expect(fits.utf8.count <= Limits.maximumTokenBytes)
        #expect(try await verifier.verify(fits, at: now).tenant == "acme")
        let tooLong = try issuer.token(claims(["x": "\"\(String(repeating: "x", count: 6750))\""]))
        #expect(await verifier.refusal(tooLong) == .tooLong)
    }

    @Test(arguments: [TokenFault.signature, .expired, .tenant])
    func `errors hold nothing of the token`(fault: TokenFault) async throws {
        #expect(fault.error == CacheError(.unauthenticated, fault.rawValue))
    }
}
