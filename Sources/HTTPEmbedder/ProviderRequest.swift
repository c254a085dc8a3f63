// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// Writes requests as the provider understands them. All but the texts and the credential is fixed at the start.
struct ProviderRequest: Sendable {
    let url: String
    private let configuration: HTTPEmbedder.Configuration
    /// In the body; `nil` where the route says it.
    private let model: String?

    init(_ configuration: HTTPEmbedder.Configuration) {
        self.configuration = configuration
        var base = configuration.baseURL[...]
        while base.hasSuffix("/") { base = base.dropLast() }
        switch (configuration.provider, configuration.azure) {
        case (.azureOpenAI, let azure?):
            let deployment = Self.escaped(azure.deployment)
            if let version = azure.apiVersion {
                let query = "?api-version=\(Self.escaped(version))"
                self.url = "\(base)/openai/deployments/\(deployment)/embeddings\(query)"
                self.model = nil
            } else {
                self.url = "\(base)/openai/v1/embeddings"
                self.model = azure.deployment
            }
        case (.ollama, _):
            self.url = "\(base)/api/embed"
            self.model = configuration.model
        default:
            // Servers are known by their address with the version in it as often as without.
            self.url = base.hasSuffix("/v1") ? "\(base)/embeddings" : "\(base)/v1/embeddings"
            self.model = configuration.model
        }
    }

    func headers(_ credential: Credential?) -> HTTPHeaders {
        var headers: HTTPHeaders = ["Content-Type": "application/json", "Accept": "application/json"]
        if let credential {
            if let azure = self.configuration.azure, !azure.usesToken {
                headers.add(name: "api-key", value: credential.text)
            } else {
                headers.add(name: "Authorization", value: "Bearer \(credential.text)")
            }
        }
        if let organization = self.configuration.organization {
            headers.add(name: "OpenAI-Organization", value: organization)
        }
        if let project = self.configuration.project { headers.add(name: "OpenAI-Project", value: project) }
        return headers
    }

    func body(_ texts: [String]) throws -> ByteBuffer {
        let isOllama = self.configuration.provider == .ollama
        let body = Body(
            input: texts, model: self.model,
            dimensions: self.configuration.sendsDimensions ? self.configuration.dimensions : nil,
            encoding_format: isOllama ? nil : self.configuration.encoding.rawValue,
            // A text that is too long must not be cut in silence: what differs behind the cut would be the same.
            truncate: isOllama ? false : nil)
        return ByteBuffer(bytes: try JSONEncoder().encode(body))
    }

    /// Bytes that an answer with so many vectors may have, in the longest form.
    func answerLimit(texts count: Int) -> Int {
        Limits.providerOverheadBytes + count * (self.configuration.dimensions * Limits.providerBytesPerNumber + 256)
    }

    private static func escaped(_ text: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        return text.utf8.reduce(into: "") { escaped, byte in
            if plain.contains(byte) {
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                escaped += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }

    /// Fields as they are on the wire.
    private struct Body: Encodable {
        let input: [String]
        let model: String?
        let dimensions: Int?
        let encoding_format: String?
        let truncate: Bool?
    }
}
