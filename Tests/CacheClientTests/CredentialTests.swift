// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import Testing

/// What a client shows to be let in, and what becomes of its calls if that is not enough.
@Suite(.timeLimit(.minutes(1)))
struct CredentialTests {
    @Test(
        arguments: [
            (.none, .none), (.apiKey("smc_key"), .apiKey("smc_key")), (.token("a.b.c"), .token("a.b.c")),
        ] as [(CacheCredential, Credential)])
    func `a hello carries the credential, and a gateway's calls the tenant`(
        given: CacheCredential, sent: Credential
    ) async throws {
        try await ScriptedServer.withServer { server in
            var configuration = ClientConfiguration(server)
            configuration.credential = given
            configuration.tenant = "acme"
            let client = CacheClient(configuration)
            async let ping = client.ping()
            let peer = try await server.nextPeer()
            #expect(try await peer.hello().credential == sent)
            peer.send(.welcome(Welcome(version: 1, serverVersion: "1", embeddingDimensions: 4)))
            let call = try await peer.call()
            #expect(call.tenant == "acme")
            peer.answer(call)
            _ = try await ping
            await client.close()
        }
    }

    @Test(arguments: [false, true])
    func `a credential that is refused fails the call, even of a client that waits for its server`(
        waits: Bool
    ) async throws {
        try await ScriptedServer.withServer { server in
            var configuration = ClientConfiguration(server)
            configuration.waitsForConnection = waits
            configuration.minimumBackoff = .seconds(60)
            configuration.maximumBackoff = .seconds(60)
            let client = CacheClient(configuration)
            async let first = failure { try await client.ping() }
            let peer = try await server.nextPeer()
            _ = try await peer.hello()
            peer.send(.reply(Reply(id: 0, result: .failure(CacheError(.unauthenticated, "the key is not known")))))
            let expected = CacheClientError(.unauthenticated, "the key is not known", origin: .server)
            #expect(await first == expected)
            #expect(await peer.next() == nil)
            // The next call fails at once until the time has come to show the credential again.
            if !waits { #expect(await failure { try await client.ping() } == expected) }
            await client.close()
        }
    }

    @Test func `an error with a time to try again says when`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let error = failure { try await client.ping() }
            let peer = try await server.welcomePeer()
            let call = try await peer.call()
            let full = CacheError(.resourceExhausted, "too many requests", retryAfter: .milliseconds(1500))
            peer.send(.reply(Reply(id: call.id, result: .failure(full))))
            let expected = CacheClientError(
                .resourceExhausted, "too many requests", origin: .server, retryAfter: .milliseconds(1500))
            #expect(await error == expected)
            // The connection is as good as before.
            async let ping = client.ping()
            peer.answer(try await peer.call())
            _ = try await ping
            await client.close()
        }
    }

    @Test func `a hello that is refused for now says when to try again`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let error = failure { try await client.ping() }
            let peer = try await server.nextPeer()
            let full = CacheError(.resourceExhausted, "too many connections", retryAfter: .seconds(1))
            peer.send(.reply(Reply(id: 0, result: .failure(full))))
            #expect(await error?.code == .resourceExhausted)
            #expect(await error?.retryAfter == .seconds(1))
            await client.close()
        }
    }

    @Test func `however it is printed, a credential does not show its secret`() {
        let secret = "5ecret"
        for credential in [CacheCredential.apiKey(secret), .token(secret)] {
            var configuration = ClientConfiguration()
            configuration.credential = credential
            var texts = [
                "\(credential)", String(reflecting: credential), "\(configuration)", String(reflecting: configuration),
                "\([credential])", "\(Optional(credential) as Any)",
            ]
            for subject in [credential, configuration] as [Any] {
                var text = ""
                dump(subject, to: &text)
                texts.append(text)
            }
            #expect(texts.allSatisfy { !$0.contains(secret) })
        }
    }

    /// Nothing listens: a call that would be sent fails with another code.
    @Test func `a configuration that no server can be told is refused, without the secret`() async throws {
        let address = try await ScriptedServer.addressOfNobody()
        let cases: [(CacheCredential, String?, String)] = [
            (.apiKey(""), nil, "api_key is empty"), (.token(""), nil, "token is empty"), (.none, "", "tenant is empty"),
            (.apiKey(String(repeating: "s", count: 513)), nil, "api_key has 513 bytes, the limit is 512"),
            (.token(String(repeating: "s", count: 8193)), nil, "token has 8193 bytes, the limit is 8192"),
            (.token(String(repeating: "s", count: 20 << 20)), nil, "token has 20971520 bytes, the limit is 8192"),
            (.none, String(repeating: "s", count: 513), "tenant has 513 bytes, the limit is 512"),
        ]
        for (credential, tenant, message) in cases {
            var configuration = ClientConfiguration(address)
            configuration.credential = credential
            configuration.tenant = tenant
            let client = CacheClient(configuration)
            let error = await failure { try await client.ping() }
            #expect(error?.code == .invalidArgument && error?.message == message)
            await client.close()
        }
    }
}
