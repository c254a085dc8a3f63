// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import semcache

struct StreamTests {
    /// Puts a file somewhere and reads it as a stream.
    private func stream(_ contents: [UInt8], limit: Int? = nil) async throws -> LabelledStream {
        try await Self.withFile(contents) { path in
            var stream = LabelledStream()
            try await stream.read(path, limit: limit)
            return stream
        }
    }

    static func withFile<Value>(_ contents: [UInt8], _ body: (String) async throws -> Value) async throws -> Value {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("stream-\(UUID().uuidString)")
        try Data(contents).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try await body(file.path)
    }

    @Test func `lines of two columns are questions and labels`() async throws {
        let stream = try await self.stream(Array("query\tintent\nWhy?\ta b\r\nHow?\tc\nWho?\ta b".utf8))
        #expect(stream.questions.map { $0.text } == ["Why?", "How?", "Who?"])
        #expect(stream.questions.map { $0.label } == [0, 1, 0])
        #expect(stream.labels.map { $0.answer } == ["a b", "c"])
        #expect(stream.agree(0, 0) && !stream.agree(0, 1))
    }

    @Test func `lines of JSON agree if they share an answer, whatever its case and punctuation`() async throws {
        let lines = #"""
            {"prompt": "when?", "response": "14 December 1972 UTC | December 1972"}
            {"prompt": "what month?", "response": "DECEMBER, 1972."}
            {"prompt": "who?", "response": "14 December"}
            {"prompt": "what sign?", "response": "!"}
            {"prompt": "which sign?", "response": "?"}
            """#
        let stream = try await self.stream(Array(lines.utf8))
        #expect(stream.agree(0, 1) && stream.agree(1, 0))
        #expect(!stream.agree(0, 2) && !stream.agree(3, 4))
    }

    @Test func `labels of two files are not the same though they are written alike`() async throws {
        var stream = try await self.stream(Array("q\tl\na\tx".utf8))
        stream = try await Self.withFile(Array("q\tl\nb\tx".utf8)) { [stream] path in
            var both = stream
            try await both.read(path, limit: nil)
            return both
        }
        #expect(stream.parts == [0..<1, 1..<2])
        #expect(stream.questions.map { $0.label } == [0, 1] && !stream.agree(0, 1))
    }

    @Test func `no more is read than is asked for`() async throws {
        let stream = try await self.stream(Array("q\tl\na\tx\nb\ty\nc\tz\n".utf8), limit: 2)
        #expect(stream.questions.count == 2)
    }

    private static let hostile: [(line: [UInt8], fault: String)] = [
        (Array("no tab".utf8), "has no tab: a question, a tab and its label belong there"),
        ([], "is empty"),
        (Array(" \t ".utf8), "is empty"),
        (Array("a\tb\tc".utf8), "has more than one tab"),
        (Array("a\t".utf8), "has no label after the tab"),
        ([0x61, 0, 0x09, 0x62], "has a NUL"),
        ([0x61, 0xff, 0x09, 0x62], "is not valid UTF-8"),
        ([0xc3, 0x09, 0x62], "is not valid UTF-8"),
        (Array("\tlabel".utf8), "has a question that no lookup takes: prompt is empty"),
        (
            Self.long(65_537) + [0x09, 0x62],
            "has a question that no lookup takes: prompt has 65537 bytes, the limit is 65536"
        ),
        (Self.long(262_145), "has 262145 bytes, the limit is 262144"),
        (Self.long((8 << 20) + 1), "has too many bytes"),
    ]

    private static func long(_ count: Int) -> [UInt8] { Array(repeating: 0x61, count: count) }

    @Test(arguments: hostile)
    func `a hostile line is refused by its number`(line: [UInt8], fault: String) async throws {
        let error = await #expect(throws: CommandFault.self) {
            _ = try await self.stream(Array("query\tlabel\ngood\tx\n".utf8) + line + Array("\nlast\tx\n".utf8))
        }
        #expect(error?.text.hasSuffix(", line 3: \(fault)") == true, "\(error?.text ?? "")")
    }

    @Test(arguments: [
        (#"{"prompt": "a"}"#, #"has no "response""#), ("[]", "is not a JSON object"), ("{", "is not valid JSON"),
        (#"{"prompt": "a", "response": ""}"#, #""response" is empty"#),
    ])
    func `a hostile line of JSON is refused by its number`(line: String, fault: String) async throws {
        let error = await #expect(throws: CommandFault.self) {
            _ = try await self.stream(Array("{\"prompt\": \"q\", \"response\": \"r\"}\n\(line)\n".utf8))
        }
        #expect(error?.text.hasSuffix(", line 2: \(fault)") == true, "\(error?.text ?? "")")
    }

    @Test(arguments: ["", "only\theader", "\u{feff}query\tlabel\n"])
    func `a file without questions is refused`(text: String) async throws {
        let error = await #expect(throws: CommandFault.self) { _ = try await self.stream(Array(text.utf8)) }
        #expect(error?.text.hasSuffix("has no questions") == true)
    }

    @Test func `an order is a permutation, the same each time, and another by another number`() async throws {
        var lines = "query\tlabel\n"
        for number in 0..<100 { lines += "question \(number)\tx\n" }
        let stream = try await self.stream(Array(lines.utf8))
        #expect(stream.order(0) == Array(0..<100))
        #expect(stream.order(1).sorted() == Array(0..<100))
        #expect(stream.order(1) == stream.order(1) && stream.order(1) != stream.order(2))
        // Written down: a benchmark that others repeat must have the same order everywhere.
        var numbers = SeededNumbers(1, of: 0)
        #expect(numbers.order(of: 0..<8) == [4, 1, 7, 5, 3, 0, 6, 2])
    }
}
