// SPDX-License-Identifier: Apache-2.0

import CacheModel
import HTTPEmbedder

extension EmbedderSettings.Provider {
    private static let keys: Set<String> = ProviderKeys.access.union([
        "name", "provider", "url", "model", "revision", "dimensions", "send_dimensions", "expected_model", "deployment",
        "api_version", "organization", "project", "entra_token_file", "entra_token_env", "batch", "concurrency",
        "attempts", "retry_ratio", "hedge_after", "encoding", "maximum_text", "probe_interval", "fallback", "persist",
    ])

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
        do throws(CacheError) {
            try configuration.validate()
        } catch {
            throw SettingsError(error, at: node.path, of: configuration)
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
        let key = try node.credential("api_key")
        let token = try node.credential("entra_token")
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

    private static func readPatience(
        _ node: SettingsNode, into configuration: inout HTTPEmbedder.Configuration
    ) throws {
        try node.readAccess(into: &configuration, concurrency: "concurrency")
        configuration.batchLimit = try node.integer("batch", in: 1...Limits.embeddingBatch) ?? configuration.batchLimit
        configuration.attempts = try node.integer("attempts", in: Limits.providerAttempts) ?? configuration.attempts
        configuration.retryRatio = try node.number("retry_ratio", in: 0...1) ?? configuration.retryRatio
        configuration.hedgeAfter = try node.duration("hedge_after", atLeast: .milliseconds(1))
        configuration.encoding =
            try node.choice("encoding", HTTPEmbedder.Configuration.Encoding.self) ?? configuration.encoding
        configuration.maximumTextBytes =
            try node.bytes("maximum_text", in: 1...Limits.maximumPromptBytes) ?? configuration.maximumTextBytes
        configuration.canaryInterval =
            try node.duration(
                "probe_interval", atLeast: Limits.canaryInterval.lowerBound, atMost: Limits.canaryInterval.upperBound)
            ?? configuration.canaryInterval
    }
}
