// SPDX-License-Identifier: Apache-2.0

/// Whom to ask over HTTP, as whom, and how patiently: what providers of embeddings and judges have in common.
package protocol ProviderAccess: Sendable {
    /// Of metrics and logs; one of those that the settings name.
    var name: String { get }
    /// With scheme and host and, if need be, port and path.
    var baseURL: String { get }
    var credential: CredentialSource { get set }
    /// Whether a credential may be sent over plain HTTP to a host that is not this machine.
    var allowsPlaintextCredential: Bool { get set }
    /// Requests at the same time; ``Limits/providerConcurrency``.
    var concurrency: Int { get set }
    /// Connections that are kept for them.
    var connections: Int { get }
    /// ``Limits/providerTimeout``, both. A connection is a part of the request.
    var requestTimeout: Duration { get set }
    var connectTimeout: Duration { get set }
    /// Failures in a row that open the breaker, 1...1000, and for how long at first; up to
    /// ``Limits/maximumBreakerOpen``.
    var breakerFailures: Int { get set }
    var breakerOpen: Duration { get set }
    var proxy: HTTPEmbedder.Configuration.Proxy? { get set }
    var tls: HTTPEmbedder.Configuration.TLS { get set }
}
