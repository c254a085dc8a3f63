// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Embedders of a real service: the one in the process, and a provider over HTTP.
@Suite(.timeLimit(.minutes(2))) struct EmbedderTests {
    private let question = "How do I reset my password?"

    private func settings(_ provider: EmbeddingProvider, _ more: String = "", key: String = "OWN_KEY") -> String {
        """
        embedder: {default: tiny}
        embedders:
          - {name: tiny, provider: openai-compatible, url: "\(provider.url)", model: tiny, dimensions: 8,
             api_key_env: \(key), encoding: float, attempts: 1, breaker_open: 50ms\(more)}
        """
    }

    @Test func `the local model's vector is printed, and is the one that a Lookup uses`() async throws {
        let service = try await RunningService()
        let printed = try await service.semcache("embed", self.question, "--json")
        #expect(printed.status == 0, "\(printed.errors)")
        let object = try JSONSerialization.jsonObject(with: Data(printed.output.utf8)) as? [String: Any]
        let vector = try #require(object?["embedding"] as? [Double])
        #expect(vector.count == 384 && abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-4)
        #expect((object?["identity"] as? String)?.hasPrefix("local/all-MiniLM-L6-v2/384/") == true)
        let plain = try await service.semcache("embed", self.question)
        #expect(plain.output.hasPrefix("[") && plain.errors.contains("local/all-MiniLM-L6-v2"))
        #expect(try await service.semcache("embed", " ").status == 2)
    }

    @Test func `a cache's entries are embedded by a provider, whose key is in no log`() async throws {
        let provider = try await EmbeddingProvider()
        let service = try await RunningService(
            file: self.settings(provider), environment: ["OWN_KEY": "hush-hush"])
        try await service.line(with: "embedder ready")
        #expect(try await service.get("/readyz").status == 200)
        #expect(try await service.semcache("store", self.question, "In the settings.").status == 0)
        let found = try await service.semcache("lookup", self.question, "--mode", "semantic")
        #expect(found.status == 0 && found.output.contains("In the settings."), "\(found.errors)")
        #expect(try await service.semcache("embed", self.question).errors.contains("openai-compatible/tiny/8/1"))
        #expect(provider.texts.contains("how do i reset my password") && Set(provider.keys) == ["Bearer hush-hush"])
        #expect(!service.logged.contains("hush") && !service.logged.contains(self.question))
        #expect(!service.logged.contains("model loaded"), "nobody uses the local one")
        #expect(try await !service.get("/config").text.contains("hush"))
        #expect(await service.stop(SIGTERM) == 0)
    }

    @Test func `the service is not ready before its embedder has made a vector, and stays so when it fails later`()
        async throws
    {
        let provider = try await EmbeddingProvider()
        provider.isDown = true
        let service = try await RunningService(file: self.settings(provider), environment: ["OWN_KEY": "k"])
        try await service.line(with: "embedder not ready")
        let page = try await service.get("/readyz")
        #expect(page.status == 503 && page.text.contains("tiny"), "\(page.text)")
        provider.isDown = false
        try await service.line(with: "embedder ready")
        #expect(try await service.get("/readyz").status == 200)
        #expect(try await service.semcache("store", self.question, "In the settings.").status == 0)

        provider.isDown = true
        #expect(try await service.get("/readyz").status == 200)
        let exact = try await service.semcache("lookup", self.question)
        #expect(exact.output.contains("In the settings."), "\(exact.errors)")
        let miss = try await service.semcache("lookup", "What does it cost?")
        #expect(miss.status == 1 && miss.errors.contains("embedder"), "\(miss.errors)")
        #expect(await service.stop(SIGTERM) == 0)
    }

    @Test func `vectors that are kept outlive the service`() async throws {
        let provider = try await EmbeddingProvider()
        let (settings, environment) = (self.settings(provider, ", persist: true"), ["OWN_KEY": "k"])
        let service = try await RunningService(file: settings, environment: environment)
        try await service.line(with: "embedder ready")
        #expect(try await service.semcache("lookup", self.question).status == 1)
        #expect(await service.stop(SIGTERM) == 0)
        let second = try await service.restarted(file: settings, environment: environment)
        try await second.line(with: "embedder ready")
        #expect(try await second.semcache("lookup", self.question).status == 1)
        #expect(provider.texts.count { $0 == "how do i reset my password" } == 1)
    }

    @Test func `each embedder makes a vector when it is probed, and says why not`() async throws {
        let provider = try await EmbeddingProvider()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try self.settings(provider).write(to: file, atomically: true, encoding: .utf8)
        let arguments = ["--check-config", "--probe-embedders", "--config", file.path]
        let good = try await Programs.run("semcached", arguments, environment: ["OWN_KEY": "hush-hush"])
        #expect(good.status == 0 && good.output.contains("embedder tiny made a vector"), "\(good.errors)")
        provider.isDown = true
        let bad = try await Programs.run("semcached", arguments, environment: ["OWN_KEY": "hush-hush"])
        #expect(bad.status == 1 && bad.errors.contains("tiny: unavailable"), "\(bad.errors)")
        #expect(!bad.errors.contains("hush"))
        // Without a request, too: the service would not start.
        let none = try await Programs.run("semcached", ["--check-config", "--config", file.path])
        #expect(none.status == 1 && none.errors.contains("embedder tiny: api_key_env cannot be read"), "\(none.errors)")
        #expect(try await Programs.run("semcached", ["--probe-embedders"]).status != 0)
    }

    @Test(arguments: [
        ("embedders: [{provider: openai}]", "embedders[0].name"),
        ("embedders: [{name: local, provider: openai}]", "another embedder"),
        ("embedders: [{name: a, provider: cohere}]", "azure-openai, ollama, openai, openai-compatible"),
        ("embedders: [{name: a, provider: ollama}]", "embedders[0].model"),
        ("embedders: [{name: a, provider: ollama, model: m}]", "embedders[0].dimensions"),
        ("embedders: [{name: a, provider: ollama, model: m, dimensions: 5000}]", "4096"),
        (
            "embedders: [{name: a, provider: openai, model: text-embedding-3-small}]",
            "api_key_file or api_key_env is missing"
        ),
        (
            "embedders: [{name: a, provider: ollama, url: \"ftp://a\", model: m, dimensions: 8}]",
            "embedders[0]: url must be https or http"
        ),
        (
            "embedders: [{name: a, provider: ollama, model: m, dimensions: 8, proxy: \"p:0\"}]",
            "embedders[0]: proxy is not 1 to 65535"
        ),
        ("embedders: [{name: a, provider: ollama, model: m, dimensions: 8, api_key: k}]", "api_key"),
        ("embedders: [{name: a, provider: ollama, model: m, dimensions: 8, deployment: d}]", "azure-openai"),
        ("embedders: [{name: a, provider: ollama, model: m, dimensions: 8, fallback: [b]}]", "falls back to b"),
        ("embedder: {default: b}", "embedder.default"), ("cache: {embedder: b}", "cache.embedder"),
        (
            """
            embedders:
              - {name: a, provider: ollama, model: m, dimensions: 8, fallback: [b]}
              - {name: b, provider: ollama, model: n, dimensions: 8}
            """, "ollama/m/8/1"
        ),
    ])
    func `settings of embedders that cannot be right are refused by name`(file: String, fault: String) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: path) }
        try file.write(to: path, atomically: true, encoding: .utf8)
        let result = try await Programs.run(
            "semcached", ["--check-config", "--model", try Programs.modelFolder(), "--config", path.path])
        #expect(result.status == 1 && result.errors.contains(fault), "\(result.errors)")
    }
}
