// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient
import Testing

@testable import semcache

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Gives a closure the path of a file with this content.
private func withFile<Value>(_ content: [UInt8], _ body: (String) throws -> Value) throws -> Value {
    let file = FileManager.default.temporaryDirectory.appending(path: "semcache-\(UUID().uuidString)")
    try Data(content).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    return try body(file.path)
}

private func withFile<Value>(_ content: String, _ body: (String) throws -> Value) throws -> Value {
    try withFile(Array(content.utf8), body)
}

struct CredentialOptionsTests {
    private func options(_ arguments: String...) throws -> CredentialOptions {
        let command = try #require(try Semcache.parseAsRoot(["ping"] + arguments) as? PingCommand)
        return command.server.credential
    }

    @Test(
        arguments: [
            ([:], .none), (["SEMCACHED_API_KEY": "", "SEMCACHED_TOKEN": ""], .none),
            (["SEMCACHED_API_KEY": "k"], .apiKey("k")), (["SEMCACHED_TOKEN": "t"], .token("t")),
        ] as [([String: String], CacheCredential)])
    func `the environment names a credential`(environment: [String: String], credential: CacheCredential) throws {
        #expect(try self.options().credential(environment: environment) == credential)
    }

    @Test func `an option comes before the environment, and white space around the secret does not count`() throws {
        let environment = ["SEMCACHED_API_KEY": "k", "SEMCACHED_TOKEN": "t"]
        for text in ["secret", "secret\n", " secret\r\n\n"] {
            try withFile(text) { path in
                let key = try self.options("--api-key-file", path).credential(environment: environment)
                let token = try self.options("--token-file", path).credential(environment: environment)
                #expect(key == .apiKey("secret"))
                #expect(token == .token("secret"))
            }
        }
    }

    @Test func `two credentials in the environment are an error`() throws {
        let environment = ["SEMCACHED_API_KEY": "secret", "SEMCACHED_TOKEN": "secret"]
        let error = #expect(throws: CommandFault.self) { try self.options().credential(environment: environment) }
        #expect(error?.text == "SEMCACHED_API_KEY and SEMCACHED_TOKEN are both set; set one of them")
    }

    @Test(arguments: ["", "\n", "two secrets", "a\nsecret"])
    func `a file without one secret is an error that does not show it`(content: String) throws {
        try withFile(content) { path in
            let error = #expect(throws: CommandFault.self) { try self.options("--token-file", path).credential() }
            #expect(error?.text == "the token's file must hold one word and nothing else")
        }
    }

    @Test func `a file that is not there is an error with its name`() throws {
        let path = try withFile("") { $0 }
        let error = #expect(throws: CommandFault.self) { try self.options("--api-key-file", path).credential() }
        #expect(error?.text == "cannot read \(path): No such file or directory")
    }

    @Test func `a gateway names its tenant`() throws {
        let command = try #require(try Semcache.parseAsRoot(["ping", "--tenant", "acme"]) as? PingCommand)
        #expect(try command.server.clientConfiguration().tenant == "acme")
    }
}

struct ChatOptionsTests {
    private func lookup(_ arguments: String...) throws -> AskedPrompt {
        let command = try #require(try Semcache.parseAsRoot(["lookup"] + arguments) as? LookupCommand)
        return try command.chat.asked(orText: command.prompt)
    }

    @Test func `messages take the place of the prompt`() throws {
        let chat = [
            CacheChatMessage(role: "system", content: ""), CacheChatMessage(role: "user", content: " a=b "),
        ]
        #expect(try self.lookup("a question") == .text("a question"))
        #expect(try self.lookup("--message", "system=", "--message", "user= a=b ") == .chat(chat))
        let json = #"[{"role": "system", "content": ""}, {"content": " a=b ", "role": "user"}]"#
        let read = try withFile(json) { path in try self.lookup("--messages", path) }
        #expect(read == .chat(chat))
    }

    @Test func `a store takes a prompt or a chat, and a response`() throws {
        for arguments in [
            ["q", "r"], ["q", "-"], ["-", "r"], ["q", "--response-file", "f"], ["--message", "user=q", "r"],
            ["--messages", "-", "r"], ["--messages", "f", "-"], ["--message", "user=q", "--response-file", "f"],
        ] {
            #expect(throws: Never.self) { try Semcache.parseAsRoot(["store"] + arguments) }
        }
    }

    @Test(arguments: [
        "", "{}", "secret", "[1]", #"[{"role": "user"}]"#, #"[{"content": "secret"}]"#,
        #"[{"role": "user", "content": null}]"#,
        #"[{"role": "user", "content": [{"type": "text", "text": "secret"}]}]"#,
        #"{"messages": [{"role": "user", "content": "secret"}]}"#, #"[{"role": "user", "content": "secret"}"#,
    ])
    func `a file that is no chat is an error without its text`(json: String) {
        let error = #expect(throws: CommandFault.self) { try ChatFile.messages(Array(json.utf8)) }
        #expect(
            error?.text == "the chat is no JSON list of objects whose \"role\" and \"content\" are strings"
                && error?.field == "messages")
    }

    @Test(arguments: ["name", "tool_calls", "tool_call_id", "secret"])
    func `what else a message says is not left out`(key: String) {
        let json = #"[{"role": "user", "content": "q", "\#(key)": "x"}]"#
        let error = #expect(throws: CommandFault.self) { try ChatFile.messages(Array(json.utf8)) }
        #expect(error?.text.hasPrefix("a message has something else than") == true)
    }
}
