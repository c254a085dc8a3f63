// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CoreMetrics
import Foundation
import NIOCore
import NIOPosix
import Telemetry
import TestSupport
import Testing
import Tracing

private let python = ProcessInfo.processInfo.environment["SEMCACHED_TEST_PYTHON"]

/// What real services log.
@Suite(.timeLimit(.minutes(2))) struct LogsTests {
    /// All lines of a log in JSON.
    private static func records(of service: RunningService) throws -> [[String: Any]] {
        try service.logged.split(separator: "\n").map { line in
            let record = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(record, "no JSON object: \(line)")
        }
    }

    private static func client(
        of service: RunningService, _ credential: CacheCredential = .none, tenant: String? = nil
    ) -> CacheClient {
        var configuration = ClientConfiguration(ServerAddress(host: "127.0.0.1", port: service.port))
        configuration.credential = credential
        configuration.tenant = tenant
        return CacheClient(configuration)
    }

    /// Sends bytes and waits for the service to end the connection.
    private static func intrude(_ bytes: [UInt8], port: Int) async throws {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try? await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: bytes))
            for try await _ in inbound {}
        }
    }

    /// Calls that are served and calls that are not, each with what nobody may read in a log.
    private static func call(_ service: RunningService, _ tenant: KeyedTenant) async throws {
        let client = Self.client(of: service, .apiKey(tenant.key))
        let prompt = "What is the PromptSecret?"
        let attributes: [String: CacheAttribute] = ["n": .string("AttributeSecret")]
        let vary = ["user": "VarySecret"]
        _ = try await client.store("AnswerSecret", for: prompt, vary: vary, attributes: attributes, tags: ["TagSecret"])
        for words in [prompt, prompt, "Tell me the PromptSecret", "PromptSecret of the moon"] {
            _ = try await client.lookup(words, vary: vary, filter: #"n == "AttributeSecret""#)
        }
        _ = try await client.invalidate(.tags(["TagSecret"]), in: "default")
        await #expect(throws: CacheClientError.self) { try await client.lookup(prompt, filter: "FilterSecret = 1") }
        await #expect(throws: CacheClientError.self) { try await client.lookup(prompt, embedding: [1]) }
        await #expect(throws: CacheClientError.self) {
            try await client.invalidate(.wholeTenant(confirming: "PromptSecret"))
        }
        await client.close()
        for credential in [CacheCredential.apiKey("smc_StrangerSecret"), .token("Token.Of.StrangerSecret"), .none] {
            let stranger = Self.client(of: service, credential)
            await #expect(throws: CacheClientError.self) { try await stranger.lookup(prompt) }
            await stranger.close()
        }
        let request = [
            "GET /StrangerSecret HTTP/1.1", "Connection: close", "Authorization: Bearer StrangerSecret", "", "",
        ].joined(separator: "\r\n")
        for port in ["native", "grpc", "admin"] {
            try await Self.intrude(Array(request.utf8), port: try await service.port(of: port))
        }
    }

    @Test func `every line of a run at level trace is JSON with time, level and message, and tells no secret`()
        async throws
    {
        let redis = try await RedisServer.start(password: "RedisSecret")
        let acme = KeyedTenant("acme")
        func file(store url: String, _ tenants: KeyedTenant...) -> String {
            "store: {url: \"\(url)\"}\ntenants:\n" + tenants.map(\.settings).joined()
        }
        let service = try await RunningService(
            settings: ["log.format=json", "log.level=trace"], file: file(store: redis.url, acme),
            environment: ["SEMCACHED_TRACES_ENDPOINT": "http://user:TracesSecret@127.0.0.1:1"])
        try await Self.call(service, acme)
        // One that is wrong in the place of a secret, one that needs a restart, and one that is right.
        for url in ["redis://:RedisSecret@h:FileSecret", "redis://:FileSecret@h", redis.url] {
            _ = try await service.reload(file(store: url, acme, KeyedTenant("globex")))
        }
        if let python {
            let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("../GRPCFrontTests/stock_client.py").standardizedFileURL.path
            let result = try await Programs.run(
                python,
                [
                    script, "--port", "\(try await service.port(of: "grpc"))", "--api-key", acme.key, "--only",
                    "store_and_exact_hit", "errors_have_details", "credentials", "deadline", "invalidate",
                ])
            #expect(result.status == 0, "\(result.output) \(result.errors)")
        }
        // Without its store everything is trouble.
        try await redis.stop()
        let client = Self.client(of: service, .apiKey(acme.key))
        _ = try await client.lookup("PromptSecret", timeout: .seconds(3))
        await #expect(throws: CacheClientError.self) {
            try await client.store("AnswerSecret", for: "PromptSecret", timeout: .seconds(3))
        }
        await client.close()
        #expect(await service.stop(SIGTERM) == 0)

        let records = try Self.records(of: service)
        let levels: Set = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
        for record in records {
            let time = try #require(record["time"] as? String, "\(record)")
            #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
            #expect(levels.contains(record["level"] as? String ?? ""), "\(record)")
            #expect((record["message"] as? String)?.isEmpty == false, "\(record)")
        }
        let messages = Set(records.compactMap { $0["message"] as? String })
        for message in [
            "call answered", "credential refused", "connection refused", "calls degrade or fail", "settings reloaded",
            "settings not reloaded; the old ones stay in force", "stopped",
        ] {
            #expect(messages.contains(message), "\(message) was not logged: \(messages.sorted())")
        }
        for secret in ["Secret", "stock client", "nobody changed"] {
            #expect(!service.logged.contains(secret), "\(secret) is in the log")
        }
    }

    @Test func `a call is one line at level debug, with its kind, tenant, outcome and trace`() async throws {
        let (acme, gateway) = (KeyedTenant("acme"), KeyedTenant("gateway"))
        let service = try await RunningService(
            settings: ["log.format=json", "log.level=debug"],
            file: """
                tenants:
                \(acme.settings)gateways: [{sha256: \(gateway.digest), roles: [read], tenants: [acme]}]
                """)
        let client = Self.client(of: service, .apiKey(acme.key))
        let recorder = SpanRecorder(
            queue: SpanQueue(metrics: NOOPMetricsHandler.instance, prefix: "test"), sampleRatio: 1)
        let trace = try await withTracer(recorder) {
            try await withSpan("test") { span in
                _ = try await client.store("Beethoven.", for: "Who wrote the Moonlight Sonata?")
                // From the store, and from memory.
                for _ in 0..<2 { _ = try await client.lookup("Who wrote the Moonlight Sonata?") }
                _ = try await client.lookup("How high is Mont Blanc?")
                await #expect(throws: CacheClientError.self) { try await client.lookup("How?", embedding: [1]) }
                return span.context.traceContext?.traceID.description
            }
        }
        await client.close()
        let reader = Self.client(of: service, .apiKey(gateway.key), tenant: "acme")
        await #expect(throws: CacheClientError.self) { try await reader.store("Bach.", for: "Who?") }
        await reader.close()
        #expect(await service.stop(SIGTERM) == 0)

        let calls = try Self.records(of: service).filter { $0["message"] as? String == "call answered" }
        func values(_ key: String) -> [String] { calls.map { $0[key] as? String ?? "" } }
        #expect(values("request.kind") == ["Store", "Lookup", "Lookup", "Lookup", "Lookup", "Store"])
        #expect(values("outcome") == ["", "hit_exact", "hit_exact", "miss", "", ""])
        #expect(values("error.code") == ["", "", "", "", "invalid_argument", "permission_denied"])
        #expect(values("request.protocol") == Array(repeating: "native", count: 6))
        // One that is refused for its role need not be attributed.
        #expect(values("tenant.id").prefix(5) == Array(repeating: "acme", count: 5)[...])
        #expect(values("trace_id") == Array(repeating: try #require(trace), count: 5) + [""])
        #expect(Set(values("request.id")).count == 6)
        #expect(calls.allSatisfy { $0["level"] as? String == "debug" })
    }

    @Test func `SIGHUP changes the level while the service runs`() async throws {
        let service = try await RunningService(file: "log: {level: info}\n")
        let client = Self.client(of: service)
        _ = try await client.ping()
        let line = try await service.reload("log: {level: debug}\n")
        #expect(line.contains("log.level debug"), "\(line)")
        _ = try await client.ping()
        try await service.line(with: "call answered")
        _ = try await service.reload("log: {level: info}\n")
        _ = try await client.ping()
        await client.close()
        #expect(await service.stop(SIGTERM) == 0)
        #expect(service.logged.matches(of: /call answered/).count == 1)
    }
}
