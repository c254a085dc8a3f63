// SPDX-License-Identifier: Apache-2.0

extension Limits {
    // MARK: Embedding providers

    /// Dimensions of a provider's vectors: what the stores and the protocol take.
    package static let providerDimensions = 1...Limits.maximumDimensions
    /// Requests that one provider is sent at the same time, without those that hedge another.
    package static let providerConcurrency = 1...256
    /// Time for one request to a provider, and for a connection to it.
    package static let providerTimeout = Duration.milliseconds(1)...Duration.seconds(300)
    /// Times that a batch is sent, the first one among them.
    package static let providerAttempts = 1...10
    /// First ceiling of the time between two attempts, and what it grows to by doubling.
    package static let providerBackoff = Duration.milliseconds(100)
    package static let maximumProviderBackoff = Duration.seconds(10)
    /// Retries and hedges that may come before any request has earned one: a service that has just started may retry
    /// too.
    package static let providerRetryReserve = 10.0
    /// Time for which a provider may ask to be left alone; one that asks for more is asked again after it.
    package static let maximumProviderPause = Duration.seconds(600)
    /// Time for which a provider that has failed is left alone, however often it has.
    package static let maximumBreakerOpen = Duration.seconds(60)
    /// Answers that the breaker's rate of failures is taken over; half of them must have failed.
    package static let breakerWindow = 20
    /// Answer's bytes for each number of a vector: 17 digits, sign, exponent, separator, and blanks around them.
    package static let providerBytesPerNumber = 32
    /// Answer's bytes beside the vectors; also the largest answer that is read of a status other than 200.
    package static let providerOverheadBytes = 64 << 10
    /// A key or a token in a file or variable, bytes.
    package static let maximumCredentialBytes = 16 << 10
    /// Similarity to itself that a text must keep while the provider runs. Batching, other hardware and base64 instead
    /// of decimal move a vector by less than 0.001; another model's vector, even one trained further, has nothing to do
    /// with it.
    package static let canarySimilarity = 0.98
    /// Time between two looks at whether the model is still the same.
    package static let canaryInterval = Duration.seconds(1)...Duration.seconds(86_400)
}
