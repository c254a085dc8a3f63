// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import MetricsTestKit
import NIOHTTP1
import TestSupport
import Testing

@testable import HTTPEmbedder

/// A judge with a server.
@Suite(.timeLimit(.minutes(2))) struct JudgeTests {
    private static let label = [("provider", "judge")]

    private func opinions(_ metrics: TestMetrics, _ opinion: String) throws -> Int64 {
        try metrics.expectCounter("semcache_judge_opinions_total", [("judge", "judge"), ("opinion", opinion)])
            .totalValue
    }

    @Test func `a judge says yes or no, with what it took, and is asked with its key`() async throws {
        let (key, metrics) = (try SecretFile(secret), TestMetrics())
        let script: ProviderServer.Script = { number, _ in
            .chat(number == 0 ? "\"Yes.\"" : "\"no\"", tokens: 50 + number)
        }
        try await ProviderServer.withServer(script) { server in
            let configuration = judgeConfiguration(server.url) { $0.credential = .file(key.path) }
            try await withJudge(configuration, metrics: metrics) { judge in
                #expect(await judge.opinion("one", "two") == JudgeOpinion(isSame: true, tokens: 50))
                #expect(await judge.opinion("one", "three") == JudgeOpinion(isSame: false, tokens: 51))
                #expect(server.requests.map(\.uri) == ["/v1/chat/completions", "/v1/chat/completions"])
                #expect(server.requests[0].headers["Authorization"] == ["Bearer \(secret)"])
            }
        }
        withExtendedLifetime(key) {}
        let answered = try metrics.expectCounter("semcache_provider_requests_total", Self.label + [("outcome", "ok")])
        #expect(answered.totalValue == 2)
        #expect(try metrics.expectCounter("semcache_provider_tokens_total", Self.label).totalValue == 101)
        #expect(try metrics.expectTimer("semcache_provider_request_duration_seconds", Self.label).values.count == 2)
        #expect(try self.opinions(metrics, "same") == 1 && self.opinions(metrics, "different") == 1)
    }

    private static let cases: [(String, ProviderServer.Answer, String)] = [
        ("429", .status(429, headers: ["retry-after": "1"]), "rate_limited"), ("500", .status(500), "server_error"),
        ("503", .status(503), "server_error"), ("400", .status(400), "bad_request"), ("401", .status(401), "refused"),
        ("403", .status(403), "refused"), ("404", .status(404), "refused"), ("418", .status(418), "server_error"),
        ("a redirect", .status(307, headers: ["location": "/v1/other"]), "bad_answer"),
        ("no JSON", .body("yes"), "bad_answer"), ("nothing", .body(""), "bad_answer"),
        ("an error with status 200", .body(#"{"error":{"message":"yes"}}"#), "bad_answer"),
        ("a body that is too long", .chat("\"\(String(repeating: "y", count: 70 << 10))\""), "bad_answer"),
        ("a body that is announced too long", .status(200, headers: ["content-length": "99999999999"]), "bad_answer"),
        ("gzip", .body("\u{1f}\u{8b}", headers: ["content-encoding": "gzip"]), "bad_answer"),
        ("the end of the connection", .close, "connection"), ("the end in the body", .cutOff, "connection"),
        ("noise", .noise, "connection"),
    ]

    @Test(arguments: cases.indices)
    func `trouble is no opinion, is counted by its kind, and nothing secret is told`(_ index: Int) async throws {
        let (name, answer, outcome) = Self.cases[index]
        let (log, key, metrics) = (RecordedLog(), try SecretFile(secret), TestMetrics())
        try await ProviderServer.withServer({ _, _ in answer }) { server in
            let configuration = judgeConfiguration(server.url) { $0.credential = .file(key.path) }
            try await withJudge(configuration, logger: log.logger, metrics: metrics) { judge in
                let opinion = await judge.opinion("a very private text", "another private text")
                #expect(opinion == JudgeOpinion(isSame: nil, tokens: 0), "\(name)")
                #expect(server.requests.count == 1, "\(name)")
                let told = log.lines.joined()
                for hidden in [secret, "private", "127.0.0.1", "\(server.port)"] {
                    #expect(!told.contains(hidden), "\(name)")
                }
            }
        }
        withExtendedLifetime(key) {}
        let requests = try metrics.expectCounter(
            "semcache_provider_requests_total", Self.label + [("outcome", outcome)])
        #expect(requests.totalValue == 1, "\(name)")
        #expect(try self.opinions(metrics, "none") == 1)
    }

    @Test(arguments: [
        ProviderServer.Answer.chat("\"maybe\""), .chat("\"yes, but\""), .chat("null"),
        .chat("\"yes\"", finish: "\"length\""),
        .body(ChatText.list([ChatText.choice("\"yes\""), ChatText.choice("\"yes\"")], usage: #"{"total_tokens":42}"#)),
    ])
    func `a reply that is neither yes nor no is paid for, told once and not paid for again`(
        _ answer: ProviderServer.Answer
    ) async throws {
        let log = RecordedLog()
        try await ProviderServer.withServer({ _, _ in answer }) { server in
            try await withJudge(judgeConfiguration(server.url), logger: log.logger) { judge in
                #expect(await judge.opinion("private") == JudgeOpinion(isSame: nil, tokens: 42))
                #expect(await judge.opinion("private") == JudgeOpinion(isSame: nil, tokens: 0))
                #expect(await judge.opinion("also private") == JudgeOpinion(isSame: nil, tokens: 42))
                #expect(server.requests.count == 2)
                #expect(log.lines(with: "neither yes nor no").count == 1 && log.lines(with: "private").isEmpty)
            }
        }
    }

    @Test func `one that is gone has no opinion at once`() async throws {
        try await withJudge(judgeConfiguration(try await ProviderServer.goneURL())) { judge in
            #expect(await judge.opinion().isSame == nil)
        }
    }

    @Test func `one that nobody runs has none in time`() async throws {
        let judge = try HTTPJudge(judgeConfiguration("http://127.0.0.1:1"), logger: RecordedLog().logger)
        #expect(await judge.opinion(within: .milliseconds(50)).isSame == nil)
    }

    @Test(arguments: [false, true])
    func `its own time ends it before the caller's, and counts against it`(_ drips: Bool) async throws {
        let (log, metrics) = (RecordedLog(), TestMetrics())
        try await ProviderServer.withServer({ _, _ in drips ? .drip : .silence }) { server in
            let configuration = judgeConfiguration(server.url) {
                $0.requestTimeout = .milliseconds(200)
                $0.breakerFailures = 1
                $0.breakerOpen = .seconds(60)
            }
            try await withJudge(configuration, logger: log.logger, metrics: metrics) { judge in
                let began = ContinuousClock.now
                #expect(await judge.opinion().isSame == nil)
                #expect(.now - began < .seconds(30))
                // However slow this machine is: until one was sent before its time was up.
                while log.lines(with: "left alone").isEmpty { #expect(await judge.opinion().isSame == nil) }
                #expect(await judge.probeCode() == .unavailable)
                #expect(server.requests.count <= 1)
            }
        }
        let timeouts = try metrics.expectCounter(
            "semcache_provider_requests_total", Self.label + [("outcome", "timeout")])
        #expect(timeouts.totalValue == 1)
    }

    @Test func `the caller's time ends the wait and not the request, whose reply is remembered`() async throws {
        let gate = Mailbox<Void>()
        try await ProviderServer.withServer({ _, _ in .held(gate, ChatText.reply("\"yes\"")) }) { server in
            try await withJudge(judgeConfiguration(server.url)) { judge in
                #expect(await judge.opinion("other", within: .seconds(-1)).isSame == nil)
                #expect(server.requests.isEmpty, "nobody is asked for who has no time")
                // However slow this machine is: until one has come before its time was up.
                while server.requests.isEmpty {
                    #expect(await judge.opinion(within: .milliseconds(50)).isSame == nil)
                }
                gate.append(())
                #expect(await judge.opinion().isSame == true)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `a caller that is cancelled is let go at once`() async throws {
        try await ProviderServer.withServer({ _, _ in .silence }) { server in
            try await withJudge(judgeConfiguration(server.url)) { judge in
                let began = ContinuousClock.now
                await withTaskGroup(of: JudgeOpinion.self) { group in
                    group.addTask { await judge.opinion() }
                    _ = await server.arrivals.next()
                    group.cancelAll()
                    #expect(await group.next() == JudgeOpinion(isSame: nil))
                }
                #expect(.now - began < .seconds(30))
            }
        }
    }

    @Test func `the end gives up what is under way, and refuses what comes after`() async throws {
        try await ProviderServer.withServer({ _, _ in .silence }) { server in
            let judge = try HTTPJudge(judgeConfiguration(server.url), logger: RecordedLog().logger)
            try await withThrowingTaskGroup(of: JudgeOpinion.self) { group in
                group.addTask { await judge.opinion() }
                try await withThrowingTaskGroup(of: Void.self) { runner in
                    runner.addTask { try await judge.run() }
                    _ = await server.arrivals.next()
                    runner.cancelAll()
                    try await runner.waitForAll()
                }
                #expect(try await group.next() == JudgeOpinion(isSame: nil))
            }
            #expect(await judge.opinion("other").isSame == nil)
            #expect(server.requests.count == 1)
        }
    }
}
