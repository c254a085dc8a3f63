// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import MetricsTestKit
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import HTTPEmbedder

/// The start, the end, credentials that change, and a model that does.
struct LifeTests {
    @Test func `what nobody runs is late and no more`() async throws {
        let embedder = try HTTPEmbedder(configuration("http://127.0.0.1:1"), logger: RecordedLog().logger)
        #expect(await embedder.code(within: .milliseconds(50)) == .deadlineExceeded)
        #expect(await embedder.code(within: .seconds(-1)) == .deadlineExceeded)
    }

    @Test func `what was asked for before it runs is answered`() async throws {
        try await ProviderServer.withServer({ _, _ in .vectors() }) { server in
            let embedder = try HTTPEmbedder(configuration(server.url), logger: RecordedLog().logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                let answer = Mailbox<Bool>()
                embedder.embed(["a"], by: .now + .seconds(60)) { answer.append((try? $0[0].get()) != nil) }
                group.addTask { try await embedder.run() }
                #expect(await answer.next() == true)
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test func `more than it may hold is refused at once`() async throws {
        let embedder = try HTTPEmbedder(
            configuration("http://127.0.0.1:1") { $0.concurrency = 1 }, logger: RecordedLog().logger)
        let held = Mailbox<Void>()
        for _ in 0..<4 { embedder.embed(["a"], by: .now + .seconds(2)) { _ in held.append(()) } }
        #expect(await embedder.code() == .overloaded)
        for _ in 0..<4 { await held.next() }
    }

    @Test func `the end gives up what is under way, and refuses what comes after`() async throws {
        try await ProviderServer.withServer({ _, _ in .silence }) { server in
            let metrics = TestMetrics()
            let configuration = configuration(server.url) { $0.hedgeAfter = .seconds(30) }
            let embedder = try HTTPEmbedder(configuration, logger: RecordedLog().logger, metrics: metrics)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await embedder.run() }
                let answer = Mailbox<EmbeddingResults>()
                embedder.embed(["a"], by: .now + .seconds(60)) { answer.append($0) }
                _ = await server.arrivals.next()
                group.cancelAll()
                let told = await answer.next()
                #expect(throws: EmbedderError.cancelled) { try told?.first?.get() }
                try await group.waitForAll()
            }
            #expect(await embedder.code() == .unavailable)
            await server.departures.next()
            // The end is no reason to ask a second time.
            let hedges = try metrics.expectCounter(
                "semcache_provider_hedges_total", [("provider", "openai-compatible")])
            #expect(hedges.totalValue == 0)
        }
    }

    @Test func `a key that was replaced is used at once, within the same call`() async throws {
        let key = try SecretFile("old\n")
        let script: ProviderServer.Script = { _, request in
            guard request.headers["Authorization"] != ["Bearer new"] else { return .vectors() }
            try? key.replace("new\n")
            return .status(401)
        }
        let log = RecordedLog()
        try await ProviderServer.withServer(script) { server in
            let configuration = configuration(server.url) { $0.credential = .file(key.path) }
            try await withEmbedder(configuration, logger: log.logger) { embedder in
                for _ in 0..<2 { #expect(await embedder.code() == nil) }
                #expect(server.requests.count == 3)
                #expect(log.lines.isEmpty)
            }
        }
    }

    @Test func `a key that is wrong is tried once, and somebody is told once`() async throws {
        let key = try SecretFile(secret)
        let log = RecordedLog()
        try await ProviderServer.withServer({ _, _ in .status(401) }) { server in
            let configuration = configuration(server.url) {
                $0.credential = .file(key.path)
                $0.breakerOpen = .seconds(60)
            }
            try await withEmbedder(configuration, logger: log.logger) { embedder in
                for _ in 0..<20 { #expect(await embedder.code() == .refused) }
                #expect(server.requests.count == 1)
                #expect(log.lines(with: "error ").count == 1)
                #expect(log.lines(with: secret).isEmpty)
            }
        }
        withExtendedLifetime(key) {}
    }

    @Test func `a key's file that vanishes is told, and nothing is sent without a key`() async throws {
        let key = try SecretFile(secret)
        let log = RecordedLog()
        try await ProviderServer.withServer({ _, _ in .vectors() }) { server in
            let configuration = configuration(server.url) { $0.credential = .file(key.path) }
            try await withEmbedder(configuration, logger: log.logger) { embedder in
                try key.replace("")
                for _ in 0..<5 { #expect(await embedder.code() == .refused) }
                #expect(server.requests.isEmpty)
                #expect(log.lines.count == 1)
                try key.replace(secret)
                #expect(await embedder.code() == nil)
            }
        }
    }

    @Test func `a fixed text's vector is given out once, and compared with later`() async throws {
        let vector = Mutex<Embedding?>(nil)
        try await ProviderServer.withServer({ _, _ in .vectors() }) { server in
            let calls = Atomic<Int>(0)
            try await withEmbedder(
                configuration(server.url),
                onCanary: { known in
                    calls.add(1, ordering: .relaxed)
                    vector.withLock { $0 = known }
                }
            ) { embedder in
                #expect(embedder.knownCanary == nil)
                let first = try await embedder.probe(by: .now + .seconds(60))
                #expect(try await embedder.probe(by: .now + .seconds(60)) == first)
                #expect(embedder.knownCanary == first)
                #expect(calls.load(ordering: .relaxed) == 2, "so that it does not lapse where it is kept")
            }
            // As the next process would.
            let known = vector.withLock { $0 }
            try await withEmbedder(configuration(server.url), knownCanary: known) { embedder in
                _ = try await embedder.probe(by: .now + .seconds(60))
            }
        }
        #expect(vector.withLock { $0 } != nil)
    }

    @Test func `other vectors under the same name are refused until the end`() async throws {
        let log = RecordedLog()
        let other = ProviderServer.vector(of: "something else altogether")
        try await ProviderServer.withServer({ _, _ in .vectors() }) { server in
            try await withEmbedder(configuration(server.url), knownCanary: other, logger: log.logger) { embedder in
                #expect(await embedder.code() == .refused, "not one vector is handed out")
                for _ in 0..<2 {
                    let error = await #expect(throws: EmbedderError.self) {
                        try await embedder.probe(by: .now + .seconds(60))
                    }
                    #expect(error?.code == .refused)
                    #expect(await embedder.code() == .refused)
                }
                #expect(server.requests.count == 1)
                #expect(log.lines(with: "error ").count == 1)
            }
        }
    }

    @Test func `the fixed text is looked at from the start, and when a provider comes back`() async throws {
        let texts = Mutex<Set<String>>([])
        let script: ProviderServer.Script = { number, request in
            texts.withLock { $0.formUnion(request.texts) }
            return number == 1 ? .status(500) : .vectors()
        }
        try await ProviderServer.withServer(script) { server in
            let configuration = configuration(server.url) {
                $0.canaryInterval = .seconds(86_400)
                $0.breakerFailures = 1
                $0.breakerOpen = .milliseconds(1)
            }
            try await withEmbedder(configuration) { embedder in
                let first = await server.arrivals.next()
                #expect(await embedder.code("b") == .unavailable)
                while await embedder.code("b") != nil {}
                // Of ours two at least; then the fixed text again.
                var request = await server.arrivals.next()
                while request?.texts == ["b"] { request = await server.arrivals.next() }
                #expect(request?.texts == first?.texts)
                #expect(first?.texts.count == 1 && first?.texts != ["b"])
            }
        }
        #expect(texts.withLock { $0.count } == 2)
    }
}
