// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import HTTPEmbedder

struct JudgeReplyTests {
    @Test(arguments: ["yes", "Yes", "YES", "yes.", " yes\n", "**Yes**.", "\"yes\"", "`yes`", "Yes!"])
    func `yes is yes, whatever is around it`(_ text: String) { #expect(JudgeReply.verdict(text) == true) }

    @Test(arguments: ["no", "No.", "NO\n\n", "'no'"])
    func `no is no`(_ text: String) { #expect(JudgeReply.verdict(text) == false) }

    @Test(arguments: [
        "", " ", ".", "maybe", "yes no", "yes, but", "Yes and no", "not", "yeses", "ye s", "y", "n", "true", "1", "ja",
        "{\"same\":true}", "yes\0", "\u{ff59}\u{ff45}\u{ff53}", "ye\u{301}s", "<think>yes", "no?", "noyes", "(yes)",
    ])
    func `anything else is no opinion`(_ text: String) { #expect(JudgeReply.verdict(text) == nil) }

    private func read(_ text: String) throws(ProviderAnswer.Fault) -> JudgeReply {
        try JudgeReply(Array(text.utf8))
    }

    @Test func `a reply has an opinion and what it took`() throws {
        let reply = try self.read(ChatText.reply("\"No.\"", tokens: 77))
        #expect(reply.isSame == false)
        #expect(reply.tokens == 77)
        #expect(try self.read(ChatText.reply("\"yes\"", finish: "null")).isSame == true)
    }

    @Test func `a reply that was cut off, filtered or refused is no opinion, and costs all the same`() throws {
        let finishes = [
            "length", "content_filter", "tool_calls", "function_call", "max_tokens", "refusal", "safety", "error", "",
            "STOP ", "stop\\n", "pause_turn",
        ]
        for finish in finishes {
            let reply = try self.read(ChatText.reply("\"yes\"", finish: "\"\(finish)\""))
            #expect(reply.isSame == nil && reply.tokens == 42, "\(finish)")
        }
        for finish in ["stop", "eos", "end_turn"] {
            #expect(try self.read(ChatText.reply("\"yes\"", finish: "\"\(finish)\"")).isSame == true)
        }
        #expect(try self.read(ChatText.reply("null")).isSame == nil)
        let refused = #"{"message":{"content":"yes","refusal":"I cannot"},"finish_reason":"stop"}"#
        #expect(try self.read(ChatText.list([refused])).isSame == nil)
    }

    @Test func `none and several choices are no opinion`() throws {
        #expect(try self.read(ChatText.list([])).isSame == nil)
        let yes = ChatText.choice("\"yes\"")
        #expect(try self.read(ChatText.list([yes, yes])).isSame == nil)
    }

    @Test(arguments: [
        ("null", 0), ("{}", 0), (#"{"prompt_tokens":3,"completion_tokens":2}"#, 5), (#"{"total_tokens":-5}"#, 0),
        (#"{"total_tokens":9223372036854775807}"#, Limits.judgeTokens),
        (#"{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}"#, Limits.judgeTokens),
    ])
    func `what it says it took is bounded`(_ usage: String, _ tokens: Int) throws {
        #expect(try self.read(ChatText.list([ChatText.choice("\"yes\"")], usage: usage)).tokens == tokens)
    }

    @Test(arguments: [
        "", "yes", "{}", "[]", "null", #"{"choices":null}"#, #"{"choices":[{}]}"#, #"{"choices":["yes"]}"#,
        #"{"choices":[{"text":"yes"}]}"#, #"{"error":{"message":"yes"}}"#,
        #"{"choices":[{"message":{"content":["yes"]}}]}"#, #"{"choices":[{"message":{"content":true}}]}"#,
        String(repeating: "[", count: 100_000),
    ])
    func `what is no reply of a chat is refused`(_ text: String) {
        #expect(throws: ProviderAnswer.Fault.malformed) { try self.read(text) }
    }

    @Test func `a reply that is cut at any byte is refused`() {
        let whole = Array(ChatText.reply("\"yes\"").utf8)
        for length in 0..<whole.count {
            #expect(throws: ProviderAnswer.Fault.malformed) { try JudgeReply(Array(whole.prefix(length))) }
        }
    }

    @Test(arguments: 0..<20)
    func `a reply with bytes changed is read or refused`(_ seed: UInt64) {
        var generator = SeededGenerator(seed)
        let whole = Array(ChatText.reply("\"maybe\"").utf8)
        for _ in 0..<200 {
            var bytes = whole
            for _ in 0..<generator.int(1...4) {
                bytes[generator.int(0...bytes.count - 1)] = UInt8(generator.int(0...255))
            }
            // Nothing that was said becomes a yes by chance, and nothing traps.
            if let reply = try? JudgeReply(bytes) { #expect(reply.isSame == nil) }
        }
    }
}
