// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import EmbeddedStore
import Logging
import Synchronization
import TestSupport
import Testing

/// Refuses every token, and says so as a verifier should.
private struct NoTokens: TokenVerifier {
    let identity = TenantID("issuer").key

    func trusts(_ key: Digest) -> Bool { true }
    func refresh(at now: Timestamp) async {}

    func verify(_ token: String, at now: Timestamp) async throws(CacheError) -> VerifiedToken {
        throw CacheError(.unauthenticated, "the token is not genuine")
    }
}

@Suite(.timeLimit(.minutes(5))) struct SecrecyPitfallTests {
    private static let key = "smc_Key7Secret"
    /// Each of them in no other text than where it belongs.
    private static let secrets = [
        Self.key, "Key8Secret", "Token9Secret", "Prompt1Secret", "Response2Secret", "Attribute3Secret",
        "Filter4Secret", "Vary5Secret", "Tag6Secret", "System0Secret", "Held1Secret",
    ]

    /// Calls that are answered, and calls of which each is wrong in a way of its own.
    private static func requests() throws -> [ServiceRequest] {
        let vary = [VaryPart(name: "user", value: "Vary5Secret")]
        let attributes = [Attribute(name: "n", value: .string("Attribute3Secret")), tags("Tag6Secret")]
        let chat = Prompt.chat([
            ChatMessage(role: "system", content: "System0Secret"), ChatMessage(role: "user", content: "Prompt1Secret"),
        ])
        return [
            .store(store("what is Prompt1Secret", "Response2Secret", vary: vary, attributes: attributes)),
            .lookup(lookup("what is Prompt1Secret", vary: vary)), .lookup(lookup("what is Prompt1Secret", vary: vary)),
            .lookup(lookup("Prompt1Secret", vary: vary, filter: try MetadataFilter(#"n == "Filter4Secret""#))),
            .lookup(LookupRequest(cache: "support", prompt: chat)),
            .store(StoreRequest(cache: "support", prompt: chat, response: Array("Response2Secret".utf8))),
            .store(store("Prompt1Secret", String(repeating: "Response2Secret", count: 20_000))),
            .lookup(LookupRequest(cache: "support", prompt: text("Prompt1Secret"), embedding: [1, 2])),
            .lookup(lookup("Prompt1Secret", cache: "Prompt1Secret")),
            .lookup(LookupRequest(cache: "support", prompt: .chat([ChatMessage(role: "x", content: "Prompt1Secret")]))),
            .lookup(
                LookupRequest(
                    cache: "support",
                    prompt: .chat(Array(repeating: ChatMessage(role: "user", content: "Prompt1Secret"), count: 5)))),
            .lookup(lookup("Prompt1Secret Held1Secret")), .store(store("Prompt1Secret Held1Secret", "Response2Secret")),
            .invalidate(invalidate(.tags(["Tag6Secret"]), isDryRun: true)),
            .invalidate(invalidate(.wholeTenant(confirmation: "Prompt1Secret"), cache: "")),
            .invalidate(
                invalidate(.semanticRadius(text("Prompt1Secret"), vary: vary, similarity: 0.9, embedding: [1]))),
            .stats(cache: "Prompt1Secret"),
        ]
    }

    private static func malformed() -> [ProtobufBytes] {
        let asking = ProtobufBytes.asking("Prompt1Secret")
        let vary = ProtobufBytes().text(1, "n").text(2, "Vary5Secret")
        return [
            .lookup(asking.text(9, "n == \"Filter4Secret")), .lookup(asking.text(9, "Filter4Secret = 1")),
            .lookup(asking.text(9, String(repeating: "Filter4Secret or ", count: 400) + "x")),
            .lookup(ProtobufBytes().text(1, "support").data(2, Array("Prompt1Secret".utf8) + [0xff])),
            .lookup(ProtobufBytes().text(1, "support").data(2, Array("Prompt1Secret".utf8) + [0])),
            .lookup(asking.message(3, vary).message(3, vary)), .lookup(asking.varint(7, 9)),
            .lookup(asking.text(1, String(repeating: "Prompt1Secret", count: 50))),
            .lookup(asking.text(2, String(repeating: "Prompt1Secret", count: 6000))),
            .lookup(asking.message(10, .said("user", "Prompt1Secret"))),
            .store(asking), .store(asking.text(4, "Response2Secret").varint(8, UInt64.max)),
            .invalidate(ProtobufBytes().text(1, "support").message(2, ProtobufBytes().text(1, "Prompt1Secret"))),
            .invalidate(asking), .invalidate(ProtobufBytes().text(1, "support").text(6, "n == Filter4Secret")),
        ]
    }

    private static func expectSilence(_ texts: [String], _ what: String) {
        for text in texts {
            for secret in Self.secrets where text.contains(secret) {
                Issue.record("\(secret) is in \(what): \(text)")
            }
        }
    }

    /// Plays strangers: what is said to them, and how many there were.
    private static func intrude(_ service: TestService) async throws -> [String] {
        var said: [String] = []
        let openings: [[UInt8]] = [
            ProtobufBytes.hello(ProtobufBytes().text(4, "Key8Secret")).frame,
            ProtobufBytes.hello(ProtobufBytes().text(4, Self.key + " ")).frame,
            ProtobufBytes.hello(ProtobufBytes().text(5, "Token9Secret")).frame,
            ProtobufBytes.hello(ProtobufBytes().text(4, String(repeating: "Key8Secret", count: 100))).frame,
            ProtobufBytes.hello(ProtobufBytes().text(5, String(repeating: "Token9Secret", count: 1000))).frame,
            ProtobufBytes.hello(ProtobufBytes().data(4, Array("Key8Secret".utf8) + [0xff])).frame,
            Array("GET /?key=Key8Secret HTTP/1.1\r\nAuthorization: Bearer Token9Secret\r\n\r\n".utf8),
            ProtobufBytes.lookup(.asking("Prompt1Secret")).frame,
        ]
        for opening in openings {
            let stranger = try await WireClient.connect(to: service.address)
            try await stranger.send(bytes: opening)
            let message = try await stranger.next()
            said.append("\(String(describing: message))")
            #expect(try await stranger.next() == nil)
        }
        return said
    }

    @Test func `pitfall 13: no secret, prompt or response gets into a log line or an error's text`() async throws {
        let book = RecordedLog()
        let embedder = ControlledEmbedder { $0.contains("Held1Secret") }
        var policy = TestService.policy
        policy.maximumResponseBytes = 100_000
        policy.prompt = PromptPolicy(maximumMessages: 4)
        var tenant = TenantPolicy()
        tenant.declare("support", policy)
        let directory = TenantDirectory(undeclared: tenant)
        let grants = [APIKeyGrant.tenant("a", key: Self.key)]
        try await TestService.run(
            embedder: embedder, directory: directory, grants: grants, tokens: NoTokens(), logger: book.logger
        ) { service in
            let client = try await service.connect(Self.key)
            async let failing: Void = { for _ in 0..<2 { await embedder.nextHeld().fail() } }()
            var errors = try await Self.intrude(service)
            for request in try Self.requests() {
                guard let error = try await client.error(request) else { continue }
                errors.append("\(error) \(error.field ?? "")")
            }
            await failing
            for call in Self.malformed() {
                let error = try await client.error(call)
                #expect(error != nil, "\(call)")
                errors.append("\(String(describing: error))")
            }
            // A store that is gone, so that everything fails.
            await service.store.close()
            for request in try Self.requests().prefix(4) {
                if let error = try await client.error(request) { errors.append("\(error)") }
            }
            // Bytes that end the connection.
            try await client.send(bytes: framed(Array("Prompt1Secret".utf8)))
            errors.append("\(String(describing: try await client.next()))")
            #expect(errors.count > 25)
            Self.expectSilence(errors, "an error")
        }
        #expect(book.lines.contains { $0.contains("credential refused") }, "the book is not kept")
        #expect(book.lines.contains { $0.contains("calls degrade or fail") })
        Self.expectSilence(book.lines, "the log")
    }
}
