// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport
import Testing

private let python = ProcessInfo.processInfo.environment["SEMCACHED_TEST_PYTHON"]
private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../..").standardizedFileURL

/// What a real service tells Prometheus, once it has had something to do.
@Suite(.timeLimit(.minutes(2))) struct MetricsTests {
    private static let question = "How do I reset my password?"
    private static let paraphrase = "I forgot my password, how can I reset it?"

    /// The same for all tests.
    private static let observed = Task { try await Self.observe() }

    private static func observe() async throws -> Exposition {
        let acme = KeyedTenant("acme", "entries: 100")
        let globex = KeyedTenant("globex", roles: "read")
        let initech = KeyedTenant("initech")
        let gateway = KeyedTenant("gateway")
        let certificates = try TestCertificates()
        let (chain, key) = try certificates.issue("server")
        let file = """
            tenants:
            \(acme.settings)\(globex.settings)\(initech.settings)
            other_tenants: {create_caches: true}
            gateways: [{sha256: \(gateway.digest), roles: [read], all_tenants: true}]
            """
        let service = try await RunningService(
            settings: ["tls.certificate=\(chain)", "tls.key=\(key)", "traces.endpoint=http://127.0.0.1:1"], file: file)
        func client(_ credential: CacheCredential, for tenant: String? = nil, isSecured: Bool = true) -> CacheClient {
            var configuration = ClientConfiguration(ServerAddress(host: "127.0.0.1", port: service.port))
            configuration.credential = credential
            configuration.tenant = tenant
            if isSecured {
                configuration.transportSecurity = .tls(ClientTLS(trust: .authorities(file: certificates.trustFile)))
            }
            return CacheClient(configuration)
        }

        let first = client(.apiKey(acme.key))
        _ = try await first.store(
            "Open Settings.", for: Self.question, usage: CacheUsage(promptTokens: 20, completionTokens: 5, cost: 0.5))
        for prompt in [Self.question, Self.question, Self.paraphrase, Self.paraphrase] {
            _ = try #require(try await first.lookup(prompt).hit)
        }
        try #require(try await first.lookup("Who wrote the Moonlight Sonata?").hit == nil)
        let second = client(.apiKey(globex.key))
        try #require(try await second.lookup(Self.question).hit == nil)
        await #expect(throws: CacheClientError.self) { try await second.store("x", for: Self.question) }
        let walkIn = client(.apiKey(gateway.key), for: "walk-in")
        try #require(try await walkIn.lookup(Self.question).hit == nil)
        let strangers = [client(.apiKey("smc_nobody")), client(.none, isSecured: false)]
        for stranger in strangers {
            await #expect(throws: CacheClientError.self) { try await stranger.lookup(Self.question) }
        }
        if let python {
            let script = root.appendingPathComponent("Tests/GRPCFrontTests/stock_client.py").path
            let arguments = [
                "--port", "\(try await service.port(of: "grpc"))", "--ca", certificates.trustFile,
                "--api-key", initech.key, "--only", "store_and_exact_hit",
            ]
            let result = try await Programs.run(python, [script] + arguments)
            try #require(result.status == 0, "\(result.output) \(result.errors)")
        }
        let exposition = try await service.metrics()
        for client in [first, second, walkIn] + strangers { await client.close() }
        #expect(await service.stop(SIGTERM) == 0)
        return exposition
    }

    @Test func `lookups are counted by tenant, outcome and tier, and all other tenants are one`() async throws {
        let metrics = try await Self.observed.value
        func lookups(_ tenant: String, _ outcome: String, _ tier: String) -> Double? {
            metrics["semcache_lookups_total", ["tenant": tenant, "outcome": outcome, "tier": tier]]
        }
        for kind in ["exact_hit", "semantic_hit"] {
            for tier in ["store", "l1"] { #expect(lookups("acme", kind, tier) == 1, "\(kind) \(tier)") }
        }
        for tenant in ["acme", "globex", "other"] { #expect(lookups(tenant, "miss", "none") == 1, "\(tenant)") }
        #expect(metrics["semcache_misses_total", ["tenant": "acme", "reason": "below_threshold"]] == 1)
        #expect(metrics["semcache_misses_total", ["tenant": "globex", "reason": "no_entry"]] == 1)
        #expect(lookups("initech", "exact_hit", "store") == (python == nil ? 0 : 1))
        #expect(metrics.values(of: "tenant") == ["acme", "globex", "initech", "other"])
        #expect(!metrics.text.contains("walk-in"))
        #expect(metrics["semcache_undeclared_tenants"] == 1)
    }

    @Test func `what hits saved, what is stored and what was refused is counted for its tenant`() async throws {
        let metrics = try await Self.observed.value
        let acme = ["tenant": "acme"]
        #expect(metrics["semcache_tokens_saved_total", acme] == 100)
        #expect(metrics["semcache_cost_saved_total", acme] == 2)
        #expect(metrics["semcache_stores_total", acme] == 1)
        #expect(metrics["semcache_entries", acme] == 1)
        #expect(metrics["semcache_quota_entries", acme] == 100)
        #expect(metrics["semcache_refusals_total", ["tenant": "globex", "reason": "role"]] == 1)
    }

    @Test func `requests are counted by protocol, method and code`() async throws {
        let metrics = try await Self.observed.value
        func requests(_ wire: String, _ method: String, _ code: String) -> Double? {
            metrics["semcache_requests_total", ["protocol": wire, "method": method, "code": code]]
        }
        #expect(requests("native", "Lookup", "ok") == 7)
        #expect(requests("native", "Store", "ok") == 1)
        #expect(requests("native", "Store", "permission_denied") == 1)
        for method in ["Lookup", "Store"] { #expect(requests("grpc", method, "ok") == (python == nil ? 0 : 1)) }
        // The two that memory answered are not timed.
        let timed = metrics["semcache_request_duration_seconds_count", ["method": "Lookup"]]
        #expect(timed == (python == nil ? 5 : 6))
    }

    @Test func `connections, handshakes, refused credentials and the end of the certificate are told`() async throws {
        let metrics = try await Self.observed.value
        let grpc: Double = python == nil ? 0 : 1
        func handshakes(_ outcome: String) -> Double? {
            metrics["semcache_tls_handshakes_total", ["outcome": outcome]]
        }
        #expect(metrics["semcache_connections_total", ["outcome": "accepted"]] == 5 + grpc)
        #expect(try #require(metrics["semcache_connections"]) >= 3)
        #expect(handshakes("completed") == 4 + grpc)
        #expect(handshakes("failed") == 1)
        #expect(metrics["semcache_credentials_refused_total"] == 1)
        // Certificates of the tests end after a day.
        let rest = try #require(metrics["semcache_certificate_expiry_timestamp_seconds"]) - Date().timeIntervalSince1970
        #expect(rest > 86_400 - 120 && rest <= 86_400)
        for check in ["listening", "serving"] { #expect(metrics["semcache_ready", ["check": check]] == 1) }
        #expect(metrics["semcache_store_up"] == 1)
    }

    @Test func `without TLS there is no certificate that could end`() async throws {
        let service = try await RunningService()
        #expect(!(try await service.metrics().text.contains("certificate")))
        #expect(await service.stop(SIGTERM) == 0)
    }

    @Test func `no prompt, answer or key is told`() async throws {
        let text = try await Self.observed.value.text.lowercased()
        for secret in ["password", "settings", "sonata", "secret"] { #expect(!text.contains(secret), "\(secret)") }
    }

    @Test(arguments: ["prometheus/alerts.yaml", "grafana/dashboard.json"])
    func `a running service has each metric of alerts and dashboard`(file: String) async throws {
        let metrics = try await Self.observed.value.metrics
        let text = try String(contentsOf: root.appendingPathComponent("deploy/\(file)"), encoding: .utf8)
        let asked = Set(text.matches(of: /\b(?:semcache|process)_[a-z0-9_]+/).map { String($0.output) })
        #expect(asked.count > 20)
        for name in asked {
            let base = name.replacing(/_(bucket|sum|count)$/, with: "")
            #expect(metrics.contains(name) || metrics.contains(base), "\(file) asks for \(name)")
        }
    }

    @Test(.enabled(if: python != nil, "SEMCACHED_TEST_PYTHON is not set"))
    func `Prometheus' own parser takes it`() async throws {
        let result = try await Programs.run(
            try #require(python), [root.appendingPathComponent(".ci/check-telemetry").path, "prometheus"],
            input: try await Self.observed.value.text)
        #expect(result.status == 0, "\(result.output) \(result.errors)")
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool"), "there is no promtool"))
    func `promtool finds no fault with it`() async throws {
        let result = try await Programs.run(
            "/usr/bin/promtool", ["check", "metrics"], input: try await Self.observed.value.text)
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.output) \(result.errors)")
    }
}
