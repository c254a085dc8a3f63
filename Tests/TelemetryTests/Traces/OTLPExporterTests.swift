// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Foundation
import Logging
import ServiceLifecycle
import ServiceLifecycleTestKit
import Telemetry
import TestSupport
import Testing
import Tracing

@Suite(.timeLimit(.minutes(3))) struct OTLPExporterTests {
    private let log = RecordedLog()
    private let registry: PrometheusRegistry
    private let resource = OTLPResource(serviceName: "unit", serviceVersion: "1.2", instanceID: "me")

    init() { self.registry = PrometheusRegistry(prefix: "registry", maximumSeries: 100, logger: self.log.logger) }

    /// Long times, so that only what a test is about happens.
    private static func configuration(
        interval: Duration = .seconds(600), deadline: Duration = .seconds(60), backoff: Duration = .milliseconds(1),
        flushDeadline: Duration = .seconds(60)
    ) -> OTLPExporter.Configuration {
        var configuration = OTLPExporter.Configuration()
        configuration.interval = interval
        configuration.deadline = deadline
        configuration.backoff = backoff
        configuration.flushDeadline = flushDeadline
        return configuration
    }

    private func queue(batchSpans: Int = 2) -> SpanQueue {
        SpanQueue(metrics: self.registry, prefix: "test", batchSpans: batchSpans)
    }

    /// Runs an exporter until `body` and the service's end are through.
    private func run(
        _ queue: SpanQueue, _ collector: Collector, _ configuration: OTLPExporter.Configuration = Self.configuration(),
        isStarted: Bool = true,
        _ body: @escaping @Sendable (SpanRecorder) async throws -> Void
    ) async throws {
        if isStarted { try await collector.start() }
        let exporter = OTLPExporter(
            queue: queue, resource: self.resource, configuration: configuration, metrics: self.registry, prefix: "test",
            logger: self.log.logger
        ) { body in
            try await collector.post(body, to: OTLPExporter.path, contentType: OTLPExporter.contentType)
        }
        let service: any Service = exporter
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.run() }
                try await body(SpanRecorder(queue: queue, sampleRatio: 1))
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        try await collector.stop()
    }

    private func count(_ name: String, _ labels: [String: String] = [:]) async throws -> Double? {
        try NaiveParser(await self.registry.exposition()).value(name, labels)
    }

    private static func names(_ request: Collector.Received?) throws -> [String] {
        try self.names(#require(request).body)
    }

    private static func names(_ body: [UInt8]) throws -> [String] {
        let root = try #require(JSONSerialization.jsonObject(with: Data(body)) as? [String: [[String: Any]]])
        let scopes = try #require(root["resourceSpans"]?.first?["scopeSpans"] as? [[String: Any]])
        return try #require(scopes.first?["spans"] as? [[String: Any]]).compactMap { $0["name"] as? String }
    }

    private static func expect(
        _ names: [String], from collector: Collector
    ) async throws {
        let request = await collector.next()
        #expect(try Self.names(request) == names)
    }

    @Test func `a batch is posted as the specification has it`() async throws {
        let collector = Collector()
        try await self.run(self.queue(), collector) { tracer in
            tracer.withSpan("a") { _ in }
            tracer.withSpan("b") { _ in }
            let request = try #require(await collector.next())
            #expect(request.uri == "/v1/traces")
            #expect(request.contentType == "application/json")
            #expect(try Self.names(request) == ["a", "b"])
            let text = String(decoding: request.body, as: UTF8.self)
            #expect(
                text.hasPrefix(
                    #"{"resourceSpans":[{"resource":{"attributes":["#
                        + #"{"key":"service.instance.id","value":{"stringValue":"me"}},"#
                        + #"{"key":"service.name","value":{"stringValue":"unit"}},"#
                        + #"{"key":"service.version","value":{"stringValue":"1.2"}}]},"#
                        + #""scopeSpans":[{"scope":{"name":"unit","version":"1.2"},"spans":[{"traceId":""#))
        }
        #expect(try await self.count("test_spans_exported_total") == 2)
    }

    @Test func `fewer than a batch go after the interval`() async throws {
        let configuration = Self.configuration(interval: .milliseconds(5))
        let collector = Collector()
        try await self.run(self.queue(batchSpans: 100), collector, configuration) { tracer in
            tracer.withSpan("alone") { _ in }
            try await Self.expect(["alone"], from: collector)
        }
    }

    @Test func `what is left is sent when the service ends`() async throws {
        let collector = Collector()
        try await self.run(self.queue(batchSpans: 100), collector) { tracer in
            for index in 0..<250 { tracer.withSpan("\(index)") { _ in } }
        }
        var names: [String] = []
        for _ in 0..<3 {
            let request = await collector.next()
            names += try Self.names(request)
        }
        #expect(names == (0..<250).map(String.init))
        #expect(try await self.count("test_spans_exported_total") == 250)
    }

    @Test(arguments: [.status(429), .status(502), .status(503), .status(504), .close] as [Collector.Answer])
    func `what may be better in a moment is tried once more`(answer: Collector.Answer) async throws {
        let collector = Collector([answer])
        try await self.run(self.queue(), collector) { tracer in
            tracer.withSpan("a") { _ in }
            tracer.withSpan("b") { _ in }
            let first = try #require(await collector.next())
            let second = try #require(await collector.next())
            #expect(first.body == second.body)
        }
        #expect(try await self.count("test_spans_exported_total") == 2)
        #expect(try await self.count("test_spans_failed_total") == 0)
        #expect(self.log.lines.isEmpty)
    }

    @Test func `what is refused twice is given up, reported once, and the end of it as well`() async throws {
        let answers: [Collector.Answer] = [.status(503), .close, .status(503), .status(503)]
        let collector = Collector(answers)
        try await self.run(self.queue(batchSpans: 1), collector) { tracer in
            for name in ["a", "b", "c"] {
                tracer.withSpan(name) { _ in }
                for _ in 0..<(name == "c" ? 1 : 2) { try await Self.expect([name], from: collector) }
            }
        }
        #expect(try await self.count("test_spans_failed_total") == 2)
        #expect(try await self.count("test_spans_exported_total") == 1)
        #expect(self.log.lines.count == 2)
    }

    @Test(arguments: [400, 404, 500])
    func `what would be refused again is not tried again`(status: Int) async throws {
        let collector = Collector([.status(status)])
        try await self.run(self.queue(batchSpans: 1), collector) { tracer in
            tracer.withSpan("a") { _ in }
            try await Self.expect(["a"], from: collector)
            tracer.withSpan("b") { _ in }
            try await Self.expect(["b"], from: collector)
        }
        #expect(try await self.count("test_spans_failed_total") == 1)
    }

    @Test func `a collector that hangs is left at the deadline`() async throws {
        let queue = self.queue(batchSpans: 1)
        let (bodies, asked) = AsyncStream.makeStream(of: [UInt8].self)
        // Without sockets: what does not hang is to be answered within the deadline on any machine.
        let exporter = OTLPExporter(
            queue: queue, resource: self.resource, configuration: Self.configuration(deadline: .milliseconds(500)),
            metrics: self.registry, prefix: "test", logger: self.log.logger
        ) { body in
            asked.yield(body)
            guard try Self.names(body) == ["a"] else { return 200 }
            for await _ in AsyncStream<Never>.makeStream().stream {}
            throw CancellationError()
        }
        let tracer = SpanRecorder(queue: queue, sampleRatio: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await exporter.run() }
            var iterator = bodies.makeAsyncIterator()
            tracer.withSpan("a") { _ in }
            for _ in 0..<2 {
                let names = try Self.names(await iterator.next() ?? [])
                #expect(names == ["a"])
            }
            tracer.withSpan("b") { _ in }
            let names = try Self.names(await iterator.next() ?? [])
            let failed = try await self.count("test_spans_failed_total")
            #expect(names == ["b"] && failed == 1)
            group.cancelAll()
        }
    }

    @Test func `a collector that hangs holds up the end of the service no longer than its deadline`() async throws {
        let configuration = Self.configuration(flushDeadline: .milliseconds(50))
        let clock = ContinuousClock()
        let time = try await clock.measure {
            let collector = Collector([.hang])
            try await self.run(self.queue(batchSpans: 1), collector, configuration) { tracer in
                tracer.withSpan("a") { _ in }
                _ = await collector.next()
                tracer.withSpan("b") { _ in }
            }
        }
        #expect(time < .seconds(120))
        #expect(try await self.count("test_spans_failed_total") == 1)
        #expect(try await self.count("test_spans_dropped_total", ["reason": "stopped"]) == 1)
    }

    @Test func `a collector that is not there costs spans, and nothing else`() async throws {
        let queue = self.queue()
        let collector = Collector()
        try await self.run(queue, collector, isStarted: false) { tracer in
            tracer.withSpan("a") { _ in }
        }
        SpanRecorder(queue: queue, sampleRatio: 1).withSpan("late") { _ in }
        #expect(try await self.count("test_spans_failed_total") == 1)
        #expect(try await self.count("test_spans_dropped_total", ["reason": "stopped"]) == 1)
        #expect(self.log.lines.count == 1)
    }

    @Test func `what the export itself does is not recorded, or it would never end`() async throws {
        let queue = self.queue(batchSpans: 1)
        let tracer = SpanRecorder(queue: queue, sampleRatio: 1)
        let (recorded, seen) = AsyncStream.makeStream(of: Bool.self)
        let exporter = OTLPExporter(
            queue: queue, resource: self.resource, configuration: Self.configuration(), metrics: self.registry,
            prefix: "test", logger: self.log.logger
        ) { _ in
            tracer.withSpan("POST", ofKind: .client) { span in _ = seen.yield(span.isRecording) }
            return 200
        }
        tracer.withSpan("a") { _ in }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await exporter.run() }
            for await isRecording in recorded {
                #expect(!isRecording)
                break
            }
            group.cancelAll()
        }
    }
}
