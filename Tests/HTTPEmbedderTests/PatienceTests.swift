// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import MetricsTestKit
import NIOHTTP1
import TestSupport
import Testing

@testable import HTTPEmbedder

/// Retries, limits, the breaker and hedges, with a provider.
struct PatienceTests {
    @Test(arguments: HTTPEmbedder.Configuration.Provider.allCases)
    func `vectors come in the order of the texts, of each provider`(
        _ provider: HTTPEmbedder.Configuration.Provider
    ) async throws {
        let key = try SecretFile(secret)
        let metrics = TestMetrics()
        try await ProviderServer.withServer({ _, _ in .vectors() }) { server in
            let configuration = configuration(server.url) {
                $0.provider = provider
                $0.credential = .file(key.path)
                if provider == .azureOpenAI { $0.azure = .init(deployment: "d") }
            }
            try await withEmbedder(configuration, metrics: metrics) { embedder in
                let texts = ["one", "two \u{1f600} \"quoted\"\n", "three"]
                expectSame(try await embedder.vectors(texts), texts.map { ProviderServer.vector(of: $0) })
                #expect(server.requests.count == 1)
            }
        }
        let label = [("provider", "openai-compatible")]
        let answered = try metrics.expectCounter(
            "semcache_provider_requests_total", label + [("outcome", "ok")])
        #expect(answered.totalValue == 1)
        #expect(try metrics.expectCounter("semcache_provider_tokens_total", label).totalValue > 0)
        withExtendedLifetime(key) {}
    }

    @Test func `numbers in decimal are taken whatever was asked for`() async throws {
        try await ProviderServer.withServer({ _, _ in .vectors() }) { server in
            try await withEmbedder(configuration(server.url) { $0.encoding = .float }) { embedder in
                expectSame(try await embedder.vectors(["one"]), [ProviderServer.vector(of: "one")])
                #expect(!(server.requests[0].body.contains("base64")))
            }
        }
    }

    @Test(arguments: [ProviderServer.Answer.status(429), .status(408), .status(500), .status(503), .close, .cutOff])
    func `what may pass is tried again`(_ answer: ProviderServer.Answer) async throws {
        let metrics = TestMetrics()
        try await ProviderServer.withServer({ number, _ in number < 2 ? answer : .vectors() }) { server in
            try await withEmbedder(configuration(server.url) { $0.attempts = 3 }, metrics: metrics) { embedder in
                #expect(await embedder.code() == nil)
                #expect(server.requests.count == 3)
            }
        }
        let retries = try metrics.expectCounter(
            "semcache_provider_retries_total", [("provider", "openai-compatible")])
        #expect(retries.totalValue == 2)
    }

    @Test(arguments: [400, 401, 403, 404, 418, 501])
    func `what will not pass is not tried again`(_ status: Int) async throws {
        try await ProviderServer.withServer({ _, _ in .status(status) }) { server in
            try await withEmbedder(configuration(server.url) { $0.attempts = 5 }) { embedder in
                #expect(await embedder.code() != nil)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `the provider's time is waited for, and the rest of the budget left alone`() async throws {
        let script: ProviderServer.Script = { number, _ in
            number == 0 ? .status(429, headers: ["retry-after-ms": "200"]) : .vectors()
        }
        try await ProviderServer.withServer(script) { server in
            try await withEmbedder(configuration(server.url) { $0.attempts = 2 }) { embedder in
                #expect(await embedder.code() == nil)
                let requests = server.requests
                #expect(requests.count == 2)
                #expect(requests[1].came - requests[0].came >= .milliseconds(190))
            }
        }
    }

    @Test func `a time beyond the deadline is not waited for`() async throws {
        try await ProviderServer.withServer({ _, _ in .status(429, headers: ["retry-after": "30"]) }) { server in
            try await withEmbedder(configuration(server.url) { $0.attempts = 5 }) { embedder in
                let began = ContinuousClock.now
                #expect(await embedder.code(within: .seconds(20)) == .overloaded)
                // Nor are the next ones sent.
                #expect(await embedder.code(within: .seconds(20)) == .overloaded)
                #expect(.now - began < .seconds(15))
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `retries end with their budget`() async throws {
        try await ProviderServer.withServer({ _, _ in .status(500) }) { server in
            let configuration = configuration(server.url) {
                $0.attempts = 2
                $0.retryRatio = 0
            }
            try await withEmbedder(configuration) { embedder in
                #expect(await embedder.code() == .unavailable)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `what the headers say is used up is not asked for, before any 429`() async throws {
        let headers: HTTPHeaders = ["x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"]
        try await ProviderServer.withServer({ _, _ in .vectors(headers: headers) }) { server in
            try await withEmbedder(configuration(server.url)) { embedder in
                #expect(await embedder.code(within: .seconds(20)) == nil)
                for _ in 0..<3 { #expect(await embedder.code(within: .seconds(20)) == .overloaded) }
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `what comes back before the deadline is waited for`() async throws {
        let headers: HTTPHeaders = ["x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "200ms"]
        try await ProviderServer.withServer({ _, _ in .vectors(headers: headers) }) { server in
            try await withEmbedder(configuration(server.url)) { embedder in
                for _ in 0..<2 { #expect(await embedder.code() == nil) }
                let requests = server.requests
                #expect(requests.count == 2)
                #expect(requests[1].came - requests[0].came >= .milliseconds(190))
            }
        }
    }

    @Test func `a dead provider is asked no more, and asked again after a while`() async throws {
        let log = RecordedLog()
        let metrics = TestMetrics()
        try await ProviderServer.withServer({ number, _ in number < 4 ? .status(500) : .vectors() }) { server in
            let configuration = configuration(server.url) {
                $0.breakerFailures = 3
                $0.breakerOpen = .milliseconds(100)
            }
            try await withEmbedder(configuration, logger: log.logger, metrics: metrics) { embedder in
                for _ in 0..<3 { #expect(await embedder.code() == .unavailable) }
                #expect(server.requests.count == 3)
                // Most of these come before the tenth of a second has passed; the fourth request is refused, too.
                while await embedder.code() != nil {}
                #expect(server.requests.count == 5)
                #expect(log.lines(with: "left alone").count == 1)
                #expect(log.lines(with: "answers again").count == 1)
            }
        }
        let gauge = try metrics.expectGauge(
            "semcache_provider_breaker_state", [("provider", "openai-compatible")])
        #expect(gauge.values.contains(2))
        #expect(gauge.lastValue == 0)
    }

    @Test func `while it is open nothing is sent`() async throws {
        try await ProviderServer.withServer({ _, _ in .status(500) }) { server in
            let configuration = configuration(server.url) {
                $0.breakerFailures = 1
                $0.breakerOpen = .seconds(60)
            }
            try await withEmbedder(configuration) { embedder in
                for _ in 0..<100 { #expect(await embedder.code() == .unavailable) }
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `a provider that hangs is left alone, too, though its callers are in a hurry`() async throws {
        try await ProviderServer.withServer({ _, _ in .silence }) { server in
            let configuration = configuration(server.url) {
                $0.breakerFailures = 1
                $0.breakerOpen = .seconds(60)
                $0.requestTimeout = .milliseconds(300)
            }
            try await withEmbedder(configuration) { embedder in
                while await embedder.code(within: .milliseconds(100)) != .unavailable {}
                let count = server.requests.count
                #expect((1...6).contains(count))
                #expect(await embedder.code() == .unavailable)
                #expect(server.requests.count == count)
            }
        }
    }

    @Test func `a slow answer is asked for a second time, and the slow one given up`() async throws {
        let metrics = TestMetrics()
        try await ProviderServer.withServer({ number, _ in number == 0 ? .silence : .vectors() }) { server in
            let configuration = configuration(server.url) { $0.hedgeAfter = .milliseconds(50) }
            try await withEmbedder(configuration, metrics: metrics) { embedder in
                #expect(await embedder.code() == nil)
                #expect(server.requests.count == 2)
                await server.departures.next()
            }
        }
        let hedges = try metrics.expectCounter(
            "semcache_provider_hedges_total", [("provider", "openai-compatible")])
        #expect(hedges.totalValue == 1)
    }

    @Test func `a quick failure is not hedged`() async throws {
        try await ProviderServer.withServer({ _, _ in .status(500) }) { server in
            try await withEmbedder(configuration(server.url) { $0.hedgeAfter = .seconds(30) }) { embedder in
                #expect(await embedder.code() == .unavailable)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `a text that is not taken fails alone`() async throws {
        let script: ProviderServer.Script = { _, request in
            request.texts.contains("bad") ? .status(400) : .vectors()
        }
        try await ProviderServer.withServer(script) { server in
            try await withEmbedder(configuration(server.url) { $0.maximumTextBytes = 10 }) { embedder in
                let texts = ["one", "bad", "much too long", "two"]
                let results = await withCheckedContinuation { continuation in
                    embedder.embed(texts, by: .now + .seconds(60)) { continuation.resume(returning: $0) }
                }
                expectSame(
                    results.compactMap { try? $0.get() }, ["one", "two"].map { ProviderServer.vector(of: $0) })
                #expect(throws: EmbedderError.self) { try results[1].get() }
                #expect(throws: EmbedderError.self) { try results[2].get() }
                #expect(server.requests.map(\.texts) == [["one", "bad", "two"], ["one"], ["bad"], ["two"]])
            }
        }
    }
}
