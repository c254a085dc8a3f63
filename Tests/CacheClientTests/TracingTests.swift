// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import InMemoryTracing
import Testing
import Tracing

/// Keeps spans in memory and says of each, as W3C has it, which one it is.
private struct HeaderTracer: Tracer {
    let spans = InMemoryTracer()
    /// What is injected besides.
    var extra: [String: String] = [:]

    func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> InMemorySpan {
        self.spans.startSpan(
            operationName, context: context(), ofKind: kind, at: instant(), function: function, file: fileID,
            line: line)
    }

    func forceFlush() {}

    func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let span = context.inMemorySpanContext else { return }
        injector.inject("00-\(span.traceID)-\(span.spanID)-01", forKey: "traceparent", into: &carrier)
        injector.inject("vendor=1", forKey: "tracestate", into: &carrier)
        for (key, value) in self.extra { injector.inject(value, forKey: key, into: &carrier) }
    }

    func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {}
}

/// What a call looks like to who traces it, and to the server.
@Suite(.timeLimit(.minutes(1)))
struct TracingTests {
    /// - Returns: The call that the server got.
    private func call(
        answer: Result<ServiceResponse, CacheError>, _ body: @Sendable (CacheClient) async throws -> Void
    ) async throws -> (call: Call, port: Int) {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let done: Void = body(client)
            let peer = try await server.welcomePeer()
            let call = try await peer.call()
            peer.send(.reply(Reply(id: call.id, result: answer)))
            try await done
            await client.close()
            return (call, server.address.port)
        }
    }

    @Test func `a call without a tracer names no trace`() async throws {
        let (call, _) = try await self.call(answer: .success(.ping(serverVersion: "1"))) { _ = try await $0.ping() }
        #expect(call.traceparent.isEmpty)
    }

    @Test func `a call is a span that the server hears of`() async throws {
        let tracer = HeaderTracer()
        let (call, port) = try await withTracer(tracer) {
            let miss = LookupMiss(reason: .noEntry, similarityThreshold: 0.5)
            return try await self.call(answer: .success(.lookup(.miss(miss)))) { client in
                try await withSpan("caller") { _ in _ = try await client.lookup("a question") }
            }
        }
        let spans = tracer.spans.finishedSpans
        let span = try #require(spans.first)
        let caller = try #require(spans.last)
        #expect(spans.map(\.operationName) == ["semcached.v1.SemanticCache/Lookup", "caller"])
        #expect(span.kind == .client)
        #expect(span.traceID == caller.traceID)
        #expect(span.parentSpanID == caller.spanID)
        #expect(call.traceparent == "00-\(span.traceID)-\(span.spanID)-01")
        #expect(span.attributes.text("rpc.system") == "semcached")
        #expect(span.attributes.text("rpc.service") == "semcached.v1.SemanticCache")
        #expect(span.attributes.text("rpc.method") == "Lookup")
        #expect(span.attributes.text("server.address") == "127.0.0.1")
        #expect(span.attributes.text("server.port") == "\(port)")
        #expect(span.attributes.text("semcache.outcome") == "miss")
        #expect(span.attributes.text("error.type") == nil)
        #expect(span.status == nil)
    }

    @Test func `a call that fails is a span that says so`() async throws {
        let tracer = HeaderTracer()
        _ = try await withTracer(tracer) {
            try await self.call(answer: .failure(CacheError(.permissionDenied, "no"))) { client in
                #expect(await failure { try await client.ping() }?.code == .permissionDenied)
            }
        }
        let span = try #require(tracer.spans.finishedSpans.first)
        #expect(span.operationName == "semcached.v1.Admin/Ping")
        #expect(span.attributes.text("error.type") == "permission_denied")
        #expect(span.status?.code == .error)
        #expect(span.attributes.text("semcache.outcome") == nil)
    }

    @Test func `a header that the server would refuse is left out`() async throws {
        let tracer = HeaderTracer(extra: ["traceparent": String(repeating: "0", count: 257)])
        let (call, _) = try await withTracer(tracer) {
            try await self.call(answer: .success(.ping(serverVersion: "1"))) { _ = try await $0.ping() }
        }
        #expect(call.traceparent.isEmpty)
    }
}

extension SpanAttributes {
    fileprivate func text(_ name: String) -> String? {
        switch self.get(name) {
        case .string(let text): text
        case .int64(let number): "\(number)"
        case .int32(let number): "\(number)"
        case let other: other.map { "\($0)" }
        }
    }
}
