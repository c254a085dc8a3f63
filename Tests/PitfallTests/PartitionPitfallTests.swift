// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import Synchronization
import TestSupport
import Testing

/// Mistakes of other caches with what keeps entries apart.
@Suite(.timeLimit(.minutes(5))) struct PartitionPitfallTests {
    private static func part(_ name: String, _ value: String) -> VaryPart { VaryPart(name: name, value: value) }

    private static func chat(_ messages: (String, String)...) -> Prompt {
        .chat(messages.map { ChatMessage(role: $0.0, content: $0.1) })
    }

    /// Remembers what it was asked to embed.
    private final class Witness: Embedder {
        private let inner = HashingEmbedder()
        private let seen = Mutex<[String]>([])

        var identity: EmbeddingIdentity { self.inner.identity }
        var concurrency: Int { self.inner.concurrency }
        var batchLimit: Int { self.inner.batchLimit }
        var texts: [String] { self.seen.withLock { $0 } }

        func embed(
            _ texts: [String], by deadline: ContinuousClock.Instant,
            completion: @escaping @Sendable (EmbeddingResults) -> Void
        ) {
            self.seen.withLock { $0 += texts }
            self.inner.embed(texts, by: deadline, completion: completion)
        }
    }

    /// Stores an answer to each of the questions, and expects that each finds its own only, however low the threshold.
    private static func expectApart(_ questions: [LookupRequest], _ client: WireClient) async throws {
        for (position, question) in questions.enumerated() {
            let before = try await client.lookup(question)
            #expect(before.miss?.reason == .noEntry, "\(position) finds another's answer: \(before)")
            try await client.store(
                StoreRequest(
                    cache: question.cache, prompt: question.prompt, vary: question.vary, response: [UInt8(position)]))
        }
        for (position, question) in questions.enumerated() {
            // From the store, from memory, by meaning.
            for mode in [LookupRequest.Mode.both, .both, .semantic] {
                var request = question
                request.mode = mode
                request.topK = mode == .semantic ? 100 : 1
                let matches = try await client.lookup(request).hit?.matches ?? []
                #expect(matches.map(\.entry.response) == [[UInt8(position)]], "\(position): \(question)")
            }
        }
    }

    @Test func `pitfall 4: isolation is not a matter of similarity`() async throws {
        let witness = Witness()
        try await TestService.run(embedder: witness, grants: [.tenant("a", key: "a"), .tenant("b", key: "b")]) {
            service in
            let (own, other) = (try await service.connect("a"), try await service.connect("b"))
            try await other.store(store("what is my balance", "b's"))
            try await own.store(store("what is my balance", "user 1's", vary: [Self.part("user", "1")]))
            for vary in [[], [Self.part("user", "2")]] {
                let found = try await own.lookup(lookup("what is my balance", vary: vary, threshold: -1))
                #expect(found.miss?.reason == .noEntry && found.miss?.nearest == nil)
            }
            // What is embedded says nothing of whose it is, so near and far are of the question alone.
            #expect(Set(witness.texts) == ["what is my balance"])
        }
    }

    @Test func `pitfall 6: parts that read the same when put together are kept apart`() async throws {
        let lists: [[VaryPart]] = [
            [], [Self.part("user", "1")], [Self.part("user1", "")], [Self.part("use", "r1")], [Self.part("u", "ser1")],
            [Self.part("a", "b"), Self.part("c", "d")], [Self.part("a", "bc"), Self.part("d", "")],
            [Self.part("a", "bcd")], [Self.part("ab", "cd")], [Self.part("a", "b,c=d")], [Self.part("a", "b|c|d")],
            [Self.part("team", "A")], [Self.part("user", "A")], [Self.part("user", "1"), Self.part("team", "")],
            [Self.part("a", "c"), Self.part("b", "d")], [Self.part("a", "d"), Self.part("b", "c")],
        ]
        try await TestService.run { _, client in
            let sameText = lists.map { lookup("hello", vary: $0, threshold: -1) }
            let moved = [
                lookup("hello", cache: "supportuser", vary: [Self.part("1", "")], threshold: -1),
                lookup("hello", cache: "supportuser1", threshold: -1), lookup("hello", cache: "suppor", threshold: -1),
            ]
            try await Self.expectApart(sameText + moved, client)
        }
        // ("hello", user 1) and ("hellouser1", nothing), and tenants and caches whose names meet.
        var ids: Set<EntryID> = []
        let identity = HashingEmbedder().identity
        let names = ["", "a", "ab", "abc", "b", "bc", "c"]
        for tenant in names {
            for cache in names {
                let scope = CacheScope(cache, of: TenantScope(authenticated: TenantID(tenant)))
                for vary in [[], [Self.part("user", "1")], [Self.part("user1", "")]] {
                    let partition = Partition(of: scope, embedding: identity, vary: vary)
                    for prompt in ["hello", "hellouser1", "hellouser", "1"] {
                        ids.insert(partition.entryID(of: try CanonicalPrompt(prompt)))
                    }
                }
            }
        }
        #expect(ids.count == 7 * 7 * 3 * 4)
    }

    @Test func `pitfall 6: chats that read the same when put together are kept apart`() async throws {
        let chats = [
            Self.chat(("system", "a"), ("user", "yes")), Self.chat(("system", ""), ("user", "yes")),
            Self.chat(("system", "a"), ("system", ""), ("user", "yes")),
            Self.chat(("system", ""), ("system", "a"), ("user", "yes")),
            Self.chat(("systema", ""), ("user", "yes")), Self.chat(("assistant", "a"), ("user", "yes")),
            Self.chat(("system", "ab"), ("assistant", "c"), ("user", "yes")),
            Self.chat(("system", "a"), ("assistant", "bc"), ("user", "yes")),
            Self.chat(("system", "a\nassistant: bc"), ("user", "yes")),
            Self.chat(("user", "yes"), ("system", "a")), Self.chat(("user", "yes"), ("assistant", "a")),
            Self.chat(("user", "a"), ("user", "yes")), .text(try CanonicalPrompt("yes")),
        ]
        try await TestService.run { _, client in
            let questions = chats.map {
                LookupRequest(cache: "support", prompt: $0, similarityThreshold: -1)
            }
            try await Self.expectApart(questions, client)
        }
    }

    /// Two of many partitions have 32 bits of their digests in common (the birthday paradox): were those all that counts,
    /// one would answer for the other.
    @Test(arguments: [0, 3])
    func `pitfall 7: partitions that share 32 bits of their digests are kept apart`(word: Int) async throws {
        let scope = CacheScope("support", of: TenantScope(authenticated: TenantID("a")))
        let identity = HashingEmbedder().identity
        var known: [UInt32: Int] = [:]
        var pairs: [(Int, Int)] = []
        for number in 0..<400_000 where pairs.count < 3 {
            let vary = [Self.part("user", "\(number)")]
            let words = Partition(of: scope, embedding: identity, vary: vary).key.words
            let bits = word == 0 ? UInt32(words.0 >> 32) : UInt32(truncatingIfNeeded: words.3)
            if let other = known.updateValue(number, forKey: bits) { pairs.append((other, number)) }
        }
        #expect(pairs.count >= 1, "400,000 digests of which no two share 32 bits: are they random?")
        try await TestService.run { _, client in
            for (left, right) in pairs {
                let questions = [left, right].map {
                    lookup("what is my balance", vary: [Self.part("user", "\($0)")], threshold: -1)
                }
                try await Self.expectApart(questions, client)
            }
        }
    }

    @Test func `pitfall 7: digests are 256 bits wide, ids 128, and no bit is left out`() {
        let scope = TenantScope(authenticated: TenantID("a"))
        let keys = (0..<2000).map { CacheScope("\($0)", of: scope).key }
        for byte in 0..<32 { #expect(Set(keys.map { $0.bytes[byte] }).count > 240, "byte \(byte)") }
        // Equality looks at all of it.
        let words = keys[0].words
        for other in [
            (words.0 ^ 1, words.1, words.2, words.3), (words.0, words.1 ^ 1, words.2, words.3),
            (words.0, words.1, words.2 ^ 1, words.3), (words.0, words.1, words.2, words.3 ^ 1),
        ] {
            #expect(Digest(words: other) != keys[0])
        }
        let id = EntryID(keys[0])
        #expect(id != EntryID(high: id.high ^ 1, low: id.low) && id != EntryID(high: id.high, low: id.low ^ 1))
    }

    @Test func `pitfall 8: a cache whose name begins or matches another's takes nothing of it`() async throws {
        let names = ["tenant1", "tenant10", "tenant1:", "tenant1*", "tenant?", "[t]enant1", "*", "t", "tenant1\n", "%"]
        try await TestService.run { _, client in
            for name in names {
                try await client.storeAll((0..<3).map { store("question \($0)", "of \(name)", cache: name) })
            }
            for (position, name) in names.enumerated() {
                #expect(try await client.invalidate(invalidate(.wholeCache, cache: name)).count == 3)
                for (other, cache) in names.enumerated() {
                    let found = try await client.lookup(lookup("question 1", cache: cache, threshold: -1))
                    #expect(found.response == (other <= position ? nil : "of \(cache)"))
                }
                let sizes = try await client.statistics().caches.filter { $0.entries > 0 }
                #expect(Set(sizes.map(\.cache)) == Set(names[(position + 1)...]))
            }
        }
    }

    @Test func `pitfall 9: model, parameters, tools, format, user and system prompt make another question`()
        async throws
    {
        let full = [
            ("model", "gpt-4o"), ("temperature", "0.2"), ("tools", #"[{"name":"search"}]"#),
            ("response_format", "json"), ("user", "1"), ("seed", "7"),
        ]
        var lists = [full.map { Self.part($0.0, $0.1) }]
        for position in full.indices {
            // Another value, none, and the part left out.
            for value in [full[position].1 + " ", "", nil] as [String?] {
                var parts = lists[0]
                parts[position] = Self.part(full[position].0, value ?? "")
                if value == nil { parts.remove(at: position) }
                lists.append(parts)
            }
        }
        let prompts = [
            Self.chat(("user", "what is it")), Self.chat(("system", "be brief"), ("user", "what is it")),
            Self.chat(("system", "be brief "), ("user", "what is it")),
            Self.chat(("developer", "be brief"), ("user", "what is it")),
            Self.chat(("tool", "be brief"), ("user", "what is it")),
        ]
        try await TestService.run { _, client in
            let byVary = lists.map { lookup("what is it", vary: $0, threshold: -1) }
            try await Self.expectApart(byVary, client)
            let byChat = prompts.map { LookupRequest(cache: "chats", prompt: $0, similarityThreshold: -1) }
            try await Self.expectApart(byChat, client)
        }
    }
}
