// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@testable import HTTPEmbedder

struct ProviderRequestTests {
    private func request(
        _ provider: HTTPEmbedder.Configuration.Provider, _ url: String?,
        _ change: (inout HTTPEmbedder.Configuration) -> Void = { _ in }
    ) -> ProviderRequest {
        var configuration = HTTPEmbedder.Configuration(provider: provider, baseURL: url, model: "m", dimensions: 3)
        change(&configuration)
        return ProviderRequest(configuration)
    }

    private func fields(_ request: ProviderRequest) throws -> [String: String] {
        let body = try request.body(["a"])
        let object = try JSONSerialization.jsonObject(with: Data(body.readableBytesView))
        return try #require(object as? [String: Any]).mapValues { "\($0)" }.filter { $0.key != "input" }
    }

    @Test func `each provider has its route and its fields`() throws {
        let openAI = self.request(.openAI, nil) {
            $0.sendsDimensions = true
            $0.organization = "org"
            $0.project = "proj"
        }
        #expect(openAI.url == "https://api.openai.com/v1/embeddings")
        #expect(try self.fields(openAI) == ["model": "m", "dimensions": "3", "encoding_format": "base64"])
        let key = Credential(" key\n".utf8)
        #expect(openAI.headers(key)["Authorization"] == ["Bearer key"])
        #expect(openAI.headers(key)["OpenAI-Organization"] == ["org"])
        #expect(openAI.headers(key)["OpenAI-Project"] == ["proj"])

        let azure = self.request(.azureOpenAI, "https://x.example/") { $0.azure = .init(deployment: "my dep/1") }
        #expect(
            azure.url == "https://x.example/openai/deployments/my%20dep%2F1/embeddings?api-version=2024-10-21")
        #expect(try self.fields(azure) == ["encoding_format": "base64"])
        #expect(azure.headers(key)["api-key"] == ["key"])
        #expect(azure.headers(key)["Authorization"].isEmpty)

        let token = self.request(.azureOpenAI, "https://x.example") {
            $0.azure = .init(deployment: "d", apiVersion: nil, usesToken: true)
        }
        #expect(token.url == "https://x.example/openai/v1/embeddings")
        #expect(try self.fields(token)["model"] == "d")
        #expect(token.headers(key)["Authorization"] == ["Bearer key"])
        #expect(token.headers(key)["api-key"].isEmpty)

        for url in ["http://localhost:8080", "http://localhost:8080/", "http://localhost:8080/v1"] {
            #expect(self.request(.openAICompatible, url).url == "http://localhost:8080/v1/embeddings")
        }
        let ollama = self.request(.ollama, nil)
        #expect(ollama.url == "http://localhost:11434/api/embed")
        #expect(try self.fields(ollama) == ["model": "m", "truncate": "0"])
        #expect(ollama.headers(nil)["Authorization"].isEmpty)
    }

    @Test func `Azure's vectors are OpenAI's, and others are not`() {
        func identity(_ provider: HTTPEmbedder.Configuration.Provider) -> EmbeddingIdentity {
            HTTPEmbedder.Configuration(provider: provider, model: "m", dimensions: 3).identity
        }
        #expect(identity(.azureOpenAI) == identity(.openAI))
        #expect(identity(.openAICompatible) != identity(.openAI))
        #expect(identity(.ollama) != identity(.openAICompatible))
    }
}

struct ConfigurationTests {
    typealias Change = @Sendable (inout HTTPEmbedder.Configuration) -> Void

    private static let changes: [(String, Change)] = [
        ("base_url", { $0.baseURL = "" }), ("base_url", { $0.baseURL = "ftp://a" }),
        ("base_url", { $0.baseURL = "https://user:word@a" }), ("base_url", { $0.baseURL = "https://a?key=b" }),
        ("base_url", { $0.baseURL = "https://a#b" }), ("base_url", { $0.baseURL = "https://a b" }),
        (
            "base_url",
            {
                $0.baseURL = "http://elsewhere.example"
                $0.credential = .environment("KEY")
            }
        ), ("tls", { $0.tls.isVerified = false }), ("name", { $0.name = "a b" }), ("model", { $0.model = "" }),
        ("model", { $0.model = "a\r\nb" }), ("revision", { $0.revision = "" }),
        ("organization", { $0.organization = "a\nb" }), ("project", { $0.project = "é" }),
        ("dimensions", { $0.dimensions = 0 }), ("dimensions", { $0.dimensions = 16_385 }),
        ("batch_limit", { $0.batchLimit = 0 }), ("batch_limit", { $0.batchLimit = Limits.embeddingBatch + 1 }),
        ("concurrency", { $0.concurrency = 257 }), ("attempts", { $0.attempts = 0 }),
        ("maximum_text_bytes", { $0.maximumTextBytes = 0 }), ("retry_ratio", { $0.retryRatio = 1.1 }),
        ("retry_ratio", { $0.retryRatio = .nan }), ("request_timeout", { $0.requestTimeout = .zero }),
        ("connect_timeout", { $0.connectTimeout = .seconds(301) }),
        ("hedge_after", { $0.hedgeAfter = $0.requestTimeout }), ("hedge_after", { $0.hedgeAfter = .zero }),
        ("breaker_failures", { $0.breakerFailures = 0 }), ("breaker_open", { $0.breakerOpen = .seconds(61) }),
        ("canary_interval", { $0.canaryInterval = .zero }), ("proxy_port", { $0.proxy = .init(host: "p", port: 0) }),
        ("proxy_host", { $0.proxy = .init(host: "", port: 1) }),
        ("azure", { $0.azure = .init(deployment: "d") }), ("deployment", { $0.provider = .azureOpenAI }),
        ("credential", { $0.provider = .openAI }),
        (
            "tls",
            {
                $0.baseURL = "https://a"
                $0.tls.keyFile = "k"
            }
        ),
    ]

    @Test(arguments: changes.indices)
    func `what is out of range is refused by name`(_ index: Int) throws {
        let (field, change) = Self.changes[index]
        let valid = configuration("http://127.0.0.1:1")
        try valid.validate()
        let error = #expect(throws: CacheError.self) { try configuration("http://127.0.0.1:1", change).validate() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.field == field)
    }

    @Test func `defaults are valid`() throws {
        var openAI = HTTPEmbedder.Configuration(provider: .openAI, model: "text-embedding-3-small", dimensions: 1536)
        openAI.credential = .environment("KEY")
        try openAI.validate()
        try HTTPEmbedder.Configuration(provider: .ollama, model: "nomic-embed-text", dimensions: 768).validate()
    }

    @Test func `a credential over plain HTTP to another machine takes saying so`() throws {
        try configuration("http://elsewhere.example") {
            $0.credential = .environment("KEY")
            $0.allowsPlaintextCredential = true
        }.validate()
    }

    @Test(arguments: [
        "", " \n", "two words", "line\r\nfeed", "schlüssel", "a\0b", String(repeating: "k", count: 16_385),
    ])
    func `what cannot be a credential is refused`(_ text: String) throws {
        let file = try SecretFile(text)
        #expect(throws: CredentialFault.self) { try CredentialSource.file(file.path).credentialNow() }
        let configuration = configuration("http://127.0.0.1:1") { $0.credential = .file(file.path) }
        let error = #expect(throws: CacheError.self) {
            try HTTPEmbedder(configuration, logger: RecordedLog().logger)
        }
        #expect(error?.field == "credential")
        withExtendedLifetime(file) {}
    }

    @Test func `a credential that is nowhere, or endless, is refused`() {
        for source in [
            CredentialSource.file("/nowhere/key"), .file("/dev/zero"), .environment("SEMCACHED_NOT_SET_EVER"),
        ] {
            #expect(throws: CredentialFault.self) { try source.credentialNow() }
        }
    }

    @Test func `a credential is in no description and no dump`() throws {
        let credential = try #require(Credential(secret.utf8))
        var dumped = ""
        dump(credential, to: &dumped)
        for text in [dumped, "\(credential)", String(reflecting: credential), "\([credential])"] {
            #expect(!text.contains(secret))
        }
    }
}
