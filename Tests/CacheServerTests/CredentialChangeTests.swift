// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

/// What changes while connections are open: credentials, policies, time.
@Suite(.timeLimit(.minutes(1))) struct CredentialChangeTests {
    @Test func `a key that is taken back ends its connections, others stay`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let gone = try await Keyed.connect(.apiKey("key-a"), to: server)
            let changed = try await Keyed.connect(.apiKey("key-b"), to: server)
            let stays = try await Keyed.connect(.apiKey("key-reader"), to: server)
            authenticator.replace(
                .init(keys: [Keyed.keys[2], Keyed.grant("key-b", .tenant(TenantID("c")))]))
            server.server.checkCredentials()
            for client in [gone, changed] {
                #expect(try await client.next() == .goAway(reason: "the credential is no longer accepted"))
                #expect(try await client.next() == nil)
            }
            #expect(try await stays.ask(.ping) == .success(serverVersion))
            let again = try await server.connect()
            try await again.send(Keyed.hello(.apiKey("key-a")))
            try await Keyed.expectEnd(of: again, .unauthenticated, "the API key is not known")
        }
    }

    @Test func `another issuer ends the connections of the last one's tokens, also of those it was just asked about`()
        async throws
    {
        func tokens(_ issuer: String, isHeld: Bool = false) -> ScriptedTokens {
            ScriptedTokens(expiresAt: Timestamp(milliseconds: .max), isHeld: isHeld, issuer: issuer)
        }
        let authenticator = CredentialAuthenticator(.init(keys: [], tokens: tokens("first")))
        try await TestServer.run(authenticator: authenticator) { server in
            let client = try await Keyed.connect(.token("good-a"), to: server)
            authenticator.replace(.init(keys: [], tokens: tokens("first")))
            server.server.checkCredentials()
            #expect(try await client.ask(.ping) == .success(serverVersion), "the same issuer")
            let slow = tokens("second", isHeld: true)
            authenticator.replace(.init(keys: [], tokens: slow))
            server.server.checkCredentials()
            #expect(try await client.next() == .goAway(reason: "the credential is no longer accepted"))
            let late = try await server.connect()
            try await late.send(Keyed.hello(.token("good-a")))
            await slow.asked()
            authenticator.replace(.init(keys: [], tokens: tokens("third")))
            server.server.checkCredentials()
            slow.release()
            try await Keyed.expectEnd(of: late, .unauthenticated, "the credential is no longer accepted")
        }
    }

    @Test func `a signing key that is withdrawn ends the connections of its tokens`() async throws {
        let tokens = ScriptedTokens(expiresAt: Timestamp(milliseconds: .max))
        let authenticator = CredentialAuthenticator(.init(keys: [], tokens: tokens))
        try await TestServer.run(authenticator: authenticator) { server in
            let client = try await Keyed.connect(.token("good-a"), to: server)
            server.server.checkCredentials()
            #expect(try await client.ask(.ping) == .success(serverVersion))
            tokens.withdrawKey()
            server.server.checkCredentials()
            #expect(try await client.next() == .goAway(reason: "the credential is no longer accepted"))
        }
    }

    @Test func `a connection ends with its token`() async throws {
        let clock = ManualClock()
        let tokens = ScriptedTokens(expiresAt: clock.now + .milliseconds(50))
        let authenticator = CredentialAuthenticator(.init(keys: [], tokens: tokens))
        try await TestServer.run(clock: clock, authenticator: authenticator) { server in
            let client = try await Keyed.connect(.token("good-a"), to: server)
            #expect(try await client.next() == .goAway(reason: "the credential has expired"))
            #expect(try await client.next() == nil)
        }
    }

    @Test func `quotas refuse with a time to try again, in the fast lane as well`() async throws {
        let clock = ManualClock()
        var directory = TenantDirectory()
        directory.declare(
            TenantID("a"),
            TenantPolicy(
                quota: TenantQuota(requestsPerSecond: 1, burst: 4, requestBytes: 200), template: CachePolicy()))
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(clock: clock, directory: directory, authenticator: authenticator) { server in
            let client = try await Keyed.connect(.apiKey("key-a"), to: server)
            _ = try await client.ask(.store(store("q", "a")))
            for _ in 0..<3 { #expect(try await client.ask(.lookup(lookup("q"))).get().outcome?.response == "a") }
            for _ in 0..<3 {
                guard case .failure(let error) = try await client.ask(.lookup(lookup("q"))) else {
                    Issue.record("over its rate")
                    return
                }
                #expect(error.code == .resourceExhausted && error.retryAfter == .seconds(1))
            }
            let tenant = try server.engine.tenant(TenantScope(authenticated: TenantID("a")))
            #expect(try await server.engine.statistics(cache: nil, scope: tenant.scope).tenant.refusedByRate == 3)
            clock.advance(by: .seconds(1))
            #expect(try await client.ask(.lookup(lookup("q"))).get().outcome?.response == "a")
            clock.advance(by: .seconds(10))
            let long = lookup(String(repeating: "q", count: 200))
            #expect(Keyed.code(try await client.ask(.lookup(long))) == .resourceExhausted)
            let other = try await Keyed.connect(.apiKey("key-b"), to: server)
            #expect(Keyed.code(try await other.ask(.lookup(lookup("q")))) == .permissionDenied, "not configured")
        }
    }

    @Test func `a reload that takes the cache away is felt in the fast lane at once`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let client = try await Keyed.connect(.apiKey("key-a"), to: server)
            _ = try await client.ask(.store(store("q", "a")))
            for _ in 0..<3 { #expect(try await client.ask(.lookup(lookup("q"))).get().outcome?.response == "a") }
            var policy = TenantPolicy()
            policy.declare("another", CachePolicy())
            server.engine.replace(TenantDirectory(undeclared: policy))
            #expect(Keyed.code(try await client.ask(.lookup(lookup("q")))) == .notFound)
        }
    }
}
