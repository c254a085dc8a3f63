// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

@Suite struct EmbedTests {
    private let fixture = EngineFixture()

    private func embed(_ texts: [String]) async throws -> EmbedOutcome {
        let request = EmbedRequest(cache: "c", texts: try texts.map { try CanonicalPrompt($0) })
        return try await self.fixture.engine.embed(request, scope: self.fixture.scope, by: .now + .seconds(60))
    }

    @Test func `a vector is the one that a Lookup uses, so it finds what is stored`() async throws {
        try await self.fixture.store("how do I reset it?", "press the button")
        let outcome = try await self.embed(["something else", "how do I reset it?"])
        #expect(outcome.vectors.count == 2)
        let found = try await self.fixture.lookup("never asked", mode: .semantic, embedding: outcome.vectors[1])
        #expect(found.hit?.matches.first?.similarity ?? 0 > 0.999)
        let other = try await self.fixture.lookup("never asked", mode: .semantic, embedding: outcome.vectors[0])
        #expect(other.hit == nil)
    }

    @Test func `it is said which model made them`() async throws {
        #expect(try await self.embed(["q"]).identity == HashingEmbedder().identity.description)
    }

    @Test func `a cache that is not there has no model`() async throws {
        let closed = EngineFixture(directory: TenantDirectory(undeclared: TenantPolicy()))
        let request = EmbedRequest(cache: "c", texts: [try CanonicalPrompt("q")])
        let error = await #expect(throws: CacheError.self) {
            try await closed.engine.embed(request, scope: closed.scope, by: .now + .seconds(60))
        }
        #expect(error?.code == .notFound)
    }
}
