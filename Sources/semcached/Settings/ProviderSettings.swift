// SPDX-License-Identifier: Apache-2.0

import CacheModel
import HTTPEmbedder

extension EmbedderSettings.Provider {
    private static let keys: Set<String> = [
        "name", "provider", "url", "model", "revision", "dimensions", "send_dimensions", "expected_model", "deployment",
        "api_version", "organization", "project", "api_key_file", "api_key_env", "entra_token_file", "entra_token_env",
        "plaintext_key", "batch", "concurrency", "timeout", "connect_timeout", "attempts", "retry_ratio", "hedge_after",
        "encoding", "maximum_text", "proxy", "proxy_key_file", "proxy_key_env", "tls_ca", "tls_certificate", "tls_key",
        "tls_verify", "breaker_failures", "breaker_open", "probe_interval", "fallback", "persist",
    ]

    /// Reads one of the list.
    ///
    /// - Throws: ``SettingsError``.
    init(_ node: SettingsNode, name: String) throws {
        typealias Configuration = HTTPEmbedder.Configuration
        try node.check(keys: Self.keys)
        guard let provider = try node.choice("provider", Configuration.Provider.self) else {
            let known = Configuration.Provider.allCases.map(\.rawValue).sorted().joined(separator: ", ")
            throw SettingsError("\(node.path).provider is missing; known are \(known)")
        }
        guard let model = try node.string("model") else { throw SettingsError("\(node.path).model is missing") }
        let known = Self.knownDimensions[model]
        guard let dimensions = try node.integer("dimensions", in: Limits.providerDimensions) ?? known else {
            throw SettingsError("\(node.path).dimensions is missing: how many numbers a vector of \(model) has")
        }
        var configuration = Configuration(
            provider: provider, baseURL: try node.string("url"), model: model, dimensions: dimensions)
        configuration.name = name
        configuration.revision = try node.string("revision") ?? configuration.revision
        configuration.sendsDimensions = try node.boolean("send_dimensions") ?? known.map { $0 != dimensions } ?? false
        configuration.expectedModel = try node.string("expected_model")
        configuration.organization = try node.string("organization")
        configuration.project = try node.string("project")
        try Self.readCredential(node, into: &configuration)
        try Self.readPatience(node, into: &configuration)
        try Self.readConnection(node, into: &configuration)
        do throws(CacheError) {
            try configuration.validate()
        } catch {
            throw SettingsError("\(node.path): \(error.message)")
        }
        self.init(
            configuration: configuration, fallback: try node.words("fallback") ?? [],
            persists: try node.boolean("persist") ?? false)
    }

    /// Of the models that most ask for, so that nobody need look it up.
    private static let knownDimensions = [
        "text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536,
    ]

    private static func readCredential(
        _ node: SettingsNode, into configuration: inout HTTPEmbedder.Configuration
    ) throws {
        let key = try Self.credential(node, "api_key")
        let token = try Self.credential(node, "entra_token")
        guard key == .none || token == .none else {
            throw SettingsError("\(node.path) has an API key and a token of Entra: give one of the two")
        }
        configuration.credential = token == .none ? key : token
        configuration.allowsPlaintextCredential = try node.boolean("plaintext_key") ?? false
        guard configuration.provider == .azureOpenAI else {
            for field in ["deployment", "api_version", "entra_token_file", "entra_token_env"]
            where try node.string(field) != nil {
                throw SettingsError("\(node.path).\(field) is for the provider azure-openai")
            }
            return
        }
        guard let deployment = try node.string("deployment") else {
            throw SettingsError("\(node.path).deployment is missing: the name that the model was deployed under")
        }
        var azure = HTTPEmbedder.Configuration.Azure(deployment: deployment, usesToken: token != .none)
        // The newer route has no versions.
        if let version = try node.string("api_version") { azure.apiVersion = version == "v1" ? nil : version }
        configuration.azure = azure
    }

    /// A file, or a variable of the environment: the secret itself is in neither the settings nor the arguments.
    private static func credential(_ node: SettingsNode, _ key: String) throws -> CredentialSource {
        switch (try node.string("\(key)_file"), try node.string("\(key)_env")) {
        case (nil, nil): .none
        case (let path?, nil): .file(path)
        case (nil, let name?): .environment(name)
        default: throw SettingsError("\(node.path) has \(key)_file and \(key)_env: give one of the two")
        }
    }

    private static func readPatience(
        _ node: SettingsNode, into configuration: inout HTTPEmbedder.Configuration
    ) throws {
        let times = Limits.providerTimeout
        configuration.batchLimit = try node.integer("batch", in: 1...Limits.embeddingBatch) ?? configuration.batchLimit
        configuration.concurrency =
            try node.integer("concurrency", in: Limits.providerConcurrency) ?? configuration.concurrency
        configuration.requestTimeout =
            try node.duration("timeout", atLeast: times.lowerBound, atMost: times.upperBound)
            ?? configuration.requestTimeout
        configuration.connectTimeout =
            try node.duration("connect_timeout", atLeast: times.lowerBound, atMost: times.upperBound)
            ?? configuration.connectTimeout
        configuration.attempts = try node.integer("attempts", in: Limits.providerAttempts) ?? configuration.attempts
        configuration.retryRatio = try node.number("retry_ratio", in: 0...1) ?? configuration.retryRatio
        configuration.hedgeAfter = try node.duration("hedge_after", atLeast: .milliseconds(1))
        configuration.encoding =
            try node.choice("encoding", HTTPEmbedder.Configuration.Encoding.self) ?? configuration.encoding
        configuration.maximumTextBytes =
            try node.bytes("maximum_text", in: 1...Limits.maximumPromptBytes) ?? configuration.maximumTextBytes
        configuration.breakerFailures =
            try node.integer("breaker_failures", in: 1...1000) ?? configuration.breakerFailures
        configuration.breakerOpen =
            try node.duration("breaker_open", atLeast: .milliseconds(1), atMost: Limits.maximumBreakerOpen)
            ?? configuration.breakerOpen
        configuration.canaryInterval =
            try node.duration(
                "probe_interval", atLeast: Limits.canaryInterval.lowerBound, atMost: Limits.canaryInterval.upperBound)
            ?? configuration.canaryInterval
    }

    private static func readConnection(
        _ node: SettingsNode, into configuration: inout HTTPEmbedder.Configuration
    ) throws {
        if let proxy = try node.string("proxy") {
            guard let colon = proxy.lastIndex(of: ":"), let port = Int(proxy[proxy.index(after: colon)...]) else {
                throw SettingsError("\(node.path).proxy must be host:port")
            }
            configuration.proxy = HTTPEmbedder.Configuration.Proxy(
                host: String(proxy[..<colon]), port: port, credential: try Self.credential(node, "proxy_key"))
        } else if try Self.credential(node, "proxy_key") != .none {
            throw SettingsError("\(node.path) has a key of a proxy and no proxy")
        }
        configuration.tls.trustFile = try node.string("tls_ca")
        configuration.tls.certificateFile = try node.string("tls_certificate")
        configuration.tls.keyFile = try node.string("tls_key")
        configuration.tls.isVerified = try node.boolean("tls_verify") ?? true
    }
}
