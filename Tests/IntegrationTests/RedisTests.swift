// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport
import Testing

private let question = "How do I reset my password?"
private let paraphrase = "I forgot my password, how can I reset it?"
private let answer = "Open Settings, then Security."
private let durable = ["--appendonly", "yes", "--appendfsync", "always"]

/// The real programs on a real Redis.
@Suite(.serialized, .timeLimit(.minutes(3))) struct RedisTests {
    private func service(on redis: RedisServer, settings: [String] = []) async throws -> RunningService {
        try await RunningService(settings: settings, environment: ["SEMCACHED_STORE_URL": redis.url])
    }

    private func client(of service: RunningService) -> CacheClient {
        CacheClient(ClientConfiguration(ServerAddress(host: "127.0.0.1", port: service.port)))
    }

    @Test func `what is stored in Redis is found, counted, exported and removed, and outlives the service`()
        async throws
    {
        let redis = try await RedisServer.start(password: "hush-hush")
        var service = try await self.service(on: redis)
        let stored = try await service.semcache("store", question, answer, "--attribute", "lang=en")
        #expect(stored.status == 0, "\(stored.errors)")
        #expect(try await service.semcache("store", "Wie hoch ist der Eiffelturm?", "330 Meter.").status == 0)
        for words in [question, paraphrase] {
            let found = try await service.semcache("lookup", words)
            #expect(found.status == 0 && found.output.contains(answer), "\(found.errors)")
        }
        #expect(try await service.semcache("lookup", "Who wrote the Moonlight Sonata?").status == 1)
        let english = try await service.semcache("lookup", paraphrase, "--filter", #"lang == "en""#)
        #expect(english.output.contains(answer), "\(english.errors)")
        #expect(try await service.semcache("lookup", paraphrase, "--filter", #"lang == "de""#).status == 1)
        let client = self.client(of: service)
        let statistics = try await client.statistics()
        #expect(statistics.tenant.entries == 2 && statistics.caches.map(\.entries) == [2])
        await client.close()
        let exported = try await service.semcache("export")
        #expect(exported.output.split(separator: "\n").count == 2 && exported.output.contains(answer))

        #expect(await service.stop(SIGTERM) == 0)
        var logged = service.logged
        service = try await self.service(on: redis)
        #expect(try await service.semcache("lookup", paraphrase).output.contains(answer))
        let removed = try await service.semcache("invalidate", "--similar", paraphrase, "--similarity", "0.85")
        #expect(removed.status == 0, "\(removed.errors)")
        for words in [question, paraphrase] { #expect(try await service.semcache("lookup", words).status == 1) }
        #expect(try await service.semcache("export").output.split(separator: "\n").count == 1)
        #expect(await service.stop(SIGTERM) == 0)
        logged += service.logged
        #expect(logged.contains("redis-vectorset"))
        for secret in ["hush", "password", "Security", "Eiffelturm"] { #expect(!logged.contains(secret)) }
    }

    @Test(arguments: [true, false])
    func `without its Redis the service answers that it cannot look, and recovers by itself`(
        isKilled: Bool
    ) async throws {
        let redis = try await RedisServer.start(options: durable, password: "hush-hush")
        let service = try await self.service(on: redis)
        let client = self.client(of: service)
        _ = try await client.store(answer, for: question)
        #expect(try await client.lookup(paraphrase).hit?.best.text == answer)

        if isKilled { try await redis.kill() } else { redis.pause() }
        // Memory answers for as long as nobody can have changed anything unheard.
        let lapse = ContinuousClock.now + .seconds(4)
        while let hit = try await client.lookup(paraphrase, timeout: .seconds(3)).hit {
            try #require(hit.tier == .l1 && ContinuousClock.now < lapse)
        }
        for _ in 0..<5 {
            let start = ContinuousClock.now
            guard case .miss(let miss) = try await client.lookup(paraphrase, timeout: .seconds(3)) else {
                Issue.record("there is no Redis to hit")
                continue
            }
            guard case .degraded = miss.reason else {
                Issue.record("\(miss.reason)")
                continue
            }
            #expect(ContinuousClock.now - start < .milliseconds(3500))
        }
        let start = ContinuousClock.now
        let refusal = await #expect(throws: CacheClientError.self) {
            try await client.store("other", for: "Who wrote the Moonlight Sonata?", timeout: .seconds(6))
        }
        #expect(refusal?.code == .unavailable, "\(refusal as Any)")
        #expect(refusal?.message.contains("hush") == false)
        #expect(ContinuousClock.now - start < .milliseconds(6500))
        _ = try await client.ping()
        let told = try await service.semcache("lookup", paraphrase)
        #expect(told.status == 1 && (told.output + told.errors).contains("degraded"), "\(told)")

        if isKilled { try await redis.restart() } else { redis.resume() }
        let deadline = ContinuousClock.now + .seconds(10)
        while try await client.lookup(question).hit?.best.text != answer {
            try #require(ContinuousClock.now < deadline, "it does not recover")
        }
        #expect(try await client.lookup(paraphrase).hit?.best.text == answer)
        _ = try await client.store("Beethoven.", for: "Who wrote the Moonlight Sonata?")
        #expect(try await client.lookup("Who wrote the Moonlight Sonata?").hit?.best.text == "Beethoven.")
        await client.close()
        #expect(await service.stop(SIGTERM) == 0)
        for secret in ["hush", "password", "Sonata", "Beethoven"] { #expect(!service.logged.contains(secret)) }
    }

    @Test func `the service does not start on a server that cannot serve it, and says why`() async throws {
        let old = try await RedisServer.start(.seven)
        let guarded = try await RedisServer.start(password: "right")
        let gone = try await RedisServer.start()
        try await gone.stop()
        let cases = [
            (old.url, "Redis 8"), ("redis://:hush-hush@127.0.0.1:\(guarded.port)", "password"),
            ("redis://:hush-hush@127.0.0.1:\(gone.port)", "127.0.0.1:\(gone.port)"),
        ]
        for (url, message) in cases {
            let result = try await Programs.run(
                "semcached", ["--port", "0", "--model", try Programs.modelFolder()],
                environment: ["SEMCACHED_STORE_URL": url])
            #expect(result.status == 1 && result.errors.contains(message), "\(result.errors)")
            #expect(!(result.output + result.errors).contains("hush"))
        }
    }

    @Test func `two services on one Redis are one cache`() async throws {
        let redis = try await RedisServer.start()
        let services = [try await self.service(on: redis), try await self.service(on: redis)]
        let clients = services.map { self.client(of: $0) }
        for round in 0..<6 {
            let (one, other) = (clients[round % 2], clients[(round + 1) % 2])
            _ = try await one.store("answer \(round)", for: question)
            // Twice: what is remembered must not be what is served.
            for _ in 0..<2 {
                for client in clients {
                    #expect(try await client.lookup(question).hit?.best.text == "answer \(round)")
                    #expect(try await client.lookup(paraphrase).hit?.best.text == "answer \(round)")
                }
            }
            let target: InvalidationTarget = round < 3 ? .prompt(question) : .wholeCache
            _ = try await other.invalidate(target, in: "default")
            for client in clients {
                #expect(try await client.lookup(question).hit == nil)
                #expect(try await client.lookup(paraphrase).hit == nil)
            }
        }
        for client in clients { await client.close() }
        for service in services { #expect(await service.stop(SIGTERM) == 0) }
    }
}
