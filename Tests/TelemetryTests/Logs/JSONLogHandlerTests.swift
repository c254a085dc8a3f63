// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Testing
import Tracing

@testable import Telemetry

@Suite struct JSONLogHandlerTests {
    private let pipe = Pipe()

    private func logger(_ provider: Logger.MetadataProvider? = nil) -> Logger {
        let sink = LogSink(descriptor: self.pipe.fileHandleForWriting.fileDescriptor)
        var logger = Logger(label: "unit") { label in
            JSONLogHandler(label: label, sink: sink, metadataProvider: provider) { 1_769_903_999_007 }
        }
        logger.logLevel = .trace
        return logger
    }

    private func lines() throws -> [String] {
        try self.pipe.fileHandleForWriting.close()
        let bytes = try #require(try self.pipe.fileHandleForReading.readToEnd())
        let text = try #require(String(validating: bytes, as: UTF8.self))
        try #require(text.hasSuffix("\n"))
        return text.dropLast().components(separatedBy: "\n")
    }

    private func object() throws -> [String: Any] {
        let lines = try self.lines()
        try #require(lines.count == 1)
        return try #require(JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
    }

    @Test func `a record is one line of JSON`() throws {
        var logger = self.logger()
        logger[metadataKey: "connection"] = "7"
        logger.notice(
            "ready", metadata: ["peer": ["address": "::1", "port": "\(70)"], "tags": ["a", ["b": "c"]]], source: "here")
        #expect(
            try self.lines() == [
                #"{"time":"2026-01-31T23:59:59.007Z","level":"notice","label":"unit","message":"ready","source":"here","#
                    + #""connection":"7","peer.address":"::1","peer.port":"70","tags":["a",{"b":"c"}]}"#
            ])
    }

    @Test func `what a statement says stands above the logger's and the provider's`() throws {
        var logger = self.logger(Logger.MetadataProvider { ["a": "provider", "b": "provider", "c": "provider"] })
        logger[metadataKey: "a"] = "logger"
        logger[metadataKey: "d"] = "logger"
        logger.info("x", metadata: ["b": "statement"])
        let object = try self.object()
        #expect(object["a"] as? String == "provider")
        #expect(object["b"] as? String == "statement")
        #expect(object["c"] as? String == "provider")
        #expect(object["d"] as? String == "logger")
    }

    @Test func `an error is named by type and message`() throws {
        struct Broken: Error, CustomStringConvertible { let description = "it broke" }
        self.logger().error("x", error: Broken())
        let object = try self.object()
        #expect(object["error.message"] as? String == "it broke")
        #expect((object["error.type"] as? String)?.hasSuffix("Broken") == true)
    }

    @Test func `metadata does not take the place of what a record has itself`() throws {
        self.logger().info("said", metadata: ["message": "forged", "level": "trace", "truncated": "true"])
        let object = try self.object()
        #expect(object["message"] as? String == "said")
        #expect(object["level"] as? String == "info")
        #expect(object["metadata.message"] as? String == "forged")
        #expect(object["truncated"] == nil)
    }

    @Test func `hostile text makes neither a second line nor a control character`() throws {
        let text = "a\n{\"level\":\"error\"}\r\u{1B}[31m\u{9B}\u{2028}\u{85}\0"
        self.logger().info("\(text)", metadata: ["k\n": "\(text)"])
        let lines = try self.lines()
        #expect(lines.count == 1)
        #expect(lines[0].unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        let object = try #require(JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        #expect(object["message"] as? String == text)
        #expect(object["k\n"] as? String == text)
    }

    @Test func `names that meet once they are flattened come once`() throws {
        self.logger().info("x", metadata: ["a.b": "1", "a": ["b": "1"]])
        #expect(try self.lines()[0].components(separatedBy: #""a.b""#).count == 2)
    }

    @Test func `a line that is too long is cut and says so`() throws {
        let long = String(repeating: "\u{1}é", count: 10_000)
        var metadata: Logger.Metadata = [:]
        for index in 0..<100 { metadata["key\(index)"] = "\(long)" }
        self.logger().info("\(long)", metadata: metadata)
        let lines = try self.lines()
        #expect(lines[0].utf8.count <= TelemetryLimits.logLineBytes)
        let object = try #require(JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        #expect(object["truncated"] as? Bool == true)
        #expect(object["key0"] != nil)
    }

    @Test func `metadata that is nested without end is cut`() throws {
        var value: Logger.Metadata.Value = "x"
        for index in 0..<1000 { value = index % 2 == 0 ? ["n": value] : [value] }
        self.logger().info("x", metadata: ["deep": value])
        #expect(try self.object()["truncated"] as? Bool == true)
    }

    @Test func `an array that is too long for a line is left out`() throws {
        let array = Logger.Metadata.Value.array(Array(repeating: "0123456789", count: 100_000))
        self.logger().info("x", metadata: ["a": "kept", "b": array])
        let object = try self.object()
        #expect(object["a"] as? String == "kept")
        #expect(object["b"] == nil)
        #expect(object["truncated"] as? Bool == true)
    }

    @Test func `lines of many threads stay whole`() async throws {
        let logger = self.logger()
        let text = String(repeating: "x", count: 3000)
        async let read = self.readAll()
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for _ in 0..<100 { logger.info("\(text)", metadata: ["more": "\(text)", "n": "\(writer)"]) }
                }
            }
        }
        try self.pipe.fileHandleForWriting.close()
        let lines = await read.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 800)
        #expect(lines.allSatisfy { (try? JSONSerialization.jsonObject(with: Data($0))) != nil })
    }

    @concurrent private func readAll() async -> Data {
        (try? self.pipe.fileHandleForReading.readToEnd()) ?? Data()
    }

    @Test func `a record says in which span it was written`() throws {
        var context = InstrumentationContext.topLevel
        let parent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
        context.traceContext = TraceContext(traceParent: parent)
        let logger = self.logger(.traceContext)
        InstrumentationContext.withValue(context) { logger.info("x") }
        let object = try self.object()
        #expect(object["trace_id"] as? String == "0af7651916cd43dd8448eb211c80319c")
        #expect(object["span_id"] as? String == "00f067aa0ba902b7")
    }

    @Test func `a log that nobody can take is counted, and stops nothing`() {
        let sink = LogSink(descriptor: -1)
        Logger(label: "x") { JSONLogHandler(label: $0, sink: sink) }.error("lost")
        #expect(sink.droppedLines == 1)
    }

    @Test func `a reader that is stuck costs lines, which are counted, and what comes after is whole`() throws {
        let descriptor = self.pipe.fileHandleForWriting.fileDescriptor
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        let sink = LogSink(descriptor: descriptor)
        let logger = Logger(label: "x") { JSONLogHandler(label: $0, sink: sink) }
        let text = String(repeating: "x", count: 3000)
        for _ in 0..<100 { logger.info("\(text)") }
        let dropped = Int(sink.droppedLines)
        #expect((1..<100).contains(dropped))

        var read = self.pipe.fileHandleForReading.availableData
        logger.info("after")
        try self.pipe.fileHandleForWriting.close()
        read += try #require(try self.pipe.fileHandleForReading.readToEnd())
        let lines = read.split(separator: UInt8(ascii: "\n"))
        let whole = lines.filter { (try? JSONSerialization.jsonObject(with: Data($0))) != nil }
        #expect(sink.droppedLines == dropped)
        #expect(whole.count == 100 - dropped + 1)
        #expect(lines.count <= whole.count + 1)
        #expect(String(decoding: lines[lines.count - 1], as: UTF8.self).contains(#""message":"after""#))
    }
}
