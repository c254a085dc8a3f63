// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import Synchronization
import TestSupport
import Testing

/// Takes the tokens that the test names; each for the tenant of the same name.
private final class ScriptedTokens: TokenVerifier {
    private let expiry: Timestamp
    private let waits = Mailbox<Void>()
    let isHeld: Bool

    init(expiresAt expiry: Timestamp, isHeld: Bool = false) {
        self.expiry = expiry
        self.isHeld = isHeld
    }

    func release() { self.waits.append(()) }

    func verify(_ token: String, at now: Timestamp) async throws(CacheError) -> VerifiedToken {
        if self.isHeld { _ = await self.waits.next() }
        guard token.hasPrefix("good-") else { throw CacheError(.unauthenticated, "the token is not genuine") }
        return VerifiedToken(tenant: String(token.dropFirst(5)), roles: [.read], expiresAt: self.expiry)
    }
}

@Suite(.timeLimit(.minutes(1))) struct AuthenticationTests {
    private static func grant(
        _ key: String, _ tenancy: APIKeyGrant.Tenancy, _ roles: Roles = .all
    ) -> APIKeyGrant {
        var hasher = SHA256Hasher()
        Array(key.utf8).withUnsafeBytes { hasher.update($0) }
        return APIKeyGrant(digest: hasher.finish(), tenancy: tenancy, roles: roles)
    }

    private static let keys = [
        Self.grant("key-a", .tenant(TenantID("a"))),
        Self.grant("key-b", .tenant(TenantID("b"))),
        Self.grant("key-reader", .tenant(TenantID("a")), [.read]),
        Self.grant("key-writer", .tenant(TenantID("a")), [.write]),
        Self.grant("key-cleaner", .tenant(TenantID("a")), [.invalidate]),
        Self.grant("key-admin", .tenant(TenantID("a")), [.admin]),
        Self.grant("key-gate", .gateway([TenantID("a"), TenantID("b")])),
        Self.grant("key-any", .gateway(nil)),
    ]

    private static func hello(_ credential: Credential, _ versions: ClosedRange<UInt32> = 1...1) -> ClientMessage {
        .hello(
            Hello(
                minimumVersion: versions.lowerBound, maximumVersion: versions.upperBound, clientName: "",
                credential: credential))
    }

    private static func connect(_ credential: Credential, to server: TestServer) async throws -> WireClient {
        let client = try await server.connect()
        try await client.send(Self.hello(credential))
        guard case .welcome = try await client.next() else { throw CacheError(.unauthenticated, "not welcome") }
        return client
    }

    private static func expectEnd(
        of client: WireClient, _ code: CacheError.Code, _ message: String, at place: SourceLocation = #_sourceLocation
    ) async throws {
        let expected = ServerMessage.reply(Reply(id: 0, result: .failure(CacheError(code, message))))
        #expect(try await client.next() == expected, sourceLocation: place)
        #expect(try await client.next() == nil, sourceLocation: place)
    }

    private static func code(_ result: Result<ServiceResponse, CacheError>) -> CacheError.Code? {
        guard case .failure(let error) = result else { return nil }
        return error.code
    }

    @Test func `a peer without a good credential gets UNAUTHENTICATED and nothing else`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Self.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let cases: [(Credential, String)] = [
                (.none, "a credential is needed"), (.apiKey("key-"), "the API key is not known"),
                (.apiKey("key-a "), "the API key is not known"), (.token("good-a"), "tokens are not accepted here"),
            ]
            for (credential, message) in cases {
                let client = try await server.connect()
                // The calls behind it are not answered.
                try await client.send(Self.hello(credential), .call(Call(id: 1, request: .success(.ping))))
                try await Self.expectEnd(of: client, .unauthenticated, message)
            }
            let first = "a hello with a credential must come first"
            for early in [
                ClientMessage.call(Call(id: 1, request: .success(.ping))), .cancel(id: 1),
            ] {
                let client = try await server.connect()
                try await client.send(early)
                try await Self.expectEnd(of: client, .unauthenticated, first)
            }
            let garbage = try await server.connect()
            try await garbage.send(bytes: [7, 7, 7, 7, 7, 7])
            try await Self.expectEnd(of: garbage, .unauthenticated, first)
            // Which versions there are is told to those who may come in.
            let stranger = try await server.connect()
            try await stranger.send(Self.hello(.none, 9...9))
            try await Self.expectEnd(of: stranger, .unauthenticated, "a credential is needed")
            let outdated = try await server.connect()
            try await outdated.send(Self.hello(.apiKey("key-a"), 9...9))
            try await Self.expectEnd(of: outdated, .failedPrecondition, "this server speaks protocol versions 1 to 1")
        }
    }

    @Test func `a peer that says nothing, and a verifier that does not answer, end with the handshake`() async throws {
        var limits = ConnectionLimits()
        limits.handshakeDeadline = .seconds(1)
        let tokens = ScriptedTokens(expiresAt: Timestamp(milliseconds: .max), isHeld: true)
        let authenticator = CredentialAuthenticator(.init(keys: [], tokens: tokens))
        try await TestServer.run(authenticator: authenticator, limits: limits) { server in
            for messages in [[], [Self.hello(.token("good-a"))]] {
                let client = try await server.connect()
                for message in messages { try await client.send(message) }
                try await Self.expectEnd(of: client, .unauthenticated, "a hello with a credential must come first")
            }
            tokens.release()
        }
    }

    @Test func `calls behind a hello wait until it is accepted`() async throws {
        let tokens = ScriptedTokens(expiresAt: Timestamp(milliseconds: .max), isHeld: true)
        let authenticator = CredentialAuthenticator(.init(keys: [], tokens: tokens))
        try await TestServer.run(authenticator: authenticator) { server in
            let client = try await server.connect()
            try await client.send(Self.hello(.token("good-a")), .call(Call(id: 5, request: .success(.ping))))
            tokens.release()
            guard case .welcome = try await client.next() else {
                Issue.record("not welcome")
                return
            }
            #expect(try await client.next() == .reply(Reply(id: 5, result: .success(serverVersion))))
        }
    }

    @Test func `each role allows its calls and no other`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Self.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let calls: [(Roles, ServiceRequest)] = [
                (.read, .lookup(lookup("q"))), (.write, .store(store("q", "a"))),
                (.invalidate, .invalidate(InvalidateRequest(cache: "support", selector: .wholeCache))),
                (.admin, .stats(cache: nil)),
            ]
            let holders: [(String, Roles)] = [
                ("key-reader", .read), ("key-writer", .write), ("key-cleaner", .invalidate), ("key-admin", .admin),
            ]
            for (key, roles) in holders {
                let client = try await Self.connect(.apiKey(key), to: server)
                for (needed, call) in calls {
                    let expected: CacheError.Code? = roles.contains(needed) ? nil : .permissionDenied
                    #expect(Self.code(try await client.ask(call)) == expected)
                }
                #expect(try await client.ask(.ping) == .success(serverVersion))
            }
            let admin = try await Self.connect(.apiKey("key-admin"), to: server)
            guard case .success(.stats(let statistics)) = try await admin.ask(.stats(cache: nil)) else {
                Issue.record("no statistics")
                return
            }
            #expect(statistics.tenant.refusedByRole == 12)
            #expect(statistics.connections == 0 && statistics.l1Entries == 0, "tells of others")
        }
    }

    @Test func `what one tenant's memory holds is not served to a key that may not read`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Self.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let owner = try await Self.connect(.apiKey("key-a"), to: server)
            _ = try await owner.ask(.store(store("q", "a")))
            for _ in 0..<3 { #expect(try await owner.ask(.lookup(lookup("q"))).get().outcome?.response == "a") }
            let writer = try await Self.connect(.apiKey("key-writer"), to: server)
            for _ in 0..<3 { #expect(Self.code(try await writer.ask(.lookup(lookup("q")))) == .permissionDenied) }
            let other = try await Self.connect(.apiKey("key-b"), to: server)
            for _ in 0..<3 { #expect(try await other.ask(.lookup(lookup("q"))).get().outcome?.hit == nil) }
        }
    }

    @Test func `a gateway names the tenant of each call, within what it may reach`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Self.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let gate = try await Self.connect(.apiKey("key-gate"), to: server)
            for tenant in ["a", "b"] {
                _ = try await gate.ask(.store(store("q", "answer of \(tenant)")), tenant: tenant)
            }
            // Alternating, so that the fast lane has both.
            for _ in 0..<4 {
                for tenant in ["a", "b"] {
                    let outcome = try await gate.ask(.lookup(lookup("q")), tenant: tenant).get().outcome
                    #expect(outcome?.response == "answer of \(tenant)")
                }
            }
            #expect(Self.code(try await gate.ask(.lookup(lookup("q")), tenant: "c")) == .permissionDenied)
            #expect(Self.code(try await gate.ask(.lookup(lookup("q")))) == .invalidArgument)
            let own = try await Self.connect(.apiKey("key-a"), to: server)
            for _ in 0..<2 { #expect(try await own.ask(.lookup(lookup("q"))).get().outcome?.response == "answer of a") }
            #expect(Self.code(try await own.ask(.lookup(lookup("q")), tenant: "b")) == .permissionDenied)
            #expect(Self.code(try await own.ask(.lookup(lookup("q")), tenant: "a")) == .permissionDenied)
            let any = try await Self.connect(.apiKey("key-any"), to: server)
            #expect(try await any.ask(.lookup(lookup("q")), tenant: "b").get().outcome?.response == "answer of b")
        }
    }

    @Test func `a key that is taken back ends its connections, others stay`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Self.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let gone = try await Self.connect(.apiKey("key-a"), to: server)
            let changed = try await Self.connect(.apiKey("key-b"), to: server)
            let stays = try await Self.connect(.apiKey("key-reader"), to: server)
            authenticator.replace(
                .init(keys: [Self.keys[2], Self.grant("key-b", .tenant(TenantID("c")))]))
            server.server.checkCredentials()
            for client in [gone, changed] {
                #expect(try await client.next() == .goAway(reason: "the credential is no longer accepted"))
                #expect(try await client.next() == nil)
            }
            #expect(try await stays.ask(.ping) == .success(serverVersion))
            let again = try await server.connect()
            try await again.send(Self.hello(.apiKey("key-a")))
            try await Self.expectEnd(of: again, .unauthenticated, "the API key is not known")
        }
    }

    @Test func `a connection ends with its token`() async throws {
        let clock = ManualClock()
        let tokens = ScriptedTokens(expiresAt: clock.now + .milliseconds(50))
        let authenticator = CredentialAuthenticator(.init(keys: [], tokens: tokens))
        try await TestServer.run(clock: clock, authenticator: authenticator) { server in
            let client = try await Self.connect(.token("good-a"), to: server)
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
        let authenticator = CredentialAuthenticator(.init(keys: Self.keys))
        try await TestServer.run(clock: clock, directory: directory, authenticator: authenticator) { server in
            let client = try await Self.connect(.apiKey("key-a"), to: server)
            _ = try await client.ask(.store(store("q", "a")))
            for _ in 0..<3 { #expect(try await client.ask(.lookup(lookup("q"))).get().outcome?.response == "a") }
            for _ in 0..<3 {
                guard case .failure(let error) = try await client.ask(.lookup(lookup("q"))) else {
                    Issue.record("over its rate")
                    return
                }
                #expect(error.code == .resourceExhausted && error.retryAfter == .seconds(1))
            }
            clock.advance(by: .seconds(1))
            #expect(try await client.ask(.lookup(lookup("q"))).get().outcome?.response == "a")
            clock.advance(by: .seconds(10))
            let long = lookup(String(repeating: "q", count: 200))
            #expect(Self.code(try await client.ask(.lookup(long))) == .resourceExhausted)
            let other = try await Self.connect(.apiKey("key-b"), to: server)
            #expect(Self.code(try await other.ask(.lookup(lookup("q")))) == .permissionDenied, "not configured")
        }
    }

    @Test func `a reload that takes the cache away is felt in the fast lane at once`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Self.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let client = try await Self.connect(.apiKey("key-a"), to: server)
            _ = try await client.ask(.store(store("q", "a")))
            for _ in 0..<3 { #expect(try await client.ask(.lookup(lookup("q"))).get().outcome?.response == "a") }
            var policy = TenantPolicy()
            policy.declare("another", CachePolicy())
            server.engine.replace(TenantDirectory(undeclared: policy))
            #expect(Self.code(try await client.ask(.lookup(lookup("q")))) == .notFound)
        }
    }
}

extension ServiceResponse {
    fileprivate var outcome: LookupOutcome? {
        guard case .lookup(let outcome) = self else { return nil }
        return outcome
    }
}
