// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

@Suite struct DegradationTests {
    @Test func `a failing store makes a miss that says so`() async throws {
        let fixture = EngineFixture()
        try await fixture.store("a question", "so")
        fixture.store.hook { _, _ in VectorStoreError(.unavailable, "down") }
        #expect(try await fixture.lookup("a question").miss?.reason == .degraded(.storeUnavailable))
        await #expect { try await fixture.store("b", "so") } throws: { ($0 as? CacheError)?.code == .unavailable }
    }

    @Test func `a failing embedder makes a miss that says so, and refuses a store`() async throws {
        let embedder = ControlledEmbedder()
        let fixture = EngineFixture(embedder: embedder)
        async let outcome = fixture.lookup("a question")
        await embedder.nextHeld().fail()
        #expect(try await outcome.miss?.reason == .degraded(.embedderFailed))
        let stored = Task { try await fixture.store("a question", "so") }
        await embedder.nextHeld().fail()
        await #expect { try await stored.value } throws: { ($0 as? CacheError)?.code == .unavailable }
    }

    @Test func `a cache that does not fail open answers with an error`() async throws {
        let fixture = EngineFixture(policy: CachePolicy(failsOpen: false))
        fixture.store.hook { _, _ in VectorStoreError(.unavailable, "down") }
        await #expect { _ = try await fixture.lookup("q") } throws: { ($0 as? CacheError)?.code == .unavailable }
    }

    @Test func `a full queue refuses at once`() async throws {
        let embedder = ControlledEmbedder(concurrency: 1)
        let fixture = EngineFixture(embedder: embedder, queueLimit: 1)
        async let first = fixture.lookup("one")
        let held = await embedder.nextHeld()
        // Whichever of the two finds the queue's one place taken is refused; the other waits.
        let reasons = try await withThrowingTaskGroup(of: LookupMiss.Reason?.self) { group in
            for prompt in ["two", "three"] {
                group.addTask { try await fixture.lookup(prompt).miss?.reason }
            }
            let refused = try await group.next()!
            held.succeed()
            await embedder.nextHeld().succeed()
            return [refused, try await group.next()!]
        }
        #expect(reasons == [.degraded(.embedderOverloaded), .noEntry])
        _ = try await first
    }

    @Test func `exact lookups go on without the embedder`() async throws {
        let embedder = ControlledEmbedder(isHeld: { $0 == "stuck" })
        let fixture = EngineFixture(embedder: embedder)
        try await fixture.store("a question", "so")
        async let stuck = fixture.lookup("stuck")
        let held = await embedder.nextHeld()
        #expect(try await fixture.lookup("a question").text == "so")
        held.fail()
        _ = try await stuck
    }
}
