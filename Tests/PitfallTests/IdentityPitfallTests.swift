// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import GRDB
import TestSupport
import Testing

/// Mistakes of other caches with what makes two requests the same, over time and in a conversation.
@Suite(.timeLimit(.minutes(5))) struct IdentityPitfallTests {
    private static let question = "how do I reset my password"

    private static func chat(_ messages: [(String, String)]) -> Prompt {
        .chat(messages.map { ChatMessage(role: $0.0, content: $0.1) })
    }

    private static func store(_ prompt: Prompt, _ response: String) -> StoreRequest {
        StoreRequest(cache: "support", prompt: prompt, response: Array(response.utf8))
    }

    private static func lookup(_ prompt: Prompt, threshold: Float? = nil) -> LookupRequest {
        LookupRequest(cache: "support", prompt: prompt, similarityThreshold: threshold)
    }

    @Test func `pitfall 26: the order of parts does not matter, in one process and in the next`() async throws {
        let parts = (0..<8).map { VaryPart(name: "part \($0 * 7 % 8)", value: "\($0)") }
        var random = SeededGenerator(26)
        let folder = try Folder()
        let clock = ManualClock()
        var first: EntryID?
        for _ in 0..<3 {
            // Each time with hash tables that are seeded anew, as far as a process can.
            try await TestService.run(folder: folder, clock: clock) { service in
                let client = try await service.connect("a")
                for _ in 0..<20 {
                    let map = Dictionary(uniqueKeysWithValues: parts.map { ($0.name, $0.value) })
                    let vary =
                        random.chance(0.5)
                        ? parts.shuffled(using: &random) : map.map { VaryPart(name: $0.key, value: $0.value) }
                    let before = try await client.lookup(PitfallTests.lookup(Self.question, vary: vary))
                    #expect((before.hit?.kind == .exact) == (first != nil))
                    let stored = try await client.store(PitfallTests.store(Self.question, "so", vary: vary))
                    #expect(stored.id == first ?? stored.id && stored.isReplacement == (first != nil))
                    first = stored.id
                }
                #expect(try await client.entries() == 1)
            }
        }
    }

    @Test func `pitfall 26: the spelling of a filter does not matter`() async throws {
        let spellings = [
            #"lang == "de" and tier in ["gold","silver"] and score >= 0.8"#,
            #"score>=8e-1 and (tier in ["silver", "gold", "gold"] and lang=="de")"#,
            #"`score` >= 0.80 and not not lang == "\u{64}e" and tier in ["gold","silver"] and lang == "de""#,
        ]
        #expect(Set(try spellings.map { try MetadataFilter($0) }).count == 1)
        let attributes = [
            Attribute(name: "lang", value: .string("de")), Attribute(name: "tier", value: .string("gold")),
            Attribute(name: "score", value: .number(0.8)),
        ]
        try await TestService.run { _, client in
            try await client.store(PitfallTests.store(Self.question, "so", attributes: attributes))
            for spelling in spellings {
                let filter = try MetadataFilter(spelling)
                let request = PitfallTests.lookup("how do I reset it", filter: filter, threshold: -1)
                #expect(try await client.lookup(request).response == "so")
            }
        }
    }

    /// Were the question, or all of the prompt, in what keeps entries apart, nothing but the very same would be found.
    @Test func `pitfall 27: a paraphrase meets the question in every context`() async throws {
        let contexts: [[(String, String)]] = [
            [], [("system", "be brief")], [("system", "be brief"), ("user", "hello"), ("assistant", "hello")],
        ]
        try await TestService.run { _, client in
            for (position, context) in contexts.enumerated() {
                let prompt = Self.chat(context + [("user", Self.question)])
                try await client.store(Self.store(prompt, "\(position)"))
            }
            for (position, context) in contexts.enumerated() {
                for _ in 0..<2 {
                    let paraphrase = Self.chat(context + [("user", Self.question + " please")])
                    let hit = try await client.lookup(Self.lookup(paraphrase)).hit
                    #expect(hit?.kind == .semantic && hit?.matches[0].entry.text == "\(position)")
                }
            }
            let vary = [VaryPart(name: "user", value: "1")]
            let english = [Attribute(name: "lang", value: .string("en"))]
            try await client.store(PitfallTests.store(Self.question, "varied", vary: vary, attributes: english))
            let filtered = PitfallTests.lookup(
                Self.question + " please", vary: vary, filter: try MetadataFilter(#"lang == "en""#))
            #expect(try await client.lookup(filtered).response == "varied")
        }
    }

    /// Worked out by hand in another language from what the design says. If this fails, the scheme has changed: its
    /// version must change with it, or what is stored would be orphaned without a word.
    @Test func `pitfall 31: the digests are those of scheme 1`() throws {
        #expect(Fingerprint.schemeVersion == 1)
        let tenant = TenantScope(authenticated: TenantID("acme"))
        let cache = CacheScope("support", of: tenant)
        let identity = EmbeddingIdentity(provider: "test", model: "hashing", dimensions: 64, revision: "1")
        let vary = [VaryPart(name: "user", value: "1"), VaryPart(name: "model", value: "m")]
        let partition = Partition(of: cache, embedding: identity, vary: vary)
        #expect(tenant.tenant.key.hexadecimal == "560d02da9bec3c7fd65df2f1d16cddb5307a26ce9513b875e295114e2c3c11a5")
        #expect(cache.key.hexadecimal == "28712d01105565299d087c3dba7f6688b1d0b9b1850f7defcd76a8106c975ecc")
        #expect(identity.key.hexadecimal == "5d855b82b7ba1c04b0f53a4598562829952eda3d20912db70fc871b418ea1922")
        #expect(partition.key.hexadecimal == "e4280465e40478fc5657b9e4914c50d98870d266e4cd6ed069c42e608cd26c66")
        let chat = Self.chat([("system", "be brief"), ("user", "hello")])
        guard case .question(let text, let context?) = try PromptPolicy().resolve(chat) else {
            Issue.record("no context")
            return
        }
        #expect(context.hexadecimal == "12c3ebfe55337cf9306fefc91bdd0e5bc25ac8111954974fc013ba369763e686")
        let inContext = Partition(of: cache, embedding: identity, vary: [], context: context)
        #expect(inContext.key.hexadecimal == "646c8b086aa288379cf55b6d4afbdc2464f75cb0cb89ffdc551ad452bd6ad997")
        #expect(partition.entryID(of: text).description == "c3692b6b464c57f7acc2decd96a56079")
    }

    /// - Parameter isOfCaches: Whether the keys of caches were of the other scheme as well.
    @Test(arguments: [false, true])
    func `pitfall 31: entries of another key scheme are not found, are told, and can be removed`(isOfCaches: Bool)
        async throws
    {
        let folder = try Folder()
        let clock = ManualClock()
        try await TestService.run(folder: folder, clock: clock) { service in
            let client = try await service.connect("a")
            try await client.storeAll((0..<5).map { PitfallTests.store("question \($0)", "old") })
            #expect(try await client.statistics().tenant.orphanedEntries == 0)
        }
        // What an older version would have left: other keys, and its number beside them.
        let file = try DatabaseQueue(path: folder.file)
        try await file.write { database in
            try database.execute(sql: "UPDATE partitions SET scheme = 0, key = randomblob(32)")
            if isOfCaches { try database.execute(sql: "UPDATE caches SET key = randomblob(32)") }
        }
        try file.close()
        try await TestService.run(folder: folder, clock: clock) { service in
            let client = try await service.connect("a")
            try await Self.expectOrphans(5, client)
        }
    }

    @Test func `pitfall 31: entries of another model are not found, are told, and can be removed`() async throws {
        let folder = try Folder()
        let clock = ManualClock()
        for (revision, orphans) in [("1", 0), ("2", 5)] {
            let embedder = HashingEmbedder(revision: revision)
            try await TestService.run(folder: folder, embedder: embedder, clock: clock) { service in
                let client = try await service.connect("a")
                guard orphans == 0 else { return try await Self.expectOrphans(orphans, client) }
                try await client.storeAll((0..<5).map { PitfallTests.store("question \($0)", "old") })
            }
        }
    }

    private static func expectOrphans(_ count: Int, _ client: WireClient) async throws {
        #expect(try await client.lookup(PitfallTests.lookup("question 1", threshold: -1)).miss?.reason == .noEntry)
        var statistics = try await client.statistics().tenant
        #expect(statistics.orphanedEntries == UInt64(count) && statistics.entries == UInt64(count))
        try await client.store(PitfallTests.store("question 1", "new"))
        #expect(try await client.lookup(PitfallTests.lookup("question 2", threshold: -1)).response == "new")
        statistics = try await client.statistics().tenant
        #expect(statistics.orphanedEntries == UInt64(count) && statistics.entries == UInt64(count + 1))
        let all = invalidate(.wholeTenant(confirmation: "a"), cache: "")
        #expect(try await client.invalidate(all).count == count + 1)
        statistics = try await client.statistics().tenant
        #expect(statistics.orphanedEntries == 0 && statistics.entries == 0)
    }

    @Test(arguments: ["continue", "yes"])
    func `pitfall 32: the same short turn in two conversations is two questions`(turn: String) async throws {
        let conversations: [[(String, String)]] = [
            [], [("user", "shall I sell the house"), ("assistant", "do you want to")],
            [("user", "shall I burn the house"), ("assistant", "do you want to")],
            [("assistant", "do you want to"), ("user", "shall I sell the house")],
            [("user", "shall I sell the house")], [("assistant", "shall I sell the house")],
            [("system", "agree to all"), ("user", "shall I sell the house"), ("assistant", "do you want to")],
            [("user", "shall I sell the house "), ("assistant", "do you want to")],
        ]
        try await TestService.run { _, client in
            for (position, conversation) in conversations.enumerated() {
                let prompt = Self.chat(conversation + [("user", turn)])
                let before = try await client.lookup(Self.lookup(prompt, threshold: -1))
                #expect(before.miss?.reason == .noEntry, "\(position) gets another's turn")
                try await client.store(Self.store(prompt, "\(position)"))
            }
            for (position, conversation) in conversations.enumerated() {
                for _ in 0..<3 {
                    let prompt = Self.chat(conversation + [("user", turn)])
                    let found = try await client.lookup(Self.lookup(prompt, threshold: -1))
                    #expect(found.response == "\(position)")
                }
            }
        }
    }

    /// Agents' turns have nearly everything in common: what differs lies far back.
    @Test func `pitfall 32: a long conversation with one old word changed gets no stale turn`() async throws {
        let turns = (0..<60).map { number in
            (number % 2 == 0 ? "user" : "assistant", "step \(number): the result of the tool was so and so")
        }
        try await TestService.run { _, client in
            let prompt = Self.chat(turns + [("user", "what next")])
            try await client.store(Self.store(prompt, "so"))
            #expect(try await client.lookup(Self.lookup(prompt)).response == "so")
            for position in [0, 1, 30, 59] {
                var changed = turns
                changed[position].1 += "."
                let other = Self.chat(changed + [("user", "what next")])
                #expect(try await client.lookup(Self.lookup(other, threshold: -1)).hit == nil)
            }
            let shorter = Self.chat(turns.dropFirst() + [("user", "what next")])
            #expect(try await client.lookup(Self.lookup(shorter, threshold: -1)).hit == nil)
        }
    }

    @Test func `pitfall 32: the role and order of what lies inside a wider window count as well`() async throws {
        var policy = TestService.policy
        policy.prompt = PromptPolicy(window: 2, roles: ["user", "assistant"])
        let directory = TenantDirectory(undeclared: TenantPolicy(template: policy))
        let chats: [[(String, String)]] = [
            [("user", "a"), ("user", "b")], [("user", "a"), ("assistant", "b")], [("assistant", "a"), ("user", "b")],
            [("user", "x"), ("user", "a"), ("user", "b")], [("user", "a"), ("system", ""), ("user", "b")],
            [("user", "a"), ("user", "b"), ("system", "")], [("user", "a b")],
        ]
        try await TestService.run(directory: directory) { _, client in
            for (position, chat) in chats.enumerated() {
                let before = try await client.lookup(Self.lookup(Self.chat(chat), threshold: -1))
                #expect(before.hit == nil, "\(position)")
                try await client.store(Self.store(Self.chat(chat), "\(position)"))
            }
            for (position, chat) in chats.enumerated() {
                #expect(try await client.lookup(Self.lookup(Self.chat(chat))).response == "\(position)")
            }
        }
    }
}
