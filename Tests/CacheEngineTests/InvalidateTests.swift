// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

@Suite struct InvalidateTests {
    private let fixture = EngineFixture()
    private let question = "how do I reset the password of my account"
    private let paraphrase = "how do I reset the password of our account"

    /// Stores the question and makes memory know it, and the paraphrase's answer by it.
    private func warm() async throws -> EntryID {
        let id = try await self.fixture.store(self.question, "so").id
        for _ in 0..<2 { #expect(try await self.fixture.lookup(self.question).hit != nil) }
        for _ in 0..<2 { #expect(try await self.fixture.lookup(self.paraphrase).hit != nil) }
        return id
    }

    private func expectGone() async throws {
        #expect(try await self.fixture.lookup(self.question).hit == nil)
        #expect(try await self.fixture.lookup(self.paraphrase).hit == nil)
    }

    @Test func `by id`() async throws {
        let id = try await self.warm()
        #expect(try await self.fixture.invalidate(.ids([id])).count == 1)
        try await self.expectGone()
    }

    @Test func `by exact prompt`() async throws {
        let id = try await self.warm()
        let outcome = try await self.fixture.invalidate(
            .exactPrompt(.text(CanonicalPrompt(" " + self.question)), vary: []))
        #expect(outcome == InvalidateOutcome(count: 1, sample: [id], isDryRun: false))
        try await self.expectGone()
    }

    @Test func `by semantic radius`() async throws {
        _ = try await self.warm()
        let selector = InvalidateRequest.Selector.semanticRadius(
            try .text(CanonicalPrompt(self.paraphrase)), vary: [], similarity: 0.85, embedding: nil)
        #expect(try await self.fixture.invalidate(selector).count == 1)
        try await self.expectGone()
    }

    @Test func `the whole cache and no other`() async throws {
        _ = try await self.warm()
        try await self.fixture.store(self.question, "kept", cache: "d")
        #expect(try await self.fixture.invalidate(.wholeCache).count == 1)
        try await self.expectGone()
        #expect(try await self.fixture.lookup(self.question, cache: "d").text == "kept")
    }

    @Test func `a dry run counts and removes nothing`() async throws {
        let id = try await self.warm()
        let outcome = try await self.fixture.invalidate(.wholeCache, dryRun: true)
        #expect(outcome == InvalidateOutcome(count: 1, sample: [id], isDryRun: true))
        #expect(try await self.fixture.lookup(self.question).hit != nil)
    }

    @Test func `an id of another tenant or cache is left alone`() async throws {
        let id = try await self.warm()
        let other = TenantScope(authenticated: TenantID("other"))
        #expect(try await self.fixture.invalidate(.ids([id]), scope: other).count == 0)
        #expect(try await self.fixture.invalidate(.ids([id]), cache: "d").count == 0)
        #expect(try await self.fixture.lookup(self.question).hit != nil)
    }

    /// The reader has the old answer in hand while the entry is removed, and comes to memory with it afterwards.
    @Test(arguments: ["how do I reset the password of my account", "how do I reset the password of our account"])
    func `an answer read before an invalidation does not get into memory after it`(prompt: String) async throws {
        try await self.fixture.store(self.question, "stale")
        let (held, release) = (Mailbox<Void>(), Mailbox<Void>())
        let operation: MemoryVectorStore.Operation = prompt == self.question ? .entry : .nearest
        self.fixture.store.hook { performed, phase in
            guard performed == operation, phase == .after else { return nil }
            held.append(())
            _ = await release.next()
            return nil
        }
        async let late = self.fixture.lookup(prompt)
        _ = await held.next()
        self.fixture.store.hook(nil)
        try await self.fixture.invalidate(.wholeCache)
        release.append(())
        _ = try await late
        #expect(try await self.fixture.lookup(prompt).hit == nil)
    }

    @Test func `an answer read before a replacement does not get into memory after it`() async throws {
        try await self.fixture.store(self.question, "stale")
        let (held, release) = (Mailbox<Void>(), Mailbox<Void>())
        self.fixture.store.hook { performed, phase in
            guard performed == .entry, phase == .after else { return nil }
            held.append(())
            _ = await release.next()
            return nil
        }
        async let late = self.fixture.lookup(self.question)
        _ = await held.next()
        self.fixture.store.hook(nil)
        try await self.fixture.store(self.question, "fresh")
        release.append(())
        _ = try await late
        #expect(try await self.fixture.lookup(self.question).text == "fresh")
    }

    @Test func `removing one entry leaves what memory knows of the others`() async throws {
        _ = try await self.warm()
        let other = try await self.fixture.store("quite another matter", "kept").id
        for _ in 0..<2 { _ = try await self.fixture.lookup("quite another matter") }
        for _ in 0..<2 { #expect(try await self.fixture.lookup(self.question).hit != nil) }
        try await self.fixture.invalidate(.ids([other]))
        #expect(try await self.fixture.lookup(self.question).hit?.tier == .l1)
        #expect(try await self.fixture.lookup("quite another matter").hit == nil)
    }

    @Test func `a removal that failed still empties memory`() async throws {
        _ = try await self.warm()
        self.fixture.store.hook { performed, phase in
            performed == .remove && phase == .after ? VectorStoreError(.unavailable, "gone") : nil
        }
        await #expect(throws: CacheError.self) { try await self.fixture.invalidate(.wholeCache) }
        try await self.expectGone()
    }
}
