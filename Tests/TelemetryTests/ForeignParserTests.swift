// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Foundation
import Telemetry
import TestSupport
import Testing
import Tracing

/// What the libraries of others make of our text: `.ci/check-telemetry`. They need a python that has
/// `prometheus_client` and `opentelemetry-proto`.
@Suite(.enabled(if: ForeignParser.python != nil, "SEMCACHED_TEST_PYTHON is not set"), .serialized)
struct ForeignParserTests {
    @Test func `Prometheus' own parser takes the exposition`() async throws {
        let registry = PrometheusRegistry(
            declarations: [MetricDeclaration("calls_total", help: "A \\ backslash,\na line and a \"quote\".")],
            prefix: "test", maximumSeries: 1000, logger: RecordedLog().logger)
        var random = SeededGenerator(seed: 7)
        for index in 0..<300 {
            let labels = [("text", "\(index)" + random.text()), ("n", "\(index)")]
            Counter(label: "calls_total", dimensions: labels, factory: registry).increment(by: index)
        }
        for method in ["a", "b"] {
            let timer = Timer(label: "duration_seconds", dimensions: [("method", method)], factory: registry)
            for step in 0..<20 { timer.recordNanoseconds(Int64(1) << (step * 2)) }
        }
        for (index, value) in [Double.nan, .infinity, -.infinity, 1e300, 5e-300, -0.0].enumerated() {
            Meter(label: "value", dimensions: [("n", "\(index)")], factory: registry).set(value)
        }
        registry.addCollector { ProcessMetrics().families() }
        let (status, output) = try ForeignParser.check("prometheus", await registry.exposition())
        #expect(status == 0, "\(output)")
    }

    @Test func `Prometheus' own parser refuses what is not right`() throws {
        #expect(try ForeignParser.check("prometheus", Array("a{b=\"c} 1\n".utf8)).status != 0)
        #expect(try ForeignParser.check("prometheus", Array("# TYPE a counter\na 1\n".utf8)).status != 0)
    }

    @Test func `OpenTelemetry's own schema takes a batch`() async throws {
        let metrics = NOOPMetricsHandler.instance
        let queue = SpanQueue(metrics: metrics, prefix: "test")
        let tracer = SpanRecorder(queue: queue, sampleRatio: 1)
        for kind in [SpanKind.client, .server, .internal, .producer, .consumer] {
            tracer.withSpan("outer", ofKind: kind) { outer in
                outer.attributes["text"] = "\u{1}\n\"é"
                outer.attributes["number"] = Int64.min
                outer.attributes["fraction"] = Double.nan
                outer.attributes["flag"] = false
                outer.attributes.set("numbers", value: .int64Array([1, -2]))
                outer.attributes.set("fractions", value: .doubleArray([0.5, .infinity]))
                outer.attributes.set("flags", value: .boolArray([]))
                outer.addLink(SpanLink(context: outer.context, attributes: ["a": "b"]))
                struct Failure: Error {}
                try? tracer.withSpan("inner") { _ in throw Failure() }
                for _ in 0..<100 { outer.addEvent(SpanEvent(name: "event", attributes: ["a": 1])) }
                outer.setStatus(SpanStatus(code: .ok))
            }
        }
        let (bodies, collected) = AsyncStream.makeStream(of: [UInt8].self)
        let exporter = OTLPExporter(
            queue: queue, resource: OTLPResource(serviceName: "unit", serviceVersion: "1"), metrics: metrics,
            prefix: "test", logger: RecordedLog().logger
        ) { body in
            collected.yield(body)
            return 200
        }
        tracer.forceFlush()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await exporter.run() }
            for await body in bodies {
                let (status, output) = try ForeignParser.check("otlp", body)
                #expect(status == 0, "\(output)")
                #expect(output.contains("10 spans"))
                break
            }
            group.cancelAll()
        }
    }

    @Test func `OpenTelemetry's own schema refuses what is not right`() throws {
        let body = #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"trace_ids":"x"}]}]}]}"#
        #expect(try ForeignParser.check("otlp", Array(body.utf8)).status != 0)
    }
}

enum ForeignParser {
    static let python = ProcessInfo.processInfo.environment["SEMCACHED_TEST_PYTHON"]

    static func check(_ what: String, _ text: [UInt8]) throws -> (status: Int32, output: String) {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        process.arguments = [root.appendingPathComponent(".ci/check-telemetry").path, what]
        // A file, since a pipe that nobody empties would stop both.
        let input = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).telemetry")
        try Data(text).write(to: input)
        defer { try? FileManager.default.removeItem(at: input) }
        let output = Pipe()
        process.standardInput = try FileHandle(forReadingFrom: input)
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let read = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: read, as: UTF8.self))
    }
}
