// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient
import Testing

@testable import semcache

struct DurationTextTests {
    @Test(
        arguments: [
            ("90", 90_000), ("500ms", 500), ("30s", 30_000), ("1h30m", 5_400_000), ("1.5h", 5_400_000),
            ("7d", 604_800_000),
            ("0.001", 1), ("2m5s", 125_000),
        ] as [(String, Int64)])
    func `a duration is read`(text: String, milliseconds: Int64) {
        #expect(DurationText.duration(text) == .milliseconds(milliseconds))
    }

    @Test(arguments: [
        "", "0", "0s", "-1s", "1x", "h", "1h30", "1 h", "1e9", "inf", "nan", "1..5s", "99999999d", "1h-5m", "٣s",
        "0.0001",
    ])
    func `what is no duration is refused`(text: String) {
        #expect(DurationText.duration(text) == nil)
    }

    @Test(
        arguments: [
            (0, "0ms"), (999, "999ms"), (1000, "1s"), (61_000, "1m 1s"), (3_600_000, "1h"), (93_784_000, "1d 2h"),
            (7_205_000, "2h"), (-5, "0ms"),
        ] as [(Int64, String)])
    func `a duration is written with its two largest units`(milliseconds: Int64, text: String) {
        #expect(DurationText.text(.milliseconds(milliseconds)) == text)
    }
}

struct AttributeTextTests {
    @Test(
        arguments: [
            ("a=b", "a", .string("b")), ("a=", "a", .string("")), ("a=b=c", "a", .string("b=c")),
            ("a=true", "a", .boolean(true)),
            ("a=false", "a", .boolean(false)), ("a=True", "a", .string("True")), ("a=1", "a", .number(1)),
            ("a=-2.5", "a", .number(-2.5)), ("a=1e3", "a", .number(1000)), ("a=007", "a", .string("007")),
            ("a=nan", "a", .string("nan")), ("a=1.2.3", "a", .string("1.2.3")),
            ("a=2024-01-01", "a", .string("2024-01-01")),
            (#"a=["x","y"]"#, "a", .strings(["x", "y"])), ("a=[]", "a", .strings([])),
            ("a=[draft]", "a", .string("[draft]")),
            ("a=[1]", "a", .string("[1]")), (#"a:="1.10""#, "a", .string("1.10")), ("a:=true", "a", .boolean(true)),
            (#"a="q""#, "a", .string(#""q""#)), ("a=1e999", "a", .string("1e999")), ("a=null", "a", .string("null")),
        ] as [(String, String, CacheAttribute)])
    func `an attribute has the type that it looks like`(text: String, name: String, value: CacheAttribute) throws {
        let attribute = try #require(AttributeText(argument: text))
        #expect(attribute.name == name)
        #expect(attribute.value == value)
    }

    @Test(arguments: ["", "a", "=b", ":=1", "a:=b", "a:={}", "a:=[1]", "a:=null", "a:="])
    func `what is no attribute is refused`(text: String) {
        #expect(AttributeText(argument: text) == nil)
    }
}

struct CommandArgumentTests {
    private func parse<Command>(_ type: Command.Type, _ arguments: String...) throws -> Command {
        try #require(try Semcache.parseAsRoot(arguments) as? Command)
    }

    @Test func `a lookup takes all of its options`() throws {
        let command = try self.parse(
            LookupCommand.self, "lookup", "a question", "--cache", "support", "--vary", "model=small", "--vary", "t=0",
            "--filter", "lang == \"de\"", "--distance", "0.25", "--top-k", "3", "--max-age", "1h", "--mode", "semantic",
            "--server", "[::1]:1",
            "--timeout", "2s", "--json")
        #expect(command.prompt == "a question")
        #expect(command.cache.cache == "support")
        #expect(try command.vary.parts() == ["model": "small", "t": "0"])
        #expect(command.filter == "lang == \"de\"")
        #expect(command.maxAge?.duration == .seconds(3600))
        #expect(command.mode.mode == .semantic)
        #expect(command.topK == 3)
        #expect(command.server.json)
        let configuration = try command.server.clientConfiguration()
        #expect(configuration.address == ServerAddress(host: "::1", port: 1))
        #expect(configuration.timeout == .seconds(2))
    }

    @Test(arguments: [
        ["--server", "a:1,semcached://b,[::1]:2"], ["--server", "a:1", "--server", "b", "--server", "[::1]:2"],
        ["--server", "a:1, b", "--server", "[::1]:2"],
    ])
    func `several servers are listed or the option is repeated`(arguments: [String]) throws {
        let command = try #require(try Semcache.parseAsRoot(["ping"] + arguments) as? PingCommand)
        let configuration = try command.server.clientConfiguration()
        #expect(configuration.addresses.map { "\($0)" } == ["a:1", "b:7070", "[::1]:2"])
        #expect(configuration.transportSecurity == .plaintext)
    }

    @Test func `one server that asks for TLS asks for it everywhere`() throws {
        let command = try self.parse(StatsCommand.self, "stats", "--server", "a,semcached+tls://b")
        #expect(try command.server.clientConfiguration().transportSecurity == .tls(ClientTLS()))
    }

    @Test(arguments: ["a,", ",a", "a,,b", "a, b,", "a,b c"])
    func `a list of servers with a hole is an error`(list: String) throws {
        let command = try self.parse(StatsCommand.self, "stats", "--server", list)
        #expect(throws: CacheClientError.self) { try command.server.clientConfiguration() }
    }

    @Test func `a dash is a prompt`() throws {
        #expect(try self.parse(LookupCommand.self, "lookup", "-").prompt == "-")
    }

    @Test(arguments: [
        ["lookup"], ["lookup", "q", "--threshold", "0.5", "--distance", "0.5"], ["lookup", "q", "--threshold", "1.5"],
        ["lookup", "q", "--threshold", "nan"], ["lookup", "q", "--distance", "3"], ["lookup", "q", "--mode", "fuzzy"],
        ["lookup", "q", "--vary", "a=1", "--vary", "a=2"], ["lookup", "q", "--vary", "a"],
        ["lookup", "q", "--max-age", "x"],
        ["lookup", "q", "--message", "user=q"], ["lookup", "--message", "q"], ["lookup", "--message", "=q"],
        ["lookup", "--message", "user=q", "--messages", "f"], ["lookup", "q", "--api-key", "smc_x"],
        ["lookup", "q", "--token", "x"], ["lookup", "q", "--api-key-file", "a", "--token-file", "b"],
        ["store", "q"], ["store", "q", "r", "--response-file", "f"], ["store", "-", "-"], ["store"],
        ["store", "q", "r", "x"], ["store", "q", "r", "--message", "user=q"], ["store", "--message", "user=q"],
        ["store", "r", "--message", "user=q", "--response-file", "f"], ["store", "--messages", "-", "-"],
        ["store", "--messages", "-", "--response-file", "-"], ["store", "--message", "user=q", "--messages", "f", "r"],
        ["invalidate", "--filter", "a", "--tag", "b"], ["invalidate", "--all", "--filter", "a"],
        ["invalidate", "--whole-tenant"], ["invalidate", "--confirm", "acme"],
        ["invalidate", "--all", "--confirm", "a"],
        ["invalidate", "--whole-tenant", "--confirm", "acme", "--cache", "c"],
        ["invalidate", "--whole-tenant", "--confirm", "acme", "--all"],
        ["invalidate", "--filter", "a", "--vary", "a=b"], ["invalidate", "--tag", "a", "--vary", "a=b"],
        ["store", "-", "--response-file", "-"], ["store", "q", "r", "--ttl", "0"],
        ["store", "q", "r", "--attribute", "a"],
        ["store", "q", "r", "--attribute", "a=1", "--attribute", "a=2"], ["invalidate"],
        ["invalidate", "--all", "--prompt", "q"],
        ["invalidate", "--similar", "q"], ["invalidate", "--prompt", "q", "--similarity", "0.5"],
        ["invalidate", "--id", "xyz"],
        ["invalidate", "--all", "--similarity", "0.5"], ["invalidate", "--all", "--vary", "a=b"],
        ["invalidate", "--similar", "q", "--similarity", "0.5", "--distance", "0.5"],
        ["import", "f", "--concurrency", "0"], ["ping", "--count", "0"], ["unknown"],
    ])
    func `arguments that make no sense are refused`(arguments: [String]) {
        #expect(throws: (any Error).self) { try Semcache.parseAsRoot(arguments) }
    }

    @Test func `an invalidation has exactly one target`() throws {
        let id = "0123456789abcdef0123456789abcdef"
        let targets = try [
            self.parse(InvalidateCommand.self, "invalidate", "--id", id, "--id", id),
            self.parse(InvalidateCommand.self, "invalidate", "--prompt", "q", "--vary", "a=b"),
            self.parse(InvalidateCommand.self, "invalidate", "--similar", "q", "--distance", "0.25", "--dry-run"),
            self.parse(InvalidateCommand.self, "invalidate", "--all"),
            self.parse(InvalidateCommand.self, "invalidate", "--filter", "not draft", "--cache", "c"),
            self.parse(InvalidateCommand.self, "invalidate", "--tag", "a", "--tag", "b"),
            self.parse(InvalidateCommand.self, "invalidate", "--whole-tenant", "--confirm", "acme"),
        ].map { try $0.target() }
        let entry = try #require(CacheEntryID(id))
        let expected: [InvalidationTarget] = [
            .entries([entry, entry]), .prompt("q", vary: ["a": "b"]), .similar(to: "q", similarity: 0.75), .wholeCache,
            .filter("not draft"), .tags(["a", "b"]), .wholeTenant(confirming: "acme"),
        ]
        #expect(targets == expected)
    }

    @Test(arguments: ["http://a", "a:99999", ""])
    func `an address that is none is an error that says so`(address: String) throws {
        let command = try self.parse(PingCommand.self, "ping", "--server", address)
        #expect(throws: CacheClientError.self) { try command.server.clientConfiguration() }
    }
}

struct CommandFaultTests {
    @Test func `a server that is not there says what to do`() throws {
        let error = CacheClientError(.unavailable, "cannot connect to a:1: Connection refused", origin: .connection)
        let fault = try #require(CommandFault(error))
        #expect(fault.code == "unavailable")
        #expect(fault.text.hasPrefix("cannot connect to a:1: Connection refused. Start a server with ./deploy/run"))
    }

    @Test func `an error that passes says when to try again`() throws {
        let error = CacheClientError(
            .resourceExhausted, "too many requests", origin: .server, retryAfter: .milliseconds(250))
        let fault = try #require(CommandFault(error))
        #expect(fault.text == "too many requests; try again in 250 ms")
        #expect(fault.retryAfter == .milliseconds(250))
    }

    @Test(
        arguments: [
            (.zero, "1 ms"), (.milliseconds(9999), "9,999 ms"), (.milliseconds(10_001), "11s"),
            (.seconds(90), "1m 30s"), (.milliseconds(Int64.max), "106751991167d 7h"),
            (.milliseconds(Int64.min), "1 ms"),
        ] as [(Duration, String)])
    func `a time to wait is never shorter than it is`(duration: Duration, text: String) {
        #expect(DurationText.wait(duration) == text)
    }

    @Test func `a server that wants a credential says how to name one`() throws {
        let fault = try #require(CommandFault(CacheClientError(.unauthenticated, "who are you", origin: .server)))
        #expect(
            fault.text == "who are you. Name a credential with --api-key-file, --token-file or --client-certificate")
    }

    @Test func `what a server says cannot control the terminal`() throws {
        let error = CacheClientError(.internal, "a\u{1b}[2Jb\nc", origin: .server)
        let fault = try #require(CommandFault(error))
        #expect(fault.text == "a\u{fffd}[2Jb\u{fffd}c")
    }
}
