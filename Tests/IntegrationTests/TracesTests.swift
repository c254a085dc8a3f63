// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CoreMetrics
import Foundation
import Logging
import NIOHTTP1
import Telemetry
import Testing
import Tracing

private let python = ProcessInfo.processInfo.environment["SEMCACHED_TEST_PYTHON"]
private let question = "How do I reset my password?"
private let paraphrase = "I forgot my password, how can I reset it?"
private let answer = "Open Settings, then Security."

/// Spans of real services, and of a client that traces as well.
@Suite(.timeLimit(.minutes(2))) struct TracesTests {
    private static func traced(_ collector: SpanCollector, _ more: String...) async throws -> RunningService {
        try await RunningService(
            settings: ["traces.service_name=cache", "log.format=json"] + more,
            environment: ["SEMCACHED_TRACES_ENDPOINT": "http://us%20er:hush@127.0.0.1:\(collector.port)/"])
    }

    private static func client(of service: RunningService) -> CacheClient {
        CacheClient(ClientConfiguration(ServerAddress(host: "127.0.0.1", port: service.port)))
    }

    /// Runs something whose spans go to a collector, as those of a service called `app`.
    private static func tracing(
        to collector: SpanCollector, _ body: () async throws -> Void
    ) async throws {
        let metrics = NOOPMetricsHandler.instance
        let queue = SpanQueue(metrics: metrics, prefix: "test")
        let recorder = SpanRecorder(queue: queue, sampleRatio: 1)
        let port = collector.port
        let exporter = OTLPExporter(
            queue: queue, resource: OTLPResource(serviceName: "app", serviceVersion: "1"), metrics: metrics,
            prefix: "test", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { body in
            try await HTTPAnswer.of(
                "POST", OTLPExporter.path, port: port, headers: ["Content-Type: \(OTLPExporter.contentType)"],
                body: body
            ).status
        }
        let export = Task { await exporter.run() }
        defer { export.cancel() }
        try await withTracer(recorder) { try await body() }
        recorder.forceFlush()
        try await collector.wait { try $0.spans.contains { $0.service == "app" } }
    }

    @Test func `a Lookup is one trace from its caller to embedder and store`() async throws {
        let collector = try await SpanCollector()
        let service = try await Self.traced(collector)
        let client = Self.client(of: service)
        _ = try await client.store(answer, for: question)
        try await Self.tracing(to: collector) {
            let found = try await client.lookup(paraphrase).hit
            #expect(found?.best.text == answer)
        }
        await client.close()
        #expect(await service.stop(SIGTERM) == 0)

        let spans = try collector.spans
        let name = "semcached.v1.SemanticCache/Lookup"
        let call = try #require(spans.first { $0.service == "app" })
        #expect(call.name == name && call.kind == 3 && call.parentID == "")
        let trace = spans.filter { $0.traceID == call.traceID }
        let served = try #require(trace.first { $0.kind == 2 })
        #expect(served.name == name && served.service == "cache" && served.parentID == call.id)
        let work = trace.filter { $0.parentID == served.id }
        #expect(work.map(\.name).sorted() == ["embed", "store blocks", "store entry", "store nearest"])
        for span in work { #expect(span.kind == (span.name == "embed" ? 1 : 3) && span.service == "cache") }
        #expect(trace.count == 6 && Set(trace.map(\.id)).count == 6)
        for span in [call, served] {
            #expect(span.attributes["rpc.system"] == "semcached")
            #expect(span.attributes["rpc.service"] == "semcached.v1.SemanticCache")
            #expect(span.attributes["rpc.method"] == "Lookup")
            #expect(span.attributes["semcache.outcome"] == "hit_semantic", "\(span.service)")
            #expect(!span.isError)
        }
        #expect(call.attributes["server.address"] == "127.0.0.1")
        #expect(call.attributes["server.port"] == "\(service.port)")
        // The Store was in no trace of its caller's, so it began one.
        let stored = try #require(spans.first { $0.attributes["rpc.method"] == "Store" })
        #expect(stored.parentID == "" && stored.traceID != call.traceID)
    }

    @Test func `the collector gets what the schema allows, with the password that it was given, and no text of calls`()
        async throws
    {
        let collector = try await SpanCollector()
        let service = try await Self.traced(collector)
        let client = Self.client(of: service)
        _ = try await client.store(answer, for: question, tags: ["TagSecret"])
        try await Self.tracing(to: collector) {
            _ = try await client.lookup(paraphrase, vary: ["user": "VarySecret"])
            await #expect(throws: CacheClientError.self) { try await client.lookup(question, filter: "Filter =") }
            await #expect(throws: CacheClientError.self) { try await client.lookup(question, embedding: [1, 2]) }
        }
        await client.close()
        #expect(await service.stop(SIGTERM) == 0)

        let own = collector.requests.filter { $0.body.contains(#""cache""#) }
        #expect(!own.isEmpty)
        for request in own {
            #expect(request.path == "/v1/traces")
            #expect(request.headers.first(name: "content-type") == "application/json")
            let credentials = Data("us er:hush".utf8).base64EncodedString()
            #expect(request.headers.first(name: "authorization") == "Basic \(credentials)")
        }
        #expect(try collector.spans.contains { $0.service == "cache" && $0.attributes["error.type"] != nil })
        for secret in ["password", "Security", "Secret", "Filter", "hush"] {
            #expect(!collector.requests.contains { $0.body.contains(secret) }, "\(secret)")
        }
        #expect(!service.logged.contains("hush"))
        guard let python else { return }
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../.ci/check-telemetry").standardizedFileURL.path
        for request in collector.requests {
            let result = try await Programs.run(python, [script, "otlp"], input: request.body)
            #expect(result.status == 0, "\(result.output) \(result.errors)")
        }
    }

    @Test func `a caller that is not recorded leaves no span here either`() async throws {
        let collector = try await SpanCollector()
        let service = try await Self.traced(collector)
        let client = Self.client(of: service)
        let queue = SpanQueue(metrics: NOOPMetricsHandler.instance, prefix: "test")
        try await withTracer(SpanRecorder(queue: queue, sampleRatio: 0)) { _ = try await client.lookup(question) }
        _ = try await client.ping()
        await client.close()
        #expect(await service.stop(SIGTERM) == 0)
        #expect(try collector.spans.map(\.name) == ["semcached.v1.Admin/Ping"])
    }

    @Test(arguments: ["is gone", "hangs", "refuses"])
    func `a collector that is of no use disturbs neither calls nor the end`(trouble: String) async throws {
        var collector: SpanCollector? = try await SpanCollector(
            trouble == "refuses" ? .answers(.internalServerError) : .hangs)
        let service = try await Self.traced(try #require(collector), "server.grace_period=3s")
        if trouble == "is gone" { collector = nil }
        let client = Self.client(of: service)
        let start = ContinuousClock.now
        for _ in 0..<600 { _ = try await client.ping() }
        _ = try await client.store(answer, for: question)
        #expect(try await client.lookup(question).hit?.best.text == answer)
        #expect(ContinuousClock.now - start < .seconds(20))
        await client.close()
        let stopped = ContinuousClock.now
        #expect(await service.stop(SIGTERM) == 0)
        #expect(ContinuousClock.now - stopped < .seconds(6))
        #expect(!service.logged.contains("hush"))
    }
}
