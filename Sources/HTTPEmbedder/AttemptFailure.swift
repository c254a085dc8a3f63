// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CacheEngine
import CacheModel
import NIOHTTP1

/// Why a request to the provider gave no vectors, and what follows from it.
struct AttemptFailure: Error {
    /// A label of the metric. The raw value is on no wire, and holds nothing of an answer.
    enum Outcome: String, CaseIterable {
        case answered = "ok"
        case connection
        case timeout
        /// The caller's time was up, or the other one of two requests was quicker.
        case abandoned
        case rateLimited = "rate_limited"
        case serverError = "server_error"
        case refused
        /// The texts are at fault.
        case badRequest = "bad_request"
        case badAnswer = "bad_answer"
        case otherModel = "other_model"
    }

    let outcome: Outcome
    let error: EmbedderError
    var status: Int?
    var isRetried = false
    /// What the provider asks for.
    var retryAfter: Duration?

    /// The provider's status is not 200.
    ///
    /// - Parameter codes: Of the error in the body.
    static func status(_ status: HTTPResponseStatus, _ headers: ProviderHeaders, codes: Set<String>) -> Self {
        var failure: Self
        switch status.code {
        case 401, 403, 404, 407:
            failure = Self(outcome: .refused, error: EmbedderError(.refused, Self.refusal(of: status.code)))
        // A limit that more money lifts, not more time.
        case 429 where !codes.isDisjoint(with: ["insufficient_quota", "billing_hard_limit_reached"]):
            failure = Self(outcome: .refused, error: EmbedderError(.refused, "the provider's quota is used up"))
        case 429:
            failure = Self(
                outcome: .rateLimited, error: EmbedderError(.overloaded, "the provider has too much to do"),
                isRetried: true, retryAfter: headers.retryAfter ?? headers.exhaustedFor)
        case 408, 409, 425, 500, 502, 503, 504, 520...529:
            failure = Self(
                outcome: .serverError, error: EmbedderError(.unavailable, "the provider fails"), isRetried: true,
                retryAfter: headers.retryAfter)
        case 400, 413, 422:
            failure = Self(outcome: .badRequest, error: EmbedderError(.failed, "the provider does not take the text"))
        case 300..<400:
            failure = Self(outcome: .badAnswer, error: EmbedderError(.failed, "the provider redirects"))
        default:
            failure = Self(
                outcome: .serverError, error: EmbedderError(.failed, "the provider answers with an unexpected status"))
        }
        failure.status = Int(status.code)
        return failure
    }

    static func answer(_ fault: ProviderAnswer.Fault) -> Self {
        Self(outcome: .badAnswer, error: EmbedderError(.failed, fault.rawValue), status: 200)
    }

    static func model(_ fault: ModelWatch.Fault) -> Self {
        Self(outcome: .otherModel, error: EmbedderError(.refused, fault.rawValue), status: 200)
    }

    static let credential = Self(
        outcome: .abandoned, error: EmbedderError(.refused, "the provider's credential cannot be read"))

    /// - Parameter wasCut: Whether the caller's time was up before a whole request's was.
    static func transport(_ error: any Error, wasCut: Bool) -> Self {
        if error is ResponseAccumulator.ResponseTooBigError { return .answer(.malformed) }
        if error is CancellationError { return Self(outcome: .abandoned, error: .cancelled) }
        switch error as? HTTPClientError {
        case .cancelled: return Self(outcome: .abandoned, error: .cancelled)
        case .deadlineExceeded where wasCut: return Self(outcome: .abandoned, error: .late)
        case .deadlineExceeded:
            return Self(
                outcome: .timeout, error: EmbedderError(.unavailable, "the provider did not answer in time"),
                isRetried: true)
        case .proxyAuthenticationRequired:
            return Self(outcome: .refused, error: EmbedderError(.refused, Self.refusal(of: 407)), status: 407)
        default:
            return Self(
                outcome: .connection, error: EmbedderError(.unavailable, "the provider cannot be reached"),
                isRetried: true)
        }
    }

    private static func refusal(of status: UInt) -> String {
        switch status {
        case 404: "the provider does not know the model or the deployment"
        case 407: "the proxy refuses the credential"
        default: "the provider refuses the credential"
        }
    }
}
