// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheModel
import Testing

@testable import CacheClient
@testable import semcache

struct ExportRecordTests {
    private func exported(
        _ response: [UInt8], vary: [VaryPart]? = [], context: Digest? = nil, usage: Usage? = nil, expires: Int64 = 2000
    ) throws -> CacheExportedEntry {
        CacheExportedEntry(
            ExportedEntry(
                entry: CacheEntry(
                    id: EntryID(high: 0, low: 1), prompt: try CanonicalPrompt("a \"question\""), response: response,
                    contentType: "text/html",
                    attributes: [
                        Attribute(name: "s", value: .string("1")), Attribute(name: "n", value: .number(0.1)),
                        Attribute(name: "b", value: .boolean(false)), Attribute(name: "tags", value: .strings(["t"])),
                    ], usage: usage, createdAt: Timestamp(milliseconds: 1000),
                    expiresAt: Timestamp(milliseconds: expires)),
                vary: vary, context: context))
    }

    private func line(_ entry: CacheExportedEntry) -> String { JSONText.line(ExportRecord(entry)) }

    @Test func `a line has all of an entry`() throws {
        let usage = Usage(promptTokens: 1, completionTokens: 2, cost: 0.5)
        let entry = try self.exported(Array("a\nb".utf8), vary: [VaryPart(name: "m", value: "x")], usage: usage)
        let expected =
            #"{"attributes":{"b":false,"n":0.1,"s":"1","tags":["t"]},"content_type":"text/html","#
            + #""created_at":"1970-01-01T00:00:01.000Z","entry_id":"00000000000000000000000000000001","#
            + #""expires_at":"1970-01-01T00:00:02.000Z","prompt":"a \"question\"","response":"a\nb","#
            + #""usage":{"completion_tokens":2,"cost":0.5,"prompt_tokens":1},"vary":{"m":"x"}}"#
        #expect(self.line(entry) == expected)
    }

    @Test(arguments: [[0x61, 0x0a], [0xff, 0x00], [0x00]] as [[UInt8]])
    func `an import reads what an export wrote`(response: [UInt8]) throws {
        let usage = Usage(promptTokens: .max, completionTokens: 0, cost: 0.125)
        let vary = [VaryPart(name: "z", value: ""), VaryPart(name: "a", value: "\u{e9}")]
        let entry = try self.exported(response, vary: vary, usage: usage, expires: 1_763_712_300_123)
        let record = try ImportRecord(line: Array(self.line(entry).utf8))
        #expect(record.skip == nil && record.prompt == entry.prompt && record.response == response)
        #expect(record.vary == entry.vary && record.contentType == "text/html")
        #expect(record.attributes.mapValues { $0.value } == entry.attributes && record.usage?.usage == entry.usage)
        #expect(record.timeToLive(at: CacheInstant(milliseconds: 1_763_712_300_000)) == .milliseconds(123))
        #expect(record.timeToLive(at: CacheInstant(milliseconds: .min)) == .zero)
    }

    @Test func `what an import could store under a wrong identity only, it skips`() throws {
        let chat = try self.exported([1], context: Fingerprint(.context).finish())
        let unknown = try self.exported([1], vary: nil)
        #expect(self.line(unknown).contains(#""vary":null"#))
        #expect(try ImportRecord(line: Array(self.line(chat).utf8)).skip == .context)
        #expect(try ImportRecord(line: Array(self.line(unknown).utf8)).skip == .unknownVary)
        let plain = #"{"prompt": "q", "response": "r""#
        #expect(try ImportRecord(line: Array((plain + "}").utf8)).skip == nil)
        #expect(try ImportRecord(line: Array((plain + #", "context": null}"#).utf8)).skip == nil)
        #expect(try ImportRecord(line: Array((plain + #", "context": 7}"#).utf8)).skip == .context)
    }

    @Test(arguments: [
        (#"{"prompt": "q", "response_base64": "%"}"#, #""response_base64" is not a string of Base64"#),
        (#"{"prompt": "q", "response_base64": ""}"#, #""response" is empty"#),
        (
            #"{"prompt": "q", "response": "r", "expires_at": "soon"}"#,
            #""expires_at" is not a time such as 2025-11-21T07:45:00.123Z"#
        ),
        (
            #"{"prompt": "q", "response": "r", "usage": {"cost": 1}}"#,
            #""usage" is not an object of prompt_tokens, completion_tokens and cost"#
        ),
    ])
    func `a bad line is described without its text`(line: String, fault: String) {
        let error = #expect(throws: CommandFault.self) { try ImportRecord(line: Array(line.utf8)) }
        #expect(error?.text == fault)
    }

    @Test func `a time is read in the forms that there are`() {
        for (text, milliseconds) in [
            ("1970-01-01T00:00:01.500Z", 1500), ("1970-01-01T00:00:01Z", 1000), ("-5", -5),
            ("253402300800000", 253_402_300_800_000),
        ] as [(String, Int64)] {
            #expect(CacheInstant(text) == CacheInstant(milliseconds: milliseconds))
        }
        for text in ["", "soon", "1.5", "1e3", "1970-01-01"] { #expect(CacheInstant(text) == nil) }
    }
}

struct ExportCommandTests {
    @Test func `the summary says what was done and how to go on`() throws {
        var progress = ExportProgress(cursor: nil)
        progress.entries = 1200
        #expect(
            progress.summary(cache: "c", isComplete: true, .milliseconds(1500))
                == "exported 1,200 entries of c in 1.5 s")
        progress.cursor = CacheExportCursor("00ff")
        progress.bound = 2
        let text = progress.summary(cache: "c", isComplete: false, .seconds(1))
        #expect(text.hasPrefix("not complete: exported 1,200 entries of c in 1.0 s; 2 of them"))
        #expect(text.hasSuffix("; go on with --resume 00ff"))
    }

    @Test func `a cursor that is none is refused`() throws {
        #expect(throws: (any Error).self) { try ExportCommand.parse(["--resume", "xyz"]) }
        let command = try ExportCommand.parse(["--resume", "00ff", "--output", "f", "--filter", "draft"])
        #expect(command.resume?.cursor.description == "00ff")
    }

    @Test func `an import counts what it skips by its reason`() {
        var tally = ImportTally(stored: 1, replaced: 0, failed: 0)
        tally.skipped = [.expired: 2, .context: 1]
        #expect(tally.lines == 4)
        let text = ImportCommand.summary(tally, .seconds(1), cache: "c", isComplete: true)
        #expect(text.contains("; 1 line skipped (of chats with a context); 2 lines skipped (expired)"))
    }
}
