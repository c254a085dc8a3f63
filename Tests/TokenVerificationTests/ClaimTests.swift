// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import TokenVerification

/// What a token that is genuine must say.
struct ClaimTests {
    @Test func `a good token tells tenant, roles and expiry with the leeway`() async throws {
        let token = try Issuer.hs256.token()
        let verified = try await secretVerifier().verify(token, at: now)
        let end = Timestamp(milliseconds: 1_700_003_600_000) + .seconds(30)
        #expect(verified == VerifiedToken(tenant: "acme", roles: [.read, .write], expiresAt: end))
    }

    @Test(
        arguments: [
            ("expired", ["exp": "1699999970"], TokenFault.expired),
            ("expired long ago", ["exp": "0"], .expired),
            ("without expiry", ["exp": nil], .noExpiry),
            ("with an expiry that is text", ["exp": "\"1700003600\""], .malformed),
            ("with an expiry beyond all time", ["exp": "1e300"], .malformed),
            ("with an expiry that no number holds", ["exp": "1e999"], .malformed),
            ("not yet valid", ["nbf": "1700000031"], .early),
            ("issued in the future", ["iat": "1700000031"], .early),
            ("with a beginning that is no number", ["nbf": "true"], .malformed),
            ("of another issuer", ["iss": "\"https://issuer.example/\""], .issuer),
            ("of no issuer", ["iss": nil], .issuer),
            ("of an issuer that is a list", ["iss": "[\"https://issuer.example\"]"], .issuer),
            ("for another audience", ["aud": "[\"other\",\"semcache\"]"], .audience),
            ("for no audience", ["aud": nil], .audience),
            ("for an audience that is a number", ["aud": "[1]"], .audience),
            ("without tenant", ["tenant": nil], .tenant),
            ("with an empty tenant", ["tenant": "\"\""], .tenant),
            ("with a number as tenant", ["tenant": "7"], .tenant),
            ("with a null tenant", ["tenant": "null"], .tenant),
            ("with a list of tenants", ["tenant": "[\"acme\"]"], .tenant),
            ("with NUL in its tenant", ["tenant": "\"ac\\u0000me\""], .tenant),
            ("without roles", ["roles": nil], .roles),
            ("with empty roles", ["roles": "[]"], .roles),
            ("with roles that we do not know", ["roles": "\"owner Read\""], .roles),
            ("with a role that is no text", ["roles": "[\"read\",1]"], .roles),
            ("with null roles", ["roles": "null"], .roles),
        ] as [(String, [String: String?], TokenFault)])
    func `is refused`(token name: String, changes: [String: String?], fault: TokenFault) async throws {
        let token = try Issuer.hs256.token(claims(changes))
        #expect(try await secretVerifier().refusal(token) == fault)
    }

    @Test(arguments: [
        ["exp": "1699999970.5"], ["nbf": "1700000030"], ["iat": "1700000030"], ["aud": "[\"other\",\"semcached\"]"],
        ["exp": "1.7000036e9"],
    ])
    func `is let in, just so`(changes: [String: String?]) async throws {
        let token = try Issuer.hs256.token(claims(changes))
        #expect(try await secretVerifier().verify(token, at: now).tenant == "acme")
    }

    @Test(
        arguments: [
            ("\"read\"", Roles.read), ("\"read  write\"", [.read, .write]), ("[\"admin\",\"owner\"]", .admin),
            ("[\"read\",\"write\",\"invalidate\",\"feedback\",\"admin\"]", .all),
            ("\"openid feedback email\"", .feedback),
        ] as [(String, Roles)])
    func `roles are a list or a text, and foreign ones are passed over`(json: String, roles: Roles) async throws {
        let token = try Issuer.hs256.token(claims(["roles": json]))
        #expect(try await secretVerifier().verify(token, at: now).roles == roles)
    }

    @Test func `roles of the configuration are granted if the token has none, and only then`() async throws {
        let verifier = try secretVerifier { $0.roles = .read }
        let issuer = Issuer.hs256
        #expect(try await verifier.verify(issuer.token(claims(["roles": nil])), at: now).roles == .read)
        #expect(try await verifier.verify(issuer.token(claims(["roles": "\"admin\""])), at: now).roles == .admin)
        #expect(try await verifier.refusal(issuer.token(claims(["roles": "\"owner\""]))) == .roles)
    }

    @Test(arguments: [
        ("app.tenant", "app", "{\"tenant\":\"nested\"}"), ("a.b.c", "a", "{\"b\":{\"c\":\"nested\"}}"),
        ("https://example.com/tenant", "https://example.com/tenant", "\"nested\""),
        ("app.tenant", "app.tenant", "\"nested\""),
    ])
    func `a tenant is found in objects and under names with dots`(
        claim: String, name: String, json: String
    ) async throws {
        let token = try Issuer.hs256.token(claims([name: json]))
        #expect(try await secretVerifier { $0.tenantClaim = claim }.verify(token, at: now).tenant == "nested")
    }

    @Test func `the claim of the whole name goes before the nested one`() async throws {
        let token = try Issuer.hs256.token(
            claims(["app": "{\"tenant\":\"nested\"}", "app.tenant": "\"whole\""]))
        #expect(try await secretVerifier { $0.tenantClaim = "app.tenant" }.verify(token, at: now).tenant == "whole")
    }

    @Test(arguments: ["{}", "\"acme\"", "[]", "{\"tenant\":{}}", "{\"other\":\"acme\"}"])
    func `a nested tenant that is not there is refused`(json: String) async throws {
        let token = try Issuer.hs256.token(claims(["app": json]))
        #expect(try await secretVerifier { $0.tenantClaim = "app.tenant" }.refusal(token) == .tenant)
    }

    @Test func `tenants have up to 512 bytes and any character but NUL`() async throws {
        let issuer = Issuer.hs256
        let verifier = try secretVerifier()
        for tenant in [String(repeating: "ä", count: 256), "*", "a|b", "\u{1f600}", " "] {
            #expect(
                try await verifier.verify(issuer.token(claims(["tenant": "\"\(tenant)\""])), at: now).tenant == tenant)
        }
        let long = String(repeating: "ä", count: 256) + "x"
        #expect(try await verifier.refusal(issuer.token(claims(["tenant": "\"\(long)\""]))) == .tenant)
    }

    @Test func `a tenant keeps the spelling of its characters`() async throws {
        let token = try Issuer.hs256.token(claims(["tenant": "\"e\\u0301\""]))
        #expect(Array(try await secretVerifier().verify(token, at: now).tenant.utf8) == [0x65, 0xcc, 0x81])
    }

    @Test func `an issuer and an audience of another spelling are others`() async throws {
        let verifier = try secretVerifier {
            $0.issuer = "\u{e9}"
            $0.audience = "\u{e9}"
        }
        let issuer = Issuer.hs256
        #expect(
            try await verifier.refusal(issuer.token(claims(["iss": "\"e\u{301}\"", "aud": "\"\u{e9}\""]))) == .issuer)
        #expect(
            try await verifier.refusal(issuer.token(claims(["iss": "\"\u{e9}\"", "aud": "\"e\u{301}\""]))) == .audience)
    }

    @Test(arguments: ["", "null", "[]", "{", "{\"iss\":\"\\ud800\"}", "7"])
    func `claims that are no object are refused`(payload: String) async throws {
        let token = try Issuer.hs256.token(payload)
        #expect([.malformed, .issuer].contains(try await secretVerifier().refusal(token)))
    }

    @Test(arguments: [100, 500, 600, 5000])
    func `nesting is no trouble`(depth: Int) async throws {
        let nested = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        let issuer = Issuer.hs256
        let token = try issuer.token(claims(["x": nested]))
        let fault = try await secretVerifier().refusal(token)
        #expect(fault == (depth > 2000 ? .tooLong : depth > 510 ? .malformed : nil))
        let header = try issuer.token(header: "{\"alg\":\"HS256\",\"x\":\(nested)}")
        #expect(
            try await secretVerifier().refusal(header) == (depth > 2000 ? .tooLong : depth > 510 ? .malformed : nil))
    }

    @Test func `claims and headers of any bytes are no trouble`() async throws {
        let (verifier, issuer) = (try secretVerifier(), Issuer.hs256)
        let seeds = [
            claims(["nbf": "1e3", "aud": "[\"semcached\",null]", "é": "{\"a\":[1,-2.5e3,\"\\u00e9\"]}"]), claims(),
        ]
        let header = Array("{\"alg\":\"HS256\",\"kid\":\"a\",\"x\":[1e5,null]}".utf8)
        var state: UInt64 = 1
        func random(below bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        func mutated(_ bytes: [UInt8]) -> [UInt8] {
            var bytes = bytes
            for _ in 0...random(below: 4) {
                let position = random(below: bytes.count)
                switch random(below: 3) {
                case 0: bytes[position] = UInt8(random(below: 256))
                case 1: bytes.remove(at: position)
                default: bytes.insert(bytes[random(below: bytes.count)], at: position)
                }
            }
            return bytes
        }
        var accepted = 0
        for number in 0..<4000 {
            let token = try issuer.token(
                mutated(Array(seeds[number % 2].utf8)), header: number % 3 == 0 ? mutated(header) : header)
            if (try? await verifier.verify(token, at: now)) != nil { accepted += 1 }
        }
        #expect(accepted > 0 && accepted < 4000)
    }

    @Test(arguments: [
        ("\"tenant\":\"victim\"", TokenFault.malformed), ("\"ten\\u0061nt\":\"victim\"", .malformed),
        ("\"x\":1,\"x\":1", .malformed), ("\"x\":{\"tenant\":[{\"a\":\":\"}]},\"y\":\"\\\":\\\\\"", nil),
    ])
    func `a claim that is there twice is refused`(more: String, fault: TokenFault?) async throws {
        let claims = "\(claims().dropLast()),\(more)}"
        #expect(try await secretVerifier().refusal(Issuer.hs256.token(claims)) == fault)
    }

    @Test func `claims that are not in UTF-8 are refused`() async throws {
        let issuer = Issuer.hs256
        let header = Array("{\"alg\":\"HS256\"}".utf8)
        let wide = claims().utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        #expect(try await secretVerifier().refusal(issuer.token(wide, header: header)) == .malformed)
        for name in ["x", "tenant"] {
            let invalid = Array(claims([name: "\"?\""]).utf8).map { $0 == UInt8(ascii: "?") ? 0xff : $0 }
            #expect(try await secretVerifier().refusal(issuer.token(invalid, header: header)) == .malformed)
        }
    }
}
