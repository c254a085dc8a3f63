// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

/// Mistakes of other caches with what is stored, replaced and removed.
@Suite(.timeLimit(.minutes(5))) struct EntryPitfallTests {
    private static let question = "how do I reset my password"

    @Test func `pitfall 20: a removal does not stop after a thousand, or anywhere else`() async throws {
        let count = 2_500
        try await TestService.run { _, client in
            let selectors: [InvalidateRequest.Selector] = [
                .wholeCache, .filter(try MetadataFilter(#"tags contains "doc""#)), .tags(["doc"]),
                .semanticRadius(text("question"), vary: [], similarity: -1, embedding: nil),
                .wholeTenant(confirmation: "a"),
            ]
            for selector in selectors {
                try await client.storeAll((0..<count).map { store("question \($0)", "it", attributes: [tags("doc")]) })
                #expect(try await client.entries() == count)
                let cache = if case .wholeTenant = selector { "" } else { "support" }
                let dry = try await client.invalidate(invalidate(selector, cache: cache, isDryRun: true))
                #expect(dry.count == count && dry.sample.count == Limits.maximumSampleIDs)
                #expect(try await client.entries() == count)
                #expect(try await client.invalidate(invalidate(selector, cache: cache)).count == count)
                #expect(try await client.entries() == 0)
                for number in stride(from: 0, to: count, by: 97) {
                    let found = try await client.lookup(lookup("question \(number)", threshold: -1))
                    #expect(found.hit == nil)
                }
            }
        }
    }

    @Test func `pitfall 20: as many ids as a request may have are all removed`() async throws {
        let count = 1_500
        try await TestService.run { _, client in
            try await client.storeAll((0..<count).map { store("question \($0)", "it") })
            let partition = Partition(
                of: CacheScope("support", of: TenantScope(authenticated: TenantID("a"))),
                embedding: HashingEmbedder().identity, vary: [])
            var random = SeededGenerator(20)
            let known = try (0..<count).map { partition.entryID(of: try CanonicalPrompt("question \($0)")) }
            let unknown = (count..<Limits.maximumEntryIDs).map { _ in random.entryID() }
            let ids = (known + unknown).shuffled(using: &random)
            #expect(try await client.invalidate(invalidate(.ids(ids))).count == count)
            #expect(try await client.entries() == 0)
            let error = try await client.error(.invalidate(invalidate(.ids(ids + [random.entryID()]))))
            #expect(error?.code == .invalidArgument, "more than the limit is refused, not cut off")
        }
    }

    @Test func `pitfall 20: what was written under one spelling is removed under another`() async throws {
        let vary = [VaryPart(name: "model", value: "m"), VaryPart(name: "user", value: "1")]
        let spellings = [
            "caf\u{e9} au lait", "cafe\u{301} au lait", " caf\u{e9}  au\tlait\n", "caf\u{e9}\u{a0}au\u{2003}lait",
        ]
        try await TestService.run { _, client in
            for written in spellings {
                for removed in spellings {
                    try await client.store(store(written, "it", vary: vary))
                    #expect(try await client.lookup(lookup(removed, vary: vary)).hit?.kind == .exact)
                    let selector = InvalidateRequest.Selector.exactPrompt(text(removed), vary: vary.reversed())
                    #expect(try await client.invalidate(invalidate(selector)).count == 1)
                    #expect(try await client.entries() == 0)
                }
            }
        }
    }

    @Test func `pitfall 21: a store replaces the entry of the same question only`() async throws {
        try await TestService.run(grants: [.tenant("a", key: "a"), .tenant("b", key: "b")]) { service in
            let (client, other) = (try await service.connect("a"), try await service.connect("b"))
            try await other.store(store(Self.question, "b's"))
            // So near that each would be taken for the other.
            let near = [Self.question, "\(Self.question)?", "\(Self.question) .", "How do I reset my password"]
            let vectors = HashingEmbedder.embedding(of: Self.question).values
            var ids: Set<EntryID> = []
            for round in 0..<3 {
                for user in ["1", "2"] {
                    for prompt in near {
                        let outcome = try await client.store(
                            StoreRequest(
                                cache: "support", prompt: text(prompt), vary: [VaryPart(name: "user", value: user)],
                                response: Array("\(prompt) of \(user), \(round)".utf8), embedding: vectors))
                        #expect(outcome.isReplacement == (round > 0))
                        ids.insert(outcome.id)
                    }
                }
            }
            #expect(ids.count == 8)
            #expect(try await client.entries() == 8, "duplicates pile up, or neighbours are gone")
            for user in ["1", "2"] {
                for prompt in near {
                    for _ in 0..<2 {
                        let request = lookup(prompt, vary: [VaryPart(name: "user", value: user)])
                        #expect(try await client.lookup(request).response == "\(prompt) of \(user), 2")
                    }
                }
            }
            #expect(try await other.lookup(lookup(Self.question)).response == "b's")
        }
    }

    @Test func `pitfall 23: a question without text is refused, and meets no other`() async throws {
        let empty = ["", " ", "\t\r\n", "\u{a0}\u{2003}\u{3000}"]
        let chats: [[ProtobufBytes]] = [
            empty.map { .said("user", $0) }, [.said("user", "hello"), .said("user", "")],
            [.said("system", "be brief")], [.said("assistant", "hello"), .said("tool", "[]")],
            [.said("user", "hello"), .said("assistant", ""), .said("user", " ")],
        ]
        let prompts =
            empty.map { ProtobufBytes().text(2, $0) }
            + chats.map { $0.reduce(ProtobufBytes()) { $0.message(10, $1) } } + [ProtobufBytes()]
        try await TestService.run { _, client in
            try await client.store(store("hello", "world"))
            for prompt in prompts {
                let asking = ProtobufBytes().text(1, "support").raw(prompt.bytes)
                #expect(try await client.error(.lookup(asking))?.code == .invalidArgument)
                #expect(try await client.error(.lookup(asking.varint(7, 2).float(4, -1)))?.code == .invalidArgument)
            }
            for prompt in empty {
                let store = ProtobufBytes.asking(prompt).text(4, "poison")
                #expect(try await client.error(.store(store))?.code == .invalidArgument)
                let exact = ProtobufBytes().text(1, "support").message(3, ProtobufBytes().text(1, prompt))
                #expect(try await client.error(.invalidate(exact))?.code == .invalidArgument)
            }
            for messages in chats {
                let prompt = Prompt.chat(try messages.map { try Self.message($0) })
                let request = StoreRequest(cache: "support", prompt: prompt, response: [1])
                #expect(try await client.error(.store(request))?.code == .invalidArgument)
            }
            #expect(try await client.entries() == 1)
        }
    }

    /// Reads what `said` has written: both texts are short.
    private static func message(_ bytes: ProtobufBytes) throws -> ChatMessage {
        let role = Int(bytes.bytes[1])
        let texts = [bytes.bytes[2..<2 + role], bytes.bytes[(4 + role)...]]
        let strings = texts.map { String(decoding: $0, as: UTF8.self) }
        return ChatMessage(role: strings[0], content: strings[1])
    }

    @Test func `pitfall 24: nothing stands in for an answer that is not there`() async throws {
        let embedder = ControlledEmbedder { $0.contains("held") }
        try await TestService.run(embedder: embedder) { _, client in
            try await client.store(store(Self.question, "by mail"))
            // Empty, too large, of a wrong vector: refused, and neither the old answer nor anything else is changed.
            let empty = ProtobufBytes.asking(Self.question)
            #expect(try await client.error(.store(empty))?.field == "response")
            #expect(try await client.error(.store(empty.data(4, [])))?.field == "response")
            var wrong = store(Self.question, "wrong")
            wrong.embedding = [1, 2, 3]
            #expect(try await client.error(.store(wrong))?.field == "embedding")
            // An embedder that fails half-way through.
            try await client.send(.store(store("held question", "never")), id: 7)
            await embedder.nextHeld().fail()
            guard case .failure(let error) = try await client.nextReply().result else {
                Issue.record("stored without a vector")
                return
            }
            #expect(error.code == .unavailable)
            // A call that was given up before its answer was there.
            try await client.send(.store(store("held again", "never")), id: 8)
            let held = await embedder.nextHeld()
            try await client.send(.cancel(id: 8))
            #expect(try await client.nextReply().id == 8)
            held.succeed()
            // Lookups that miss leave nothing behind either.
            for prompt in ["never asked", "never stored"] {
                for mode in [LookupRequest.Mode.both, .exact, .both] {
                    #expect(try await client.lookup(lookup(prompt, threshold: 0.99, mode: mode)).hit == nil)
                }
            }
            #expect(try await client.entries() == 1)
            for mode in [LookupRequest.Mode.both, .exact, .semantic] {
                #expect(try await client.lookup(lookup(Self.question, mode: mode)).response == "by mail")
            }
            let all = try await client.lookup(lookup(Self.question, threshold: -1, topK: 100)).responses
            #expect(all == ["by mail"])
        }
    }
}
