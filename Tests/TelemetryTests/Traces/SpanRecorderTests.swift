// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Foundation
import Logging
import TestSupport
import Testing
import Tracing

@testable import Telemetry

@Suite struct SpanRecorderTests {
    private let queue: SpanQueue
    private let tracer: SpanRecorder
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    init() {
        self.queue = SpanQueue(metrics: NOOPMetricsHandler.instance, prefix: "test")
        self.tracer = SpanRecorder(queue: self.queue, sampleRatio: 1)
    }

    struct Carrier: Extractor, Injector {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    }

    private func spans() throws -> [[String: Any]] {
        try self.queue.take().map { try #require(JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]) }
    }

    private func context(_ headers: [String: String]) -> InstrumentationContext {
        var context = InstrumentationContext.topLevel
        self.tracer.extract(headers, into: &context, using: Carrier())
        return context
    }

    @Test func `a finished span is written as OTLP has it`() throws {
        let context = self.context(["traceparent": Self.parent, "tracestate": "a=1"])
        let span = self.tracer.startSpan(
            "Lookup", context: context, ofKind: .server, at: Instant(1_000), function: "", file: "", line: 0)
        span.attributes["rpc.system"] = "semcached"
        span.attributes["server.port"] = 7070
        span.attributes["ratio"] = 0.5
        span.attributes["fresh"] = true
        span.attributes.set("list", value: .stringArray(["x", "y"]))
        span.addEvent(SpanEvent(name: "embedded", at: Instant(1_500), attributes: ["n": 1]))
        span.addLink(SpanLink(context: context, attributes: [:]))
        span.setStatus(SpanStatus(code: .error, message: "late"))
        span.end(at: Instant(2_000))

        let own = try #require(span.context.traceContext)
        let text = String(decoding: self.queue.take()[0], as: UTF8.self)
        let expected =
            #"{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"\#(Hex.text(own.spanID))","traceState":"a=1","#
            + #""parentSpanId":"b7ad6b7169203331","flags":1,"name":"Lookup","kind":2,"startTimeUnixNano":"1000","#
            + #""endTimeUnixNano":"2000","attributes":[{"key":"fresh","value":{"boolValue":true}},"#
            + #"{"key":"list","value":{"arrayValue":{"values":[{"stringValue":"x"},{"stringValue":"y"}]}}},"#
            + #"{"key":"ratio","value":{"doubleValue":0.5}},{"key":"rpc.system","value":{"stringValue":"semcached"}},"#
            + #"{"key":"server.port","value":{"intValue":"7070"}}],"#
            + #""events":[{"timeUnixNano":"1500","name":"embedded","attributes":[{"key":"n","value":{"intValue":"1"}}]}],"#
            + #""links":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","traceState":"a=1"}],"#
            + #""status":{"message":"late","code":2}}"#
        #expect(text == expected)
    }

    @Test func `spans within each other are of one trace, each the parent of the next`() throws {
        self.tracer.withSpan("outer", ofKind: .client) { _ in
            self.tracer.withSpan("inner") { _ in }
        }
        let spans = try self.spans()
        let (inner, outer) = (spans[0], spans[1])
        #expect(inner["name"] as? String == "inner")
        #expect(inner["traceId"] as? String == outer["traceId"] as? String)
        #expect(inner["parentSpanId"] as? String == outer["spanId"] as? String)
        #expect(outer["parentSpanId"] == nil)
        #expect(inner["spanId"] as? String != outer["spanId"] as? String)
        #expect(inner["kind"] as? Int == 1)
        #expect(outer["kind"] as? Int == 3)
    }

    @Test func `a context goes out as it came in, in the name of the own span`() throws {
        let span = self.tracer.startSpan("x", context: self.context(["traceparent": Self.parent, "tracestate": "a=1"]))
        var headers: [String: String] = [:]
        self.tracer.inject(span.context, into: &headers, using: Carrier())
        let own = try #require(span.context.traceContext)
        #expect(headers["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-\(Hex.text(own.spanID))-01")
        #expect(headers["tracestate"] == "a=1")
        #expect(own.spanID != 0xb7ad_6b71_6920_3331)
    }

    @Test func `a trace that its caller does not record is carried on and not recorded`() throws {
        let span = self.tracer.startSpan("x", context: self.context(["traceparent": Self.parent.dropLast() + "0"]))
        #expect(!span.isRecording)
        #expect(span.context.traceContext?.traceID.description == "0af7651916cd43dd8448eb211c80319c")
        #expect(span.context.traceContext?.isSampled == false)
        span.attributes["a"] = 1
        span.end()
        #expect(self.queue.take().isEmpty)
    }

    @Test(arguments: ["", "garbage", "00-00000000000000000000000000000000-b7ad6b7169203331-01"])
    func `a header that is not valid begins a new trace`(header: String) throws {
        #expect(self.context(["traceparent": header, "tracestate": "a=1"]).traceContext == nil)
        #expect(self.context(["tracestate": "a=1"]).traceContext == nil)
    }

    @Test func `a state that is not valid does not cost the trace`() {
        let context = self.context(["traceparent": Self.parent, "tracestate": "a==1"])
        #expect(context.traceContext?.traceParent == Self.parent)
        #expect(context.traceContext?.state == nil)
    }

    @Test func `an error is recorded by its type and never by what it says`() throws {
        struct Leak: Error, CustomStringConvertible { let description = "the prompt" }
        #expect(throws: Leak.self) { try self.tracer.withSpan("x") { _ in throw Leak() } }
        let text = String(decoding: self.queue.take()[0], as: UTF8.self)
        #expect(text.contains(#""name":"exception""#))
        #expect(text.contains("Leak"))
        #expect(text.contains(#""status":{"code":2}"#))
        #expect(!text.contains("prompt"))
    }

    @Test func `nothing changes after the end, and a second end sends nothing`() throws {
        let span = self.tracer.startSpan("x")
        span.end()
        span.operationName = "y"
        span.attributes["a"] = 1
        span.addEvent("late")
        span.end()
        #expect(!span.isRecording)
        let spans = try self.spans()
        #expect(spans.count == 1)
        #expect(span.operationName == "x")
    }

    @Test func `a clock that was set back makes no negative duration`() throws {
        let span = self.tracer.startSpan("x", at: Instant(5_000))
        span.end(at: Instant(4_000))
        #expect(try self.spans()[0]["endTimeUnixNano"] as? String == "5000")
    }

    @Test func `attributes, events and links are bounded, and what is left out is counted`() throws {
        let span = self.tracer.startSpan(String(repeating: "n", count: 5000))
        for index in 0..<100 { span.attributes["a\(index)"] = "1" }
        for _ in 0..<100 {
            span.addEvent(SpanEvent(name: String(repeating: "e", count: 5000)))
            span.addLink(SpanLink(context: span.context, attributes: [:]))
        }
        span.end()
        let found = try self.spans()[0]
        #expect((found["name"] as? String)?.utf8.count == TelemetryLimits.spanNameBytes)
        #expect((found["attributes"] as? [Any])?.count == TelemetryLimits.spanAttributes)
        #expect(found["droppedAttributesCount"] as? Int == 100 - TelemetryLimits.spanAttributes)
        #expect((found["events"] as? [Any])?.count == TelemetryLimits.spanEvents)
        #expect(found["droppedEventsCount"] as? Int == 100 - TelemetryLimits.spanEvents)
        #expect((found["links"] as? [Any])?.count == TelemetryLimits.spanLinks)
        #expect(found["droppedLinksCount"] as? Int == 100 - TelemetryLimits.spanLinks)
    }

    @Test func `a ratio records about as many of the traces that begin, and others choose the same`() {
        var random = SeededGenerator(seed: 6)
        let (few, same) = (Sampling(ratio: 0.1), Sampling(ratio: 0.1))
        var count = 0
        for _ in 0..<20_000 {
            let context = few.child(of: nil, using: &random)
            #expect(same.takes(context.traceID) == context.isSampled)
            if context.isSampled { count += 1 }
        }
        #expect((1_700...2_300).contains(count))
    }

    @Test(arguments: [(-1, false), (0, false), (1, true), (2, true), (.nan, false)] as [(Double, Bool)])
    func `a ratio at or beyond its ends records all or nothing`(ratio: Double, isSampled: Bool) {
        let sampling = Sampling(ratio: ratio)
        #expect(sampling.takes(.init(high: 1, low: .max)) == isSampled)
        #expect(sampling.takes(.init(high: 1, low: 0)) == isSampled)
    }

    @Test func `ids are never zero`() {
        struct ZeroFirst: RandomNumberGenerator {
            var left = 6
            mutating func next() -> UInt64 {
                self.left -= 1
                return self.left >= 0 ? 0 : 7
            }
        }
        var random = ZeroFirst()
        let context = Sampling(ratio: 1).child(of: nil, using: &random)
        #expect(context.traceID == .init(high: 7, low: 7))
        #expect(context.spanID == 7)
    }

    private struct Instant: TracerInstant {
        let nanosecondsSinceEpoch: UInt64
        init(_ nanoseconds: UInt64) { self.nanosecondsSinceEpoch = nanoseconds }
        static func < (left: Instant, right: Instant) -> Bool {
            left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
        }
    }
}

@Suite struct SpanQueueTests {
    private let registry = PrometheusRegistry(prefix: "registry", maximumSeries: 100, logger: RecordedLog().logger)

    private func dropped(_ reason: String) async throws -> Double? {
        try NaiveParser(await self.registry.exposition()).value("test_spans_dropped_total", ["reason": reason])
    }

    @Test func `a queue that is full drops what comes and counts it`() async throws {
        let queue = SpanQueue(metrics: self.registry, prefix: "test", maximumSpans: 2)
        for span in 1...5 { queue.add([UInt8(span)]) }
        #expect(queue.take() == [[1], [2]])
        #expect(try await self.dropped("queue_full") == 3)
    }

    @Test func `a queue is bounded in bytes as well`() async throws {
        let queue = SpanQueue(metrics: self.registry, prefix: "test")
        let span = [UInt8](repeating: 0, count: TelemetryLimits.spanBytes)
        let fit = TelemetryLimits.queuedSpanBytes / span.count
        for _ in 0..<(fit + 7) { queue.add(span) }
        #expect(try await self.dropped("queue_full") == 7)
        // What is taken leaves its place.
        let taken = queue.take().count
        #expect(taken == TelemetryLimits.batchBytes / span.count)
        for _ in 0..<(taken + 1) { queue.add(span) }
        #expect(try await self.dropped("queue_full") == 8)
    }

    @Test func `a span that is too large is dropped`() async throws {
        let queue = SpanQueue(metrics: self.registry, prefix: "test")
        queue.add([UInt8](repeating: 0, count: TelemetryLimits.spanBytes + 1))
        #expect(queue.take().isEmpty)
        #expect(try await self.dropped("too_large") == 1)
    }

    @Test func `after the end nothing comes in, and what was left is counted`() async throws {
        let queue = SpanQueue(metrics: self.registry, prefix: "test")
        queue.add([1])
        queue.finish()
        queue.add([2])
        queue.abandon()
        #expect(queue.take().isEmpty)
        #expect(try await self.dropped("stopped") == 2)
    }
}
