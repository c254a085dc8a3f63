// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Testing

@testable import semcache

struct ImportRecordTests {
    @Test func `a record has all that it may have`() throws {
        let line = #"""
            {"prompt": "q", "response": "r\u0000\n", "attributes": {"s": "x", "n": 1.5, "b": true, "l": ["a"]},
            "ttl_seconds": 1.5, "vary": {"model": "m"}, "tags": ["t"], "content_type": "text/html", "other": {"x": 1}}
            """#
        let record = try ImportRecord(line: Array(line.utf8))
        #expect(record.prompt == "q")
        #expect(record.response == Array("r\0\n".utf8))
        #expect(record.timeToLive(at: .now) == .milliseconds(1500))
        #expect(record.vary == ["model": "m"])
        #expect(record.tags == ["t"])
        #expect(record.contentType == "text/html")
        let attributes = record.attributes.mapValues { $0.value }
        #expect(attributes == ["s": "x", "n": 1.5, "b": true, "l": ["a"]])
    }

    @Test(arguments: [
        (#"{"prompt": "q", "response": "r""#, "is not valid JSON"),
        ("", "is not valid JSON"),
        (#"["q", "r"]"#, "is not a JSON object"),
        (#""secret""#, "is not a JSON object"),
        (#"{"prompt": "secret"}"#, #"has no "response""#),
        (#"{"response": "secret"}"#, #"has no "prompt""#),
        (#"{"prompt": 7, "response": "r"}"#, #""prompt" is not a string"#),
        (#"{"prompt": null, "response": "r"}"#, #""prompt" is not a string"#),
        (#"{"prompt": "", "response": "r"}"#, #""prompt" is empty"#),
        (#"{"prompt": "q", "response": ""}"#, #""response" is empty"#),
        (#"{"prompt": "q", "response": {"secret": 1}}"#, #""response" is not a string"#),
        (#"{"prompt": "q", "response": "r", "ttl_seconds": "1h"}"#, #""ttl_seconds" is not a number"#),
        (#"{"prompt": "q", "response": "r", "ttl_seconds": 0}"#, #""ttl_seconds" is not 0.001 to 315360000"#),
        (#"{"prompt": "q", "response": "r", "ttl_seconds": -1}"#, #""ttl_seconds" is not 0.001 to 315360000"#),
        (#"{"prompt": "q", "response": "r", "ttl_seconds": 1e300}"#, #""ttl_seconds" is not 0.001 to 315360000"#),
        (#"{"prompt": "q", "response": "r", "tags": "t"}"#, #""tags" is not a list of strings"#),
        (#"{"prompt": "q", "response": "r", "vary": {"secret": 1}}"#, #""vary" is not an object of strings"#),
        (
            #"{"prompt": "q", "response": "r", "attributes": {"secret": {"x": 1}}}"#,
            #""attributes" is not an object of strings, numbers, Booleans and lists of strings"#
        ),
        (
            #"{"prompt": "q", "response": "r", "attributes": {"secret": [1]}}"#,
            #""attributes" is not an object of strings, numbers, Booleans and lists of strings"#
        ),
    ])
    func `a bad line is described without its text`(line: String, fault: String) {
        let error = #expect(throws: CommandFault.self) { try ImportRecord(line: Array(line.utf8)) }
        #expect(error?.text == fault)
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        let line = Array(#"{"prompt": "q"#.utf8) + [0xff] + Array(#"", "response": "r"}"#.utf8)
        #expect(throws: CommandFault.self) { try ImportRecord(line: line) }
    }
}

struct LineCutterTests {
    private func lines(_ text: String, limit: Int, pieces: Int) -> [LineCutter.Line] {
        var cutter = LineCutter(maximumBytes: limit)
        var lines: [LineCutter.Line] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            cutter.append(Array(rest.prefix(pieces)))
            rest = rest.dropFirst(pieces)
            while let line = cutter.next() { lines.append(line) }
        }
        if let last = cutter.finish() { lines.append(last) }
        if let more = cutter.finish() { lines.append(more) }
        return lines
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func `lines are cut wherever the pieces end`(pieces: Int) {
        let lines = self.lines("\u{feff}one\n\ntwo\r\n0123456789\nthree", limit: 8, pieces: pieces)
        let expected: [LineCutter.Line] = [
            .content(Array("one".utf8), number: 1), .content([], number: 2), .content(Array("two\r".utf8), number: 3),
            .tooLong(number: 4), .content(Array("three".utf8), number: 5),
        ]
        #expect(lines == expected)
    }

    @Test(arguments: [1, 5, 1000])
    func `a line may have as many bytes as allowed and not one more`(pieces: Int) {
        #expect(self.lines("12345678", limit: 8, pieces: pieces) == [.content(Array("12345678".utf8), number: 1)])
        #expect(self.lines("123456789", limit: 8, pieces: pieces) == [.tooLong(number: 1)])
        #expect(self.lines("12345678\n", limit: 8, pieces: pieces) == [.content(Array("12345678".utf8), number: 1)])
        #expect(self.lines("123456789\n", limit: 8, pieces: pieces) == [.tooLong(number: 1)])
        #expect(self.lines("", limit: 8, pieces: pieces) == [])
    }

    @Test func `of a line that is too long nothing is kept`() {
        var cutter = LineCutter(maximumBytes: 8)
        for _ in 0..<1000 {
            cutter.append(Array(repeating: 0x78, count: 1000))
            #expect(cutter.next() == nil)
            #expect(cutter.bufferedBytes <= 1000)
        }
        cutter.append([0x0a, 0x61])
        #expect(cutter.next() == .tooLong(number: 1))
        #expect(cutter.finish() == .content([0x61], number: 2))
    }
}

struct ImportProgressTests {
    private func text(_ lines: Int, failed: Int = 0, read: Int = 0, of total: Int? = nil, seconds: Int64) -> String {
        ImportProgress(
            tally: ImportTally(stored: lines - failed, replaced: 0, failed: failed), bytesRead: read, totalBytes: total,
            elapsed: .seconds(seconds)
        ).text
    }

    @Test func `the bar shows how far it is, how fast, and how long it will take`() {
        #expect(
            self.text(5000, failed: 2, read: 250, of: 1000, seconds: 10)
                == "[######..................] 25 %  5,000 lines  500/s  30s left  2 failed")
        #expect(
            self.text(1000, read: 1000, of: 1000, seconds: 1)
                == "[########################] 100 %  1,000 lines  1,000/s")
        // A file that grows while it is read.
        #expect(self.text(1, read: 2000, of: 1000, seconds: 1).hasPrefix("[########################] 100 %"))
    }

    @Test func `without a size there is no bar, and nothing is divided by zero`() {
        #expect(self.text(5000, seconds: 10) == "5,000 lines  500/s")
        #expect(self.text(0, read: 0, of: 0, seconds: 0) == "0 lines  0/s")
    }

    @Test func `the summary counts what was done`() {
        let tally = ImportTally(stored: 65_700, replaced: 29, failed: 3)
        let text = ImportCommand.summary(tally, .seconds(50), cache: "support", isComplete: true)
        let expected = "imported 65,700 entries into support in 50.0 s (1,314/s), 29 of them replaced earlier ones"
        #expect(text == expected + "; 3 lines failed")
    }
}
