// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct AuthenticationTests {
    @Test func `a peer without a good credential gets UNAUTHENTICATED and nothing else`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let cases: [(Credential, String)] = [
                (.none, "a credential is needed"), (.apiKey("key-"), "the API key is not known"),
                (.apiKey("key-a "), "the API key is not known"), (.token("good-a"), "tokens are not accepted here"),
            ]
            for (credential, message) in cases {
                let client = try await server.connect()
                // The calls behind it are not answered.
                try await client.send(Keyed.hello(credential), .call(Call(id: 1, request: .success(.ping))))
                try await Keyed.expectEnd(of: client, .unauthenticated, message)
            }
            let first = "a hello with a credential must come first"
            for early in [
                ClientMessage.call(Call(id: 1, request: .success(.ping))), .cancel(id: 1),
            ] {
                let client = try await server.connect()
                try await client.send(early)
                try await Keyed.expectEnd(of: client, .unauthenticated, first)
            }
            let garbage = try await server.connect()
            try await garbage.send(bytes: [7, 7, 7, 7, 7, 7])
            try await Keyed.expectEnd(of: garbage, .unauthenticated, first)
            // Which versions there are is told to those who may come in.
            let stranger = try await server.connect()
            try await stranger.send(Keyed.hello(.none, 9...9))
            try await Keyed.expectEnd(of: stranger, .unauthenticated, "a credential is needed")
            let outdated = try await server.connect()
            try await outdated.send(Keyed.hello(.apiKey("key-a"), 9...9))
            try await Keyed.expectEnd(of: outdated, .failedPrecondition, "this server speaks protocol versions 1 to 1")
        }
    }

    @Test func `a peer that says nothing, and a verifier that does not answer, end with the handshake`() async throws {
        var limits = ConnectionLimits.patient
        limits.handshakeDeadline = .seconds(1)
        let tokens = ScriptedTokens(expiresAt: Timestamp(milliseconds: .max), isHeld: true)
        let authenticator = CredentialAuthenticator(.init(keys: [], tokens: tokens))
        try await TestServer.run(authenticator: authenticator, limits: limits) { server in
            for messages in [[], [Keyed.hello(.token("good-a"))]] {
                let client = try await server.connect()
                // It may be over already.
                for message in messages { try? await client.send(message) }
                try await Keyed.expectEnd(of: client, .unauthenticated, "a hello with a credential must come first")
            }
            tokens.release()
        }
    }

    @Test func `calls behind a hello wait until it is accepted`() async throws {
        let tokens = ScriptedTokens(expiresAt: Timestamp(milliseconds: .max), isHeld: true)
        let authenticator = CredentialAuthenticator(.init(keys: [], tokens: tokens))
        try await TestServer.run(authenticator: authenticator) { server in
            let client = try await server.connect()
            try await client.send(Keyed.hello(.token("good-a")), .call(Call(id: 5, request: .success(.ping))))
            tokens.release()
            guard case .welcome = try await client.next() else {
                Issue.record("not welcome")
                return
            }
            #expect(try await client.next() == .reply(Reply(id: 5, result: .success(serverVersion))))
        }
    }

    @Test func `each role allows its calls and no other`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let calls: [(Roles, ServiceRequest)] = [
                (.read, .lookup(lookup("q"))),
                (.read, .embed(EmbedRequest(cache: "support", texts: [try CanonicalPrompt("q")]))),
                (.write, .store(store("q", "a"))),
                (.invalidate, .invalidate(InvalidateRequest(cache: "support", selector: .wholeCache))),
                (.admin, .stats(cache: nil)), (.admin, .export(ExportRequest(cache: "support"))),
            ]
            let holders: [(String, Roles)] = [
                ("key-reader", .read), ("key-writer", .write), ("key-cleaner", .invalidate), ("key-admin", .admin),
            ]
            for (key, roles) in holders {
                let client = try await Keyed.connect(.apiKey(key), to: server)
                for (needed, call) in calls {
                    let expected: CacheError.Code? = roles.contains(needed) ? nil : .permissionDenied
                    #expect(Keyed.code(try await client.ask(call)) == expected)
                }
                #expect(try await client.ask(.ping) == .success(serverVersion))
            }
            let admin = try await Keyed.connect(.apiKey("key-admin"), to: server)
            guard case .success(.stats(let statistics)) = try await admin.ask(.stats(cache: nil)) else {
                Issue.record("no statistics")
                return
            }
            #expect(statistics.tenant.refusedByRole == 18)
            #expect(statistics.connections == 0 && statistics.l1Entries == 0, "tells of others")
        }
    }

    @Test func `labels need the role of administrators`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let labels = LabelsRequest(cache: "support")
            for key in ["key-reader", "key-writer", "key-cleaner"] {
                let client = try await Keyed.connect(.apiKey(key), to: server)
                #expect(Keyed.code(try await client.ask(.labels(labels))) == .permissionDenied)
            }
            let owner = try await Keyed.connect(.apiKey("key-admin"), to: server)
            #expect(Keyed.code(try await owner.ask(.labels(labels))) != .permissionDenied)
        }
    }

    @Test func `feedback needs a role of its own`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let feedback = FeedbackRequest(
                cache: "support", entry: EntryID(high: 1, low: 2),
                question: .prompt(prompt("q"), vary: [], embedding: nil), verdict: .wrong)
            for key in ["key-reader", "key-writer", "key-cleaner", "key-admin"] {
                let client = try await Keyed.connect(.apiKey(key), to: server)
                #expect(Keyed.code(try await client.ask(.feedback(feedback))) == .permissionDenied)
            }
            let owner = try await Keyed.connect(.apiKey("key-a"), to: server)
            #expect(Keyed.code(try await owner.ask(.feedback(feedback))) != .permissionDenied)
        }
    }

    @Test func `what one tenant's memory holds is not served to a key that may not read`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let owner = try await Keyed.connect(.apiKey("key-a"), to: server)
            _ = try await owner.ask(.store(store("q", "a")))
            for _ in 0..<3 { #expect(try await owner.ask(.lookup(lookup("q"))).get().outcome?.response == "a") }
            let writer = try await Keyed.connect(.apiKey("key-writer"), to: server)
            for _ in 0..<3 { #expect(Keyed.code(try await writer.ask(.lookup(lookup("q")))) == .permissionDenied) }
            let other = try await Keyed.connect(.apiKey("key-b"), to: server)
            for _ in 0..<3 { #expect(try await other.ask(.lookup(lookup("q"))).get().outcome?.hit == nil) }
        }
    }

    @Test func `a gateway names the tenant of each call, within what it may reach`() async throws {
        let authenticator = CredentialAuthenticator(.init(keys: Keyed.keys))
        try await TestServer.run(authenticator: authenticator) { server in
            let gate = try await Keyed.connect(.apiKey("key-gate"), to: server)
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
            #expect(Keyed.code(try await gate.ask(.lookup(lookup("q")), tenant: "c")) == .permissionDenied)
            #expect(Keyed.code(try await gate.ask(.lookup(lookup("q")))) == .invalidArgument)
            let own = try await Keyed.connect(.apiKey("key-a"), to: server)
            for _ in 0..<2 { #expect(try await own.ask(.lookup(lookup("q"))).get().outcome?.response == "answer of a") }
            #expect(Keyed.code(try await own.ask(.lookup(lookup("q")), tenant: "b")) == .permissionDenied)
            #expect(Keyed.code(try await own.ask(.lookup(lookup("q")), tenant: "a")) == .permissionDenied)
            let any = try await Keyed.connect(.apiKey("key-any"), to: server)
            #expect(try await any.ask(.lookup(lookup("q")), tenant: "b").get().outcome?.response == "answer of b")
        }
    }
}
