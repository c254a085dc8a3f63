// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

private let digest = String(repeating: "0", count: 64)

@Suite struct ConfigurationTests {
    private func check(_ arguments: [String], file: String? = nil, environment: [String: String] = [:]) async throws
        -> ProgramResult
    {
        var arguments = ["--check-config", "--model", try Programs.modelFolder()] + arguments
        if let file {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
            try file.write(to: path, atomically: true, encoding: .utf8)
            arguments += ["--config", path.path]
        }
        return try await Programs.run("semcached", arguments, environment: environment)
    }

    /// With a store of its own: one that another has open is another reason not to start.
    private func start(model: String) async throws -> ProgramResult {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("store-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await Programs.run(
            "semcached", ["--port", "0", "--model", model, "--set", "store.path=\(folder.path)/cache.sqlite"])
    }

    @Test func `the example file is right`() async throws {
        let example = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../deploy/semcached.yaml").standardizedFileURL.path
        let result = try await self.check(["--config", example])
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func `the settings of the Kubernetes manifests are right`() async throws {
        let certificates = try TestCertificates()
        let own = try certificates.issue("server")
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../deploy/kubernetes/semcached.yaml").standardizedFileURL.path
        let result = try await self.check(
            [
                "--config", file, "--set", "tls.certificate=\(own.chainFile)", "--set", "tls.key=\(own.keyFile)",
                "--set",
                "tls.client_ca=\(certificates.trustFile)",
            ], environment: ["SEMCACHED_STORE_URL": "redis://redis"])
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test(arguments: ["broken", "missing", "other"])
    func `a certificate that will not do is named before anything starts`(kind: String) async throws {
        let certificates = try TestCertificates()
        let (own, other) = (try certificates.issue("server"), try certificates.issue("other"))
        let chain =
            switch kind {
            case "broken": try certificates.write("no certificate", to: "broken.pem")
            case "missing": certificates.folder + "/none.pem"
            default: own.chainFile
            }
        let key = kind == "other" ? other.keyFile : own.keyFile
        let result = try await self.check(["--set", "tls.certificate=\(chain)", "--set", "tls.key=\(key)"])
        #expect(result.status == 1)
        #expect(result.errors.contains(kind == "other" ? key : chain), "\(result.errors)")
    }

    @Test(arguments: [
        ("tls:\n  key: k\n", "tls.key is given without tls.certificate"),
        ("tls:\n  certificate: c\n", "tls.key is missing"),
        ("tls: {certificate: c, key: k, client_certificates: required}\n", "needs tls.client_ca"),
        ("tls: {certificate: c, key: k, client_ca: a, client_certificates: none}\n", "tls.client_certificates is none"),
        ("tls: {certificate: c, key: k, minimum_version: \"1.1\"}\n", "tls.minimum_version is \"1.1\""),
        ("grpc:\n  host: 0.0.0.0\n", "grpc.host is 0.0.0.0"),
        ("grpc:\n  port: 7070\n", "must differ"),
        ("server:\n  calls_in_flight: 0\n", "server.calls_in_flight"),
        ("server:\n  handshake_deadline: 0s\n", "server.handshake_deadline"),
        ("traces:\n  endpoint: collector:4318\n", "traces.endpoint must be the base URL"),
        ("traces:\n  endpoint: http://h/v1/traces\n", "traces.endpoint must be the base URL"),
        ("traces:\n  endpoint: \"http://h?a=b\"\n", "traces.endpoint must be the base URL"),
        ("traces:\n  sample_ratio: 0.5\n", "without traces.endpoint"),
        ("metrics:\n  maximum_series: 999\n", "metrics.maximum_series"),
        ("traces: {endpoint: \"http://h:4318\", sample_ratio: 2}\n", "traces.sample_ratio"),
        ("log:\n  format: xml\n", "log.format"),
        ("store: {url: \"redis://h\", tls_ca: f}\n", "rediss"),
        ("store: {url: \"rediss://h\", tls_key: f}\n", "need each other"),
        (
            "tenants:\n  - {name: a, create_caches: true, certificates: [{san: \"dns:a\", roles: [read]}]}\n",
            "tls.client_ca"
        ),
        (
            "tenants:\n  - {name: a, create_caches: true, certificates: [{san: a.b, roles: [read]}]}\n",
            "certificates[0].san"
        ),
        ("gateways:\n  - {san: \"dns:a\", sha256: \(digest), roles: [read], tenants: [a]}\n", "needs sha256"),
    ])
    func `what is wrong with ports, TLS and telemetry is named`(file: String, complaint: String) async throws {
        let result = try await self.check([], file: file)
        #expect(result.status == 1)
        #expect(result.errors.contains(complaint), "\(result.errors)")
    }

    @Test(arguments: [
        ("server:\n  prot: 7070\n", "server.prot"),
        ("server:\n  port: 70700\n", "server.port is \"70700\""),
        ("cache:\n  ttl: soon\n", "cache.ttl is \"soon\""),
        ("cache:\n  ttl: 31d\n", "cache.ttl is longer than cache.maximum_ttl"),
        ("cache:\n  similarity_threshold: nan\n", "cache.similarity_threshold"),
        ("cache:\n  similarity_threshold: 0.4\n", "cache.similarity_floor"),
        ("cache:\n  decision: clever\n", "cache.decision is \"clever\"; it must be one of calibrated, threshold"),
        ("cache:\n  error_budget: 30%\n", "cache.error_budget is \"30%\"; it must be a number from 0.0005 to 0.2"),
        ("cache:\n  error_budget: nan%\n", "cache.error_budget is \"nan%\""),
        ("cache:\n  wrong_hit_limit: 0\n", "cache.wrong_hit_limit is \"0\"; it must be a number from 0.001 to 0.5"),
        ("cache:\n  shadow: maybe\n", "cache.shadow is \"maybe\"; it must be one of false, true"),
        ("cache:\n  guards: [number, numbers]\n", "cache.guards has \"numbers\"; it must be all, none, or a list of"),
        ("cache:\n  guards: [all, number]\n", "cache.guards has \"all\""),
        ("cache:\n  normalize: 1\n", "cache.normalize is \"1\""),
        ("tenants:\n  - {name: a, template: {guards: []}}\n", "tenants[0].template.guards is empty"),
        (
            "tenants:\n  - {name: a, caches: [{name: c, error_budget: 2}]}\n",
            "tenants[0].caches[0].error_budget is \"2\""
        ),
        ("tenants:\n  - {name: a, template: {guards: [units]}}\n", "tenants[0].template.guards has \"units\""),
        ("server:\n  port: [7071]\n", "server.port must be a single value"),
        ("server:\n  port:\n    value: 7071\n", "server.port must be a single value"),
        ("server: 7071\n", "unknown key server"),
        ("- 1\n", "must be a mapping"),
        ("server: [\n", "no valid YAML"),
        ("server:\n  host: 0.0.0.0\n", "loopback"),
        ("memory:\n  limit: 99999999999GiB\n", "memory.limit"),
        ("store:\n  kind: redis\n", "one of auto, embedded, redis-search, redis-vectorset"),
        ("store:\n  kind: redis-search\n", "needs store.url"),
        ("store:\n  kind: embedded\n  url: redis://h\n", "remove one of the two"),
        ("store:\n  shards: 4\n", "store.shards is for a Redis"),
        ("store:\n  url: redis://h\n  timeout: 61s\n", "store.timeout is \"61s\""),
        ("store:\n  url: redis://h\n  connections: 0\n", "a whole number from 1 to 64"),
        ("store:\n  url: redis://h\n  quantization: q8\n", "needs store.kind: redis-vectorset"),
        ("store:\n  url: redis://h\n  kind: redis-vectorset\n  index: flat\n", "needs store.kind: redis-search"),
        ("tenants:\n  - name: a\n    create_caches: true\n", "no credential"),
        ("tenants:\n  - nam: a\n", "tenants[0] has the unknown key nam"),
        ("tenants:\n  - create_caches: true\n", "tenants[0].name"),
        ("tenants:\n  - {name: a, create_caches: true}\n  - {name: a, create_caches: true}\n", "tenants[1].name"),
        ("tenants:\n  - name: a\n", "tenants[0] has no caches"),
        ("tenants:\n  - {name: a, create_caches: true, burst: 3}\n", "needs requests_per_second"),
        ("tenants:\n  - {name: a, create_caches: true, bytes: 10}\n", "tenants[0].bytes"),
        ("tenants:\n  - {name: a, caches: [{name: c, ttl: soon}]}\n", "tenants[0].caches[0].ttl is \"soon\""),
        ("tenants:\n  - {name: a, caches: [{name: c}, {name: c}]}\n", "tenants[0].caches[1].name"),
        ("tenants:\n  - {name: a, caches: [{name: c}], api_keys: [{sha256: abc, roles: [read]}]}\n", "sha256"),
        ("gateways:\n  - {sha256: \(digest), roles: [reed], tenants: [a]}\n", "gateways[0].roles"),
        ("gateways:\n  - {sha256: \(digest), roles: [read]}\n", "gateways[0] needs tenants"),
        ("tokens:\n  audience: a\n", "tokens.issuer"),
        ("tokens:\n  issuer: i\n", "tokens.audience"),
        ("tokens:\n  issuer: i\n  audience: a\n", "exactly one of"),
        ("tokens:\n  issuer: i\n  audience: a\n  keys_url: http://login.example.com/\n", "tokens.keys_url"),
    ])
    func `a wrong file is refused with the key and what would be right`(file: String, message: String) async throws {
        let result = try await self.check([], file: file)
        #expect(result.status == 1)
        #expect(result.errors.contains(message), "\(result.errors)")
    }

    @Test(arguments: [
        "decision: threshold", "decision: calibrated", "error_budget: 2%", "error_budget: 0.02",
        "error_budget: 0.05%\n  wrong_hit_limit: 50%", "shadow: true", "guards: all", "guards: none", "guards: number",
        "guards: [number, unit, word_swap]", "guards: number, question_type", "normalize: false",
    ])
    func `what a cache decides by is read`(setting: String) async throws {
        let result = try await self.check([], file: "cache:\n  \(setting)\n")
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func `the command line wins over the environment, and that over the file`() async throws {
        let file = "log:\n  level: nonsense\n"
        #expect(try await self.check([], file: file).status == 1)
        #expect(try await self.check([], file: file, environment: ["SEMCACHED_LOG_LEVEL": "debug"]).status == 0)
        #expect(
            try await self.check(["--log-level", "info"], environment: ["SEMCACHED_LOG_LEVEL": "nonsense"]).status == 0)
    }

    @Test func `a misspelt variable is refused`() async throws {
        let result = try await self.check([], environment: ["SEMCACHED_CACHE_SIMILARITY_TRESHOLD": "0.99"])
        #expect(result.status == 1)
        #expect(result.errors.contains("SEMCACHED_CACHE_SIMILARITY_TRESHOLD"))
    }

    @Test(arguments: [
        ("store:\n  url: redis://user:hush@127.0.0.1\n", 0),
        ("store:\n  url: redis://user:hush@127.0.0.1\n  kind: redis-vectorset\n  quantization: q8\n  shards: 4\n", 0),
        ("store:\n  url: redis://user:hush@127.0.0.1\n  kind: redis-search\n  index: flat\n  timeout: 250ms\n", 0),
        ("store:\n  url: redis://user:hush@127.0.0.1\n  kind: embedded\n", 1),
        ("store:\n  url: redis://user:hush@127.0.0.1\n  shards: 65\n", 1),
        ("store:\n  url: redis://user:hush@127.0.0.1:hush\n", 1),
        ("store:\n  url: http://user:hush@127.0.0.1\n", 1),
        ("store:\n  url: [redis://user:hush@127.0.0.1]\n", 1),
    ])
    func `the password of a Redis is never shown`(file: String, status: Int32) async throws {
        let result = try await self.check([], file: file)
        #expect(result.status == status, "\(result.errors)")
        #expect(!(result.output + result.errors).contains("hush"))
        #expect(result.errors.isEmpty || result.errors.contains("store."))
    }

    @Test func `a missing model is an error that says how to get it`() async throws {
        let result = try await self.start(model: "/nonexistent/model")
        #expect(result.status == 1)
        #expect(result.errors.contains("/nonexistent/model") && result.errors.contains("deploy/model"))
    }

    @Test func `a damaged model is refused before the service starts`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("model-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try URL(fileURLWithPath: Programs.modelFolder())
        for name in ["vocab.txt", "model.safetensors"] {
            try FileManager.default.copyItem(
                at: model.appendingPathComponent(name), to: folder.appendingPathComponent(name))
        }
        let weights = try FileHandle(forUpdating: folder.appendingPathComponent("model.safetensors"))
        try weights.seek(toOffset: 40_000_000)
        try weights.write(contentsOf: Data([1, 2, 3, 4]))
        try weights.close()
        let result = try await self.start(model: folder.path)
        #expect(result.status == 1)
        #expect(result.errors.contains("model.safetensors") && result.errors.contains("SHA-256"))
    }
}
