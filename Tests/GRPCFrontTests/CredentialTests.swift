// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import OpenSSLTLS
import Synchronization
import TestSupport
import Testing

@testable import GRPCFront

/// Who a call is made for: its metadata and the connection's certificate say so.
@Suite(.timeLimit(.minutes(1))) struct CredentialTests {
    private static func grant(_ key: String, _ tenancy: GrantedTenancy, _ roles: Roles = .all) -> APIKeyGrant {
        APIKeyGrant(digest: Digest(ofAPIKey: key), tenancy: tenancy, roles: roles)
    }

    private static let keys = [
        Self.grant("key-a", .tenant(TenantID("a"))),
        Self.grant("key-b", .tenant(TenantID("b"))),
        Self.grant("key-reader", .tenant(TenantID("a")), [.read]),
        Self.grant("key-gate", .gateway([TenantID("a"), TenantID("ü")])),
    ]

    private func authenticator(_ tokens: (any TokenVerifier)? = nil) -> CredentialAuthenticator {
        CredentialAuthenticator(
            .init(
                keys: Self.keys, tokens: tokens,
                certificates: [
                    CertificateGrant(name: .dns("client.test"), tenancy: .tenant(TenantID("a")), roles: .all)
                ]))
    }

    @Test func `an API key decides for which tenant a call is made`() async throws {
        try await TestFront.run(authenticator: self.authenticator()) { front in
            try await front.withClient { client in
                try await client.call(store("q", "of a"), ["x-api-key": "key-a"])
                #expect(try await client.call(lookup("q"), ["x-api-key": "key-a"]).text == "of a")
                #expect(try await client.call(lookup("q"), ["x-api-key": "key-b"]).text == nil)
            }
        }
    }

    @Test(
        arguments: [
            [:], ["x-api-key": "wrong"], ["x-api-key": ""], ["authorization": "Bearer a.b.c"],
            ["authorization": "Basic key-a"], ["authorization": "key-a"],
            ["x-api-key": "key-a", "authorization": "Bearer a.b.c"],
        ] as [Metadata]) func `a call without a credential that is known is not served`(metadata: Metadata) async throws
    {
        try await TestFront.run(authenticator: self.authenticator()) { front in
            try await front.withClient { client in
                try await client.expect(.unauthenticated, of: lookup("q"), metadata)
            }
        }
    }

    @Test func `two API keys are none`() async throws {
        try await TestFront.run(authenticator: self.authenticator()) { front in
            try await front.withClient { client in
                var metadata: Metadata = ["x-api-key": "key-a"]
                metadata.addString("key-b", forKey: "x-api-key")
                try await client.expect(.unauthenticated, of: lookup("q"), metadata)
            }
        }
    }

    @Test func `a stranger's request is not read`() async throws {
        try await TestFront.run(authenticator: self.authenticator()) { front in
            try await front.withClient { client in
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.unary("semcached.v1.SemanticCache/Lookup", [0xff])
                }
                #expect(error?.code == .unauthenticated)
            }
        }
    }

    @Test func `a key without the role for it may not store`() async throws {
        try await TestFront.run(authenticator: self.authenticator()) { front in
            try await front.withClient { client in
                let reader: Metadata = ["x-api-key": "key-reader"]
                try await client.expect(.permissionDenied, of: store("q", "a"), reader)
                try await client.call(lookup("q"), reader)
            }
        }
    }

    @Test func `a gateway names the tenant, in ASCII or in bytes`() async throws {
        try await TestFront.run(authenticator: self.authenticator()) { front in
            try await front.withClient { client in
                func naming(_ tenant: String) -> Metadata {
                    ["x-api-key": "key-gate", "x-semcache-tenant": "\(tenant)"]
                }
                var bytes: Metadata = ["x-api-key": "key-gate"]
                bytes.addBinary(Array("ü".utf8), forKey: "x-semcache-tenant-bin")
                try await client.call(store("q", "of a"), naming("a"))
                #expect(try await client.call(lookup("q"), ["x-api-key": "key-a"]).text == "of a")
                #expect(try await client.call(lookup("q"), bytes).text == nil)
                try await client.expect(.permissionDenied, of: lookup("q"), naming("b"))
                try await client.expect(.invalidArgument, of: lookup("q"), ["x-api-key": "key-gate"])
                let named: Metadata = ["x-api-key": "key-a", "x-semcache-tenant": "a"]
                try await client.expect(.permissionDenied, of: lookup("q"), named)
            }
        }
    }

    @Test(
        arguments: [["a", "a"], ["a", "-bin:a"], ["-bin:a", "-bin:b"], ["-bin:not base64!"], ["-bin:YQ==,Yg=="]]
            as [[String]]) func `a tenant that is named twice, or not to be read, is none`(names: [String])
    {
        var metadata = Metadata()
        for name in names {
            switch name.split(separator: ":").last {
            case .some(let text) where name.hasPrefix("-bin") && text.utf8.count == 1:
                metadata.addBinary(Array(text.utf8), forKey: "x-semcache-tenant-bin")
            case .some(let text) where name.hasPrefix("-bin"):
                metadata.addString(String(text), forKey: "x-semcache-tenant-bin")
            default: metadata.addString(name, forKey: "x-semcache-tenant")
            }
        }
        let error = #expect(throws: CacheError.self) { try metadata.tenant() }
        #expect(error?.code == .invalidArgument)
    }

    // MARK: Tokens

    @Test func `a token is verified once, and remembered until it expires`() async throws {
        let tokens = CountingTokens()
        try await TestFront.run(authenticator: self.authenticator(tokens)) { front in
            tokens.expiresAt = front.clock.now + .seconds(60)
            let metadata: Metadata = ["authorization": "Bearer good-a"]
            try await front.withClient { client in
                for _ in 0..<3 { try await client.call(.ping, metadata) }
            }
            try await front.withClient { try await $0.call(.ping, metadata) }
            #expect(tokens.count == 1)
            front.clock.advance(by: .seconds(60))
            try await front.withClient { try await $0.expect(.unauthenticated, of: .ping, metadata) }
        }
    }

    @Test func `a token is verified again after a while, since its key may be withdrawn`() async throws {
        let tokens = CountingTokens()
        try await TestFront.run(authenticator: self.authenticator(tokens)) { front in
            tokens.expiresAt = front.clock.now + .seconds(3600)
            let metadata: Metadata = ["authorization": "Bearer good-a"]
            try await front.withClient { client in
                try await client.call(.ping, metadata)
                front.clock.advance(by: Limits.tokenMemory - .milliseconds(1))
                try await client.call(.ping, metadata)
                #expect(tokens.count == 1)
                front.clock.advance(by: .milliseconds(1))
                try await client.call(.ping, metadata)
                #expect(tokens.count == 2)
            }
        }
    }

    @Test func `a token that is refused is not remembered`() async throws {
        let tokens = CountingTokens()
        try await TestFront.run(authenticator: self.authenticator(tokens)) { front in
            try await front.withClient { client in
                for _ in 0..<2 {
                    try await client.expect(.unauthenticated, of: .ping, ["authorization": "bearer bad"])
                }
            }
            #expect(tokens.count == 2)
        }
    }

    @Test func `a token is asked for again once another verifier is configured`() async throws {
        let first = CountingTokens()
        let second = CountingTokens(issuer: "other")
        let authenticator = self.authenticator(first)
        try await TestFront.run(authenticator: authenticator) { front in
            first.expiresAt = front.clock.now + .seconds(60)
            second.expiresAt = front.clock.now + .seconds(60)
            let metadata: Metadata = ["authorization": "Bearer good-a"]
            try await front.withClient { client in
                try await client.call(.ping, metadata)
                authenticator.replace(.init(keys: [], tokens: second))
                try await client.call(.ping, metadata)
                authenticator.replace(.init(keys: []))
                try await client.expect(.unauthenticated, of: .ping, metadata)
            }
            #expect(second.count == 1)
        }
    }

    @Test func `few tokens are remembered, and those that are used stay`() async throws {
        let principal = try await SingleTenant().authenticate(
            .none, certificate: nil, at: Timestamp(milliseconds: 0))
        var tokens = RememberedTokens(limit: 10)
        let used = RememberedTokens.Key(token: "used", peer: nil)
        let now = Timestamp(milliseconds: 0)
        tokens.remember(principal, used, at: now)
        for number in 0..<1000 {
            tokens.remember(principal, RememberedTokens.Key(token: "\(number)", peer: nil), at: now)
            #expect(tokens.principal(used, at: now) != nil)
            #expect(tokens.count <= 10)
        }
        #expect(tokens.principal(RememberedTokens.Key(token: "1", peer: nil), at: now) == nil)
        #expect(tokens.principal(RememberedTokens.Key(token: "used", peer: 1), at: now) == nil)
    }
}

/// Takes tokens that say they are good, each for the tenant of the same name, and counts how often it is asked.
final class CountingTokens: TokenVerifier {
    let identity: Digest
    private let asked = Atomic<Int>(0)
    private let expiry = Mutex(Timestamp(milliseconds: 0))

    init(issuer: String = "issuer") { self.identity = TenantID(issuer).key }

    var count: Int { self.asked.load(ordering: .sequentiallyConsistent) }

    var expiresAt: Timestamp {
        get { self.expiry.withLock { $0 } }
        set { self.expiry.withLock { $0 = newValue } }
    }

    func trusts(_ key: Digest) -> Bool { true }
    func refresh(at now: Timestamp) async {}

    func verify(_ token: String, at now: Timestamp) async throws(CacheError) -> VerifiedToken {
        self.asked.add(1, ordering: .sequentiallyConsistent)
        guard token.hasPrefix("good-"), self.expiresAt > now else {
            throw CacheError(.unauthenticated, "the token is not genuine")
        }
        return VerifiedToken(tenant: String(token.dropFirst(5)), roles: .all, expiresAt: self.expiresAt)
    }
}
