// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

@Suite struct FilterTests {
    private let fixture = EngineFixture()

    private func store(_ prompt: String, _ response: String, language: String, tags: [String] = []) async throws {
        let request = StoreRequest(
            cache: "c", prompt: .text(try CanonicalPrompt(prompt)), response: Array(response.utf8),
            attributes: [
                Attribute(name: "lang", value: .string(language)),
                Attribute(name: Attribute.tagsName, value: .strings(tags)),
            ])
        _ = try await self.fixture.engine.store(request, scope: self.fixture.scope, by: .now + .seconds(30))
    }

    private func lookup(
        _ prompt: String, _ filter: String?, mode: LookupRequest.Mode = .both
    ) async throws -> LookupOutcome {
        let request = LookupRequest(
            cache: "c", prompt: .text(try CanonicalPrompt(prompt)), filter: try filter.map { try MetadataFilter($0) },
            similarityThreshold: 0.5, mode: mode)
        return try await self.fixture.engine.lookup(request, scope: self.fixture.scope, by: .now + .seconds(30))
    }

    @Test func `an exact hit that the filter does not take is none, in memory and in the store`() async throws {
        try await self.store("where is my order", "english", language: "en")
        for _ in 0..<2 {
            #expect(try await self.lookup("where is my order", "lang == \"de\"").miss?.reason == .filtered)
            #expect(
                try await self.lookup("where is my order", "lang == \"de\"", mode: .exact).miss?.reason == .filtered)
            #expect(try await self.lookup("where is my order", nil).text == "english")
        }
    }

    @Test func `a farther entry that the filter takes is served past a nearer one that it does not`() async throws {
        try await self.store("where is my order", "english", language: "en")
        try await self.store("where is the order", "german", language: "de")
        let hit = try await self.lookup("where is my order", "lang == \"de\"").hit
        #expect(hit?.kind == .semantic)
        #expect(hit?.matches[0].entry.response == Array("german".utf8))
        // What a filter led to is not remembered for those without one, nor for another.
        #expect(try await self.lookup("where is my order", nil).text == "english")
        #expect(try await self.lookup("where is my order now", "lang == \"de\"").text == "german")
        #expect(try await self.lookup("where is my order now", "lang == \"en\"").text == "english")
    }

    @Test func `what was answered without a filter is not served to one that refuses it`() async throws {
        try await self.store("where is my order", "english", language: "en")
        for _ in 0..<2 { #expect(try await self.lookup("where is my order now", nil).text == "english") }
        #expect(try await self.lookup("where is my order now", "lang == \"de\"").miss?.reason == .filtered)
    }

    @Test func `invalidate by filter and by tags removes those from the store and from memory`() async throws {
        try await self.store("where is my order", "1", language: "en", tags: ["doc-1", "doc-2"])
        try await self.store("how do I pay", "2", language: "en", tags: ["doc-2"])
        try await self.store("when do you open", "3", language: "de", tags: ["doc-3"])
        for prompt in ["where is my order", "how do I pay", "when do you open"] {
            #expect(try await self.lookup(prompt, nil).hit != nil)
        }
        #expect(try await self.fixture.invalidate(.tags(["doc-1", "doc-9"]), dryRun: true).count == 1)
        #expect(try await self.fixture.invalidate(.tags(["doc-1", "doc-9"])).count == 1)
        #expect(try await self.lookup("where is my order", nil, mode: .exact).hit == nil)
        #expect(try await self.lookup("how do I pay", nil, mode: .exact).hit != nil)
        let filter = try MetadataFilter("lang == \"en\" and tags contains \"doc-2\"")
        #expect(try await self.fixture.invalidate(.filter(filter)).count == 1)
        #expect(try await self.lookup("how do I pay", nil, mode: .exact).hit == nil)
        #expect(try await self.lookup("when do you open", nil, mode: .exact).hit != nil)
    }

    @Test func `a chat's context keeps its entries apart, and too long a chat is bypassed`() async throws {
        let policy = CachePolicy(prompt: PromptPolicy(maximumMessages: 3))
        let fixture = EngineFixture(policy: policy)
        func chat(_ system: String, _ more: [ChatMessage] = []) -> Prompt {
            .chat([ChatMessage(role: "system", content: system)] + more + [ChatMessage(role: "user", content: "yes")])
        }
        let store = StoreRequest(cache: "c", prompt: chat("sell the house"), response: [1])
        _ = try await fixture.engine.store(store, scope: fixture.scope, by: .now + .seconds(30))
        func ask(_ prompt: Prompt) async throws -> LookupOutcome {
            try await fixture.engine.lookup(
                LookupRequest(cache: "c", prompt: prompt), scope: fixture.scope, by: .now + .seconds(30))
        }
        for _ in 0..<2 {
            #expect(try await ask(chat("sell the house")).hit?.kind == .exact)
            #expect(try await ask(chat("burn the house")).miss?.reason == .noEntry)
            #expect(try await ask(.text(CanonicalPrompt("yes"))).miss?.reason == .noEntry)
        }
        let long = chat("sell the house", Array(repeating: ChatMessage(role: "user", content: "no"), count: 2))
        #expect(try await ask(long) == .bypass(LookupBypass(messages: 4, limit: 3)))
        await #expect {
            _ = try await fixture.engine.store(
                StoreRequest(cache: "c", prompt: long, response: [1]), scope: fixture.scope, by: .now + .seconds(30))
        } throws: {
            ($0 as? CacheError)?.code == .failedPrecondition
        }
        let statistics = try await fixture.engine.statistics(cache: "c", scope: fixture.scope)
        #expect(statistics.caches.map(\.bypasses) == [1])
    }
}
