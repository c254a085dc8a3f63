// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Judges of a real service.
@Suite(.timeLimit(.minutes(2))) struct JudgeTests {
    private func settings(_ provider: EmbeddingProvider) -> String {
        """
        embedder: {default: tiny}
        embedders:
          - {name: tiny, provider: openai-compatible, url: "\(provider.url)", model: tiny, dimensions: 8, attempts: 1}
        judges:
          - {name: gpt, url: "\(provider.url)/v1", model: m, api_key_env: OWN_KEY, sure_from: 1, breaker_open: 50ms}
        cache: {judge: gpt, decision: threshold, guards: none, similarity_threshold: 0.5}
        """
    }

    @Test func `a judge decides where the similarity is not enough, and its key and the questions are in no log`()
        async throws
    {
        let provider = try await EmbeddingProvider()
        let service = try await RunningService(
            file: self.settings(provider), environment: ["OWN_KEY": "hush-hush"])
        try await service.line(with: "embedder ready")
        let question = "How do I reset my password?"
        #expect(try await service.semcache("store", question, "In the settings.").status == 0)
        provider.reply = "yes"
        let hit = try await service.semcache("lookup", "Where can I reset my password?")
        #expect(hit.status == 0 && hit.output.contains("In the settings."), "\(hit.errors)")
        provider.reply = "no"
        let miss = try await service.semcache("lookup", "Where did I reset my password?")
        #expect(miss.status == 1 && miss.errors.contains("judge"), "\(miss.errors)")
        provider.reply = nil
        #expect(try await service.semcache("lookup", "Why did I reset my password?").status == 1)
        #expect(provider.keys.contains("Bearer hush-hush"))
        let metrics = try await service.get("/metrics").text
        #expect(metrics.contains(#"semcache_judge_opinions_total{judge="gpt",opinion="same"} 1"#), "\(metrics)")
        #expect(!service.logged.contains("hush") && !service.logged.contains("password"))
        #expect(try await !service.get("/config").text.contains("hush"))
        #expect(await service.stop(SIGTERM) == 0)
    }

    @Test func `each judge is asked when it is probed, and says why not`() async throws {
        let provider = try await EmbeddingProvider()
        provider.reply = "Yes."
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try self.settings(provider).write(to: file, atomically: true, encoding: .utf8)
        let arguments = ["--check-config", "--probe-judges", "--config", file.path]
        let good = try await Programs.run("semcached", arguments, environment: ["OWN_KEY": "hush-hush"])
        #expect(good.status == 0 && good.output.contains("judge gpt replied"), "\(good.errors)")
        provider.reply = "Of course"
        let bad = try await Programs.run("semcached", arguments, environment: ["OWN_KEY": "hush-hush"])
        #expect(bad.status == 1 && bad.errors.contains("neither yes nor no"), "\(bad.errors)")
        let none = try await Programs.run("semcached", ["--check-config", "--config", file.path])
        #expect(none.status == 1 && none.errors.contains("judge gpt: api_key_env cannot be read"), "\(none.errors)")
        #expect(!bad.errors.contains("hush"))
        #expect(try await Programs.run("semcached", ["--probe-judges"]).status != 0)
    }

    @Test func `SIGHUP changes who is judged, and refuses a judge that was not there at the start`() async throws {
        let judges = "judges: [\(Self.one)]\n"
        let service = try await RunningService(file: judges)
        #expect(try await service.reload(judges + "cache: {judge: a}\n").contains("settings reloaded"))
        let other = #"judges: [{name: b, url: "https://b.example", model: m}]"# + "\ncache: {judge: b}\n"
        let line = try await service.reload(other)
        #expect(line.contains("not reloaded") && line.contains("judge b needs a restart"), "\(line)")
        let unused = #"judges: [{name: b, url: "https://b.example", model: m}]"# + "\n"
        let second = try await service.reload(unused)
        #expect(second.contains("settings reloaded") && second.contains("judges"), "\(second)")
    }

    private static let inner = #"name: a, url: "https://a.example", model: m"#
    private static let one = "{\(inner)}"

    @Test(arguments: [
        ("judges: [{url: \"https://a.example\", model: m}]", "judges[0].name"),
        ("judges: [{name: none, url: \"https://a.example\", model: m}]", "cannot be none"),
        ("judges: [{name: local, url: \"https://a.example\", model: m}]", "of an embedder"),
        ("judges: [\(one), \(one)]", "another judge"), ("judges: [{name: a, model: m}]", "judges[0].url"),
        ("judges: [{name: a, url: \"https://a.example\"}]", "judges[0].model"),
        ("judges: [{name: a, url: \"ftp://a.example\", model: m}]", "judges[0]: url must be https or http"),
        (
            "judges: [{name: a, url: \"http://127.0.0.1\", model: m, tls_verify: false}]",
            "judges[0]: tls_ca, tls_certificate, tls_key or tls_verify is set, and the URL is not https"
        ),
        ("judges: [{\(inner), proxy: \":80\"}]", "judges[0]: proxy is not"),
        ("judges: [{\(inner), proxy: \"p:99999\"}]", "judges[0]: proxy is not 1 to 65535"),
        ("judges: [{\(inner), tls_ca: /no/such/file}]", "judge a: tls_ca cannot be read"),
        ("judges: [{\(inner), api_key_file: /no/such/file}]", "judge a: api_key_file cannot be read"),
        (
            "judges: [{\(inner), proxy: \"p:80\", proxy_key_env: NO_SUCH_VARIABLE}]",
            "judge a: proxy_key_env cannot be read"
        ),
        ("judges: [{name: a, url: \"http://a.example\", model: m, api_key_env: K}]", "must be https"),
        ("judges: [{name: a, url: \"https://a.example\", model: m, api_key: k}]", "unknown key api_key"),
        ("judges: [{name: a, url: \"https://a.example\", model: m, sure_from: 2}]", "judges[0].sure_from"),
        ("judges: [{name: a, url: \"https://a.example\", model: m, risk_up_to: 30}]", "judges[0].risk_up_to"),
        ("judges: [{name: a, url: \"https://a.example\", model: m, timeout: 0s}]", "judges[0].timeout"),
        (
            "judges: [{name: a, url: \"https://a.example\", model: m, maximum_concurrent: 0}]",
            "judges[0].maximum_concurrent"
        ),
        ("cache: {judge: b}", "cache.judge"), ("judges: [\(one)]\ncache: {judge: b}", "one of a, none"),
    ])
    func `settings of judges that cannot be right are refused by name`(file: String, fault: String) async throws {
        let result = try await self.check(file)
        #expect(result.status == 1 && result.errors.contains(fault), "\(result.errors)")
    }

    @Test func `a cache may want none though its defaults name one`() async throws {
        let digest = String(repeating: "0", count: 64)
        let result = try await self.check(
            """
            judges: [\(Self.one)]
            cache: {judge: a}
            tenants:
              - name: acme
                api_keys: [{sha256: "\(digest)", roles: [read]}]
                caches: [{name: one, judge: none}, {name: two}, {name: three, judge: a}]
            """)
        #expect(result.status == 0, "\(result.errors)")
    }

    private func check(_ file: String) async throws -> ProgramResult {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: path) }
        try file.write(to: path, atomically: true, encoding: .utf8)
        return try await Programs.run(
            "semcached", ["--check-config", "--model", try Programs.modelFolder(), "--config", path.path])
    }
}
