// SPDX-License-Identifier: Apache-2.0

import CacheModel
import InMemoryTracing
import TestSupport
import Testing
import Tracing

@testable import CacheEngine

@Suite struct SpanTests {
    private let tracer = InMemoryTracer()

    /// The spans that ended within a request.
    private func spans(of request: () async throws -> Void) async throws -> [FinishedInMemorySpan] {
        self.tracer.clearFinishedSpans()
        try await self.tracer.withSpan("request") { _ in try await request() }
        return self.tracer.finishedSpans
    }

    @Test func `a lookup's embedding and store operations are children of its request`() async throws {
        let fixture = EngineFixture(tracer: self.tracer)
        let spans = try await self.spans { _ = try await fixture.lookup("q") }
        let request = try #require(spans.first { $0.operationName == "request" })
        let children = spans.filter { $0.operationName != "request" }
        #expect(children.map(\.operationName) == ["store entry", "embed", "store nearest"])
        #expect(children.map(\.kind) == [.client, .internal, .client])
        #expect(children.allSatisfy { $0.spanContext.parentSpanID == request.spanContext.spanID })
        #expect(children.allSatisfy { $0.spanContext.traceID == request.spanContext.traceID })
        #expect(children[0].attributes.get("db.operation.name") == .string("entry"))
        #expect(children[0].attributes.get("db.system.name") == nil, "a dictionary has no name")
    }

    @Test func `a store and an invalidate are spans of what they do`() async throws {
        let fixture = EngineFixture(tracer: self.tracer)
        let stored = try await self.spans { try await fixture.store("q", "a") }
        #expect(stored.map(\.operationName) == ["embed", "store put", "request"])
        let removed = try await self.spans { try await fixture.invalidate(.wholeCache) }
        #expect(removed.map(\.operationName) == ["store remove", "request"])
    }

    @Test func `a span says why its operation failed`() async throws {
        let fixture = EngineFixture(tracer: self.tracer)
        fixture.store.hook { operation, _ in
            operation == .nearest ? VectorStoreError(.overloaded, "the path /secret is busy") : nil
        }
        let spans = try await self.spans { _ = try await fixture.lookup("q") }
        let nearest = try #require(spans.first { $0.operationName == "store nearest" })
        #expect(nearest.status?.code == .error)
        #expect(nearest.attributes.get("error.type") == .string("overloaded"))
        #expect(!"\(nearest)".contains("secret"), "what a store says may name files of the server")
    }

    @Test func `an embedder that fails ends its span with the reason`() async throws {
        let embedder = ControlledEmbedder()
        let fixture = EngineFixture(embedder: embedder, tracer: self.tracer)
        async let failed: Void = embedder.nextHeld().fail()
        let spans = try await self.spans { _ = try await fixture.lookup("q") }
        await failed
        let embed = try #require(spans.first { $0.operationName == "embed" })
        #expect(embed.attributes.get("error.type") == .string("failed"))
    }

    @Test func `outside of a request there are no spans`() async throws {
        let fixture = EngineFixture(tracer: self.tracer)
        _ = try await fixture.lookup("q")
        _ = await fixture.figures()
        #expect(self.tracer.finishedSpans.isEmpty)
    }

    @Test func `spans hold nothing of the request`() async throws {
        let fixture = EngineFixture(tracer: self.tracer)
        let spans = try await self.spans {
            try await fixture.store("my secret question", "my secret answer")
            _ = try await fixture.lookup("another secret question")
        }
        #expect(spans.count == 6)
        #expect(!"\(spans)".contains("secret"))
    }
}
