// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension HTTPEmbedder {
    /// Which provider, which model of it, and how patiently it is asked.
    package struct Configuration: ProviderAccess, Hashable {
        package enum Provider: String, Sendable, CaseIterable {
            case openAI = "openai"
            case azureOpenAI = "azure-openai"
            /// Any server with OpenAI's `/v1/embeddings`.
            case openAICompatible = "openai-compatible"
            /// Its own `/api/embed`.
            case ollama
        }

        /// How a provider is asked to write numbers. Either is understood, whatever was asked for.
        package enum Encoding: String, Sendable, CaseIterable {
            /// A quarter of the bytes, and no digit lost.
            case base64
            case float
        }

        /// Of Azure OpenAI alone.
        package struct Azure: Sendable, Hashable {
            package var deployment: String
            /// Of the route by deployment; `nil` for the newer `/openai/v1/`, which has no versions.
            package var apiVersion: String?
            /// Whether the credential is a token of Entra instead of a key.
            package var usesToken: Bool

            package init(deployment: String, apiVersion: String? = "2024-10-21", usesToken: Bool = false) {
                self.deployment = deployment
                self.apiVersion = apiVersion
                self.usesToken = usesToken
            }
        }

        /// An HTTP proxy. It is asked for a tunnel (`CONNECT`), also to what is not encrypted.
        package struct Proxy: Sendable, Hashable {
            package var host: String
            package var port: Int
            /// The whole value of `Proxy-Authorization` without its scheme, for `Basic`: `user:password` in Base64.
            /// Read at the start.
            package var credential: CredentialSource

            package init(host: String, port: Int, credential: CredentialSource = .none) {
                self.host = host
                self.port = port
                self.credential = credential
            }
        }

        /// Files are read at the start.
        package struct TLS: Sendable, Hashable {
            /// Authorities in PEM, in place of the system's.
            package var trustFile: String?
            /// The client's chain, leaf first, and its key, in PEM; both or neither.
            package var certificateFile: String?
            package var keyFile: String?
            /// Neither certificate nor name are verified then: anyone on the way can read the texts and the key.
            /// Logged.
            package var isVerified = true

            package init() {}
        }

        /// Of metrics and logs; one of those that the settings name.
        package var name: String
        package var provider: Provider
        /// With scheme and host and, if need be, port and path, without `/v1/embeddings` and the like.
        package var baseURL: String
        /// As the provider knows it, and as a part of the vectors' identity. For Azure the model behind the deployment.
        package var model: String
        package var revision = "1"
        /// Of the vectors; ``Limits/providerDimensions``.
        package var dimensions: Int
        /// Whether the request asks for that many: for models that can be shortened.
        package var sendsDimensions = false
        /// What the answer must call the model, if that cannot be seen from what it was asked for.
        package var expectedModel: String?
        package var azure: Azure?
        package var organization: String?
        package var project: String?
        package var credential = CredentialSource.none
        /// Whether a credential may be sent over plain HTTP to a host that is not this machine.
        package var allowsPlaintextCredential = false
        /// Texts of one request; 1 to ``Limits/embeddingBatch``.
        package var batchLimit = Limits.embeddingBatch
        /// ``Limits/providerConcurrency``.
        package var concurrency = 8
        /// ``Limits/providerTimeout``, both. A connection is a part of the request.
        package var requestTimeout = Duration.seconds(10)
        package var connectTimeout = Duration.seconds(3)
        /// ``Limits/providerAttempts``.
        package var attempts = 3
        /// Retries and hedges to requests; 0...1.
        package var retryRatio = 0.1
        /// Time without an answer after which the request is sent a second time; `nil` for never.
        package var hedgeAfter: Duration?
        package var encoding = Encoding.base64
        /// 1 to ``Limits/maximumPromptBytes``. A longer text fails here, without a request, and alone.
        package var maximumTextBytes = 32 << 10
        package var proxy: Proxy?
        package var tls = TLS()
        /// Failures in a row that open the breaker, 1...1000, and for how long at first; up to
        /// ``Limits/maximumBreakerOpen``.
        package var breakerFailures = 5
        package var breakerOpen = Duration.seconds(5)
        /// Between two looks at whether the model is still the same, the first one at the start;
        /// ``Limits/canaryInterval``. `nil` for none but those that ``HTTPEmbedder/probe(by:)`` makes.
        package var canaryInterval: Duration? = .seconds(600)

        /// - Parameter baseURL: The provider's public one if `nil`; Azure and compatible servers have none.
        package init(provider: Provider, baseURL: String? = nil, model: String, dimensions: Int) {
            self.name = provider.rawValue
            self.provider = provider
            self.baseURL = baseURL ?? Self.publicURL(of: provider)
            self.model = model
            self.dimensions = dimensions
        }

        private static func publicURL(of provider: Provider) -> String {
            switch provider {
            case .openAI: "https://api.openai.com"
            case .ollama: "http://localhost:11434"
            case .azureOpenAI, .openAICompatible: ""
            }
        }

        /// Each batch may be hedged; beside them the canary.
        package var connections: Int { 2 * self.concurrency + 2 }

        /// Azure has OpenAI's models: their vectors are interchangeable.
        package var identity: EmbeddingIdentity {
            let provider = self.provider == .azureOpenAI ? Provider.openAI : self.provider
            return EmbeddingIdentity(
                provider: provider.rawValue, model: self.model, dimensions: self.dimensions, revision: self.revision)
        }
    }
}
