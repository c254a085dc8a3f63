// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Logging
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import TokenVerification

/// Keys behind a URL.
struct RemoteKeysTests {
    /// - Parameter deadline: Long, so that a machine that stands still does not cost keys.
    private func verifier(
        _ url: String, _ logger: Logger = silent, deadline: Duration = .seconds(60)
    ) throws -> JSONWebTokenVerifier {
        try JSONWebTokenVerifier(
            configuration([.rs256, .es256], .url(url)), fetchDeadline: deadline, logger: logger)
    }

    @Test func `keys are fetched when a token needs them, and again when they are old`() async throws {
        let issuer = Issuer.es256
        let token = try issuer.token(claims(["exp": "1800000000"]))
        try await KeyServer.withServer(.body(Issuer.keySet(issuer))) { server in
            let verifier = try self.verifier(server.url)
            #expect(server.requests == 0)
            for _ in 0..<3 { #expect(try await verifier.verify(token, at: now).tenant == "acme") }
            #expect(await verifier.refusal(token, at: now + .seconds(599)) == nil)
            #expect(server.requests == 1)
            #expect(await verifier.refusal(token, at: now + .seconds(600)) == nil)
            #expect(server.requests == 2)
            #expect(await verifier.refusal(token, at: now + .seconds(601)) == nil)
            #expect(server.requests == 2)
        }
    }

    @Test func `a hundred verifications at once are one fetch`() async throws {
        let issuer = Issuer.es256
        let token = try issuer.token()
        try await KeyServer.withServer(.late(Issuer.keySet(issuer))) { server in
            let verifier = try self.verifier(server.url)
            let count = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<100 {
                    // Clocks are read before the queue: not all of them show the same.
                    let time = now + .milliseconds(number % 7)
                    group.addTask { (try? await verifier.verify(token, at: time))?.tenant == "acme" }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(count == 100)
            #expect(server.requests == 1)
        }
    }

    @Test func `a rotated key is found at once, and the old one is gone`() async throws {
        let (old, new) = (Issuer.es256, Issuer.otherES256)
        try await KeyServer.withServer(.body(Issuer.keySet(old))) { server in
            let verifier = try self.verifier(server.url)
            #expect(try await verifier.refusal(old.token()) == nil)
            server.answer = .body(Issuer.keySet(new))
            #expect(try await verifier.verify(new.token(), at: now + .seconds(30)).tenant == "acme")
            #expect(server.requests == 2)
            #expect(try await verifier.refusal(old.token(), at: now + .seconds(31)) == .unknownKey)
        }
    }

    @Test func `a key that is withdrawn is trusted no longer than until the next fetch`() async throws {
        let (old, new) = (Issuer.es256, Issuer.otherES256)
        let token = try old.token(claims(["exp": "1800000000"]))
        try await KeyServer.withServer(.body(Issuer.keySet(old, new))) { server in
            let verifier = try self.verifier(server.url)
            let key = try #require(try await verifier.verify(token, at: now).key)
            server.answer = .body(Issuer.keySet(new))
            await verifier.refresh(at: now + .seconds(599))
            #expect(verifier.trusts(key))
            await verifier.refresh(at: now + .seconds(600))
            #expect(!verifier.trusts(key))
            #expect(server.requests == 2)
        }
    }

    @Test func `a key that is withdrawn is not trusted once the configuration was read again`() async throws {
        let (old, new) = (Issuer.es256, Issuer.otherES256)
        let token = try old.token(claims(["exp": "1800000000"]))
        try await KeyServer.withServer(.body(Issuer.keySet(old, new))) { server in
            let verifier = try self.verifier(server.url)
            let key = try #require(try await verifier.verify(token, at: now).key)
            let other = try #require(try await verifier.verify(new.token(), at: now).key)
            server.answer = .body(Issuer.keySet(new))
            let configuration = configuration([.rs256, .es256], .url(server.url))
            let next = try JSONWebTokenVerifier(configuration, succeeding: verifier, logger: silent)
            #expect(next.identity == verifier.identity)
            await next.refresh(at: now + .seconds(1))
            #expect(!next.trusts(key))
            #expect(next.trusts(other), "whoever has the new one is not disturbed")
        }
    }

    @Test func `strangers with invented keys cause a fetch in thirty seconds, not more`() async throws {
        let issuer = Issuer.es256
        let token = try issuer.token(header: "{\"alg\":\"ES256\",\"kid\":\"invented\"}")
        try await KeyServer.withServer(.late(Issuer.keySet(issuer))) { server in
            let verifier = try self.verifier(server.url)
            for second in [0, 1, 29] {
                #expect(await verifier.refusal(token, at: now + .seconds(second)) == .unknownKey)
            }
            #expect(server.requests == 1)
            let count = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<100 {
                    let time = now + .seconds(30) + .milliseconds(number % 7)
                    group.addTask { await verifier.refusal(token, at: time) == .unknownKey }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(count == 100)
            #expect(server.requests == 2)
            // One without a name and one whose signature is wrong cause none.
            let (nameless, forger) = ("{\"alg\":\"RS256\"}", Issuer.otherES256)
            #expect(try await verifier.refusal(issuer.token(header: nameless), at: now + .seconds(90)) == .unknownKey)
            let forged = try forger.token(header: "{\"alg\":\"ES256\",\"kid\":\"ec-1\"}")
            #expect(await verifier.refusal(forged, at: now + .seconds(90)) == .signature)
            #expect(server.requests == 2)
        }
    }

    @Test(
        arguments: [
            (KeyServer.Answer.status(.internalServerError), "status"), (.status(.notFound), "status"),
            (.status(.found, location: "http://127.0.0.1:1/"), "status"),
            (.bytes(300_000, isAnnounced: true), "too large"),
            (.bytes(300_000, isAnnounced: false), "too large"), (.bytes(200_000, isAnnounced: true), "malformed"),
            (.body("{\"keys\":7}"), "malformed"), (.body(""), "malformed"), (.body("[]"), "malformed"),
            (.close, "unreachable"), (.noise, "unreachable"),
        ] as [(KeyServer.Answer, String)])
    func `a server that misbehaves lets nobody in, and the old keys stay`(
        answer: KeyServer.Answer, reason: String
    ) async throws {
        let issuer = Issuer.es256
        let token = try issuer.token(claims(["exp": "1800000000"]))
        let log = RecordedLog()
        try await KeyServer.withServer(answer) { server in
            let fresh = try self.verifier(server.url)
            #expect(await fresh.refusal(token) == .keys)
            server.answer = .body(Issuer.keySet(issuer))
            #expect(await fresh.refusal(token, at: now + .milliseconds(999)) == .keys)
            #expect(await fresh.refusal(token, at: now + .seconds(1)) == nil)

            let verifier = try self.verifier(server.url, log.logger)
            #expect(await verifier.refusal(token) == nil)
            server.answer = answer
            let requests = server.requests
            for second in [600, 629, 86_399] {
                #expect(await verifier.refusal(token, at: now + .seconds(second)) == nil)
            }
            #expect(server.requests == requests + 2)
            #expect(await verifier.refusal(token, at: now + .seconds(86_400)) == .keys)
            server.answer = .body(Issuer.keySet(issuer))
            #expect(await verifier.refusal(token, at: now + .seconds(86_500)) == nil)
        }
        #expect(
            log.lines == [
                "info token keys fetched keys=1", "warning token keys cannot be fetched error.code=\(reason) keys=1",
                "warning token keys cannot be fetched error.code=\(reason) keys=0", "info token keys fetched keys=1",
            ])
    }

    @Test(arguments: [KeyServer.Answer.silence, .unfinished])
    func `a server that takes too long holds up nobody beyond the handshake`(answer: KeyServer.Answer) async throws {
        let token = try Issuer.es256.token()
        let log = RecordedLog()
        try await KeyServer.withServer(answer) { server in
            let verifier = try self.verifier(server.url, log.logger, deadline: Limits.keyFetchDeadline)
            let start = ContinuousClock.now
            #expect(await verifier.refusal(token) == .keys)
            #expect(Limits.keyFetchDeadline < Limits.handshakeDeadline)
            // With room for a busy machine.
            #expect(ContinuousClock.now - start < .seconds(60))
        }
        #expect(log.lines == ["warning token keys cannot be fetched error.code=timeout keys=0"])
    }

    @Test func `where nobody listens there are no keys`() async throws {
        let token = try Issuer.es256.token()
        #expect(try await self.verifier(KeyServer.goneURL()).refusal(token) == .keys)
        let issuer = Issuer.es256
        try await KeyServer.withServer(.body(Issuer.keySet(issuer))) { server in
            // Nor where what answers does not encrypt.
            let verifier = try self.verifier(
                server.url.replacing("http:", with: "https:"), deadline: Limits.keyFetchDeadline)
            #expect(await verifier.refusal(token) == .keys)
        }
    }

    @Test func `a redirect is not followed`() async throws {
        let issuer = Issuer.es256
        try await KeyServer.withServer(.body(Issuer.keySet(issuer))) { other in
            try await KeyServer.withServer(.status(.movedPermanently, location: other.url)) { server in
                let verifier = try self.verifier(server.url)
                #expect(try await verifier.refusal(issuer.token()) == .keys)
                #expect(server.requests == 1)
            }
            #expect(other.requests == 0)
        }
    }

    @Test func `an issuer that withdraws all of its keys is obeyed`() async throws {
        let issuer = Issuer.es256
        try await KeyServer.withServer(.body(Issuer.keySet(issuer))) { server in
            let verifier = try self.verifier(server.url)
            #expect(try await verifier.refusal(issuer.token()) == nil)
            server.answer = .body("{\"keys\":[]}")
            #expect(try await verifier.refusal(issuer.token(), at: now + .seconds(600)) == .keys)
        }
    }

    @Test func `a successor fetches the keys before its first token`() async throws {
        let (old, new) = (Issuer.es256, Issuer.otherES256)
        try await KeyServer.withServer(.body(Issuer.keySet(old))) { server in
            let verifier = try self.verifier(server.url)
            #expect(try await verifier.refusal(old.token()) == nil)
            server.answer = .body(Issuer.keySet(new))
            let successor = try JSONWebTokenVerifier(
                configuration([.rs256, .es256], .url(server.url)), succeeding: verifier, logger: silent)
            #expect(successor.identity == verifier.identity)
            #expect(try await successor.refusal(old.token(), at: now + .seconds(1)) == .unknownKey)
            #expect(server.requests == 2)
        }
    }

    @Test func `a successor has the keys of before if they cannot be fetched`() async throws {
        let issuer = Issuer.es256
        let token = try issuer.token()
        try await KeyServer.withServer(.body(Issuer.keySet(issuer))) { server in
            let verifier = try self.verifier(server.url)
            #expect(await verifier.refusal(token) == nil)
            server.answer = .close
            var changed = configuration([.rs256, .es256], .url(server.url))
            changed.leeway = .zero
            let successor = try JSONWebTokenVerifier(changed, succeeding: verifier, logger: silent)
            #expect(await successor.refusal(token) == nil)
            #expect(server.requests == 2)
            // Other algorithms are other keys.
            changed.algorithms = [.es256]
            let other = try JSONWebTokenVerifier(changed, succeeding: verifier, logger: silent)
            #expect(await other.refusal(token) == .keys)
        }
    }

    @Test func `a clock that is set back does not stop the fetches`() async throws {
        let issuer = Issuer.es256
        let token = try issuer.token()
        try await KeyServer.withServer(.body(Issuer.keySet(issuer))) { server in
            let verifier = try self.verifier(server.url)
            #expect(await verifier.refusal(token) == nil)
            #expect(await verifier.refusal(token, at: now + .seconds(-3600)) == nil)
            #expect(server.requests == 2)
        }
    }
}
