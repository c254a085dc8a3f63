// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CacheEngine
import CacheModel
import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// The way to one provider: with its credential, within its limits, and not while it is left alone.
final class ProviderLine: Sendable {
    struct Question: Sendable {
        let url: String
        let headers: @Sendable (Credential?) -> HTTPHeaders
        let body: ByteBuffer
        /// Bytes that the answer may have.
        let answerLimit: Int
    }

    let state: Mutex<ProviderState>
    let metrics: ProviderMetrics
    let logger: Logger
    private let credential: CredentialSource
    private let timeout: Duration

    /// Looks whether there is a credential; asks nobody.
    ///
    /// - Parameter retryRatio: See ``RetryBudget``.
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field of the configuration.
    init(
        _ access: some ProviderAccess, retryRatio: Double, metrics: ProviderMetrics, logger: Logger
    ) throws(CacheError) {
        do throws(CredentialFault) {
            _ = try access.credential.credentialNow()
        } catch {
            throw .invalidArgument("credential", "cannot be read, or is empty or not plain ASCII")
        }
        self.credential = access.credential
        self.timeout = access.requestTimeout
        self.state = Mutex(ProviderState(access, retryRatio: retryRatio))
        self.metrics = metrics
        var logger = logger
        logger[metadataKey: "provider"] = "\(access.name)"
        self.logger = logger
        if !access.tls.isVerified {
            logger.warning("the provider's certificate is not verified: anyone on the way can read and answer")
        }
    }

    // MARK: Whether it is asked

    /// Each pass must be given back by ``finish(_:_:sent:)``.
    func admit() -> Result<CircuitBreaker.Pass, AttemptFailure> {
        switch self.state.withLock({ $0.breaker.admit(at: .now) }) {
        case .pass(let pass):
            if pass.isProbe { self.metrics.show(.halfOpen) }
            return .success(pass)
        case .refused(let code):
            return .failure(AttemptFailure(outcome: .abandoned, error: code == .refused ? .refusing : .leftAlone))
        }
    }

    /// - Returns: `.closed` if the provider has come back.
    func finish(
        _ pass: CircuitBreaker.Pass, _ failure: AttemptFailure?, sent: ContinuousClock.Instant
    ) -> CircuitBreaker.Change? {
        let now = ContinuousClock.now
        // What was cancelled was not waited for in vain.
        let waited = failure?.error.code == .deadlineExceeded ? now - sent : .zero
        let (change, phase) = self.state.withLock { state in
            let change = state.finish(pass, failure?.outcome ?? .answered, waited: waited, at: now)
            return (change, state.breaker.phase)
        }
        self.metrics.show(phase)
        switch change {
        case .opened:
            // A credential that is refused wants somebody to act.
            self.logger.log(
                level: failure?.outcome == .refused ? .error : .warning, "the provider is left alone for a while",
                metadata: [
                    "reason": "\(failure?.error.message ?? "")", "error.code": "\(failure?.error.code.rawValue ?? "")",
                    "status": "\(failure?.status.map(String.init) ?? "none")",
                ])
        case .closed: self.logger.info("the provider answers again")
        case nil: break
        }
        return change
    }

    /// Logs a condition, once in a while.
    func tell(
        _ condition: ProviderState.Condition, _ reason: String, code: EmbedderError.Code, status: Int?
    ) {
        guard self.state.withLock({ $0.isNews(condition, at: .now) }) else { return }
        self.logger.warning(
            "requests to the provider fail",
            metadata: [
                "reason": "\(reason)", "error.code": "\(code.rawValue)",
                "status": "\(status.map(String.init) ?? "none")",
            ])
    }

    // MARK: One request and its answer

    /// Asks once; a second time if the credential was refused and has been replaced meanwhile.
    ///
    /// - Parameter read: Of the body of an answer with status 200.
    func exchange<Answer: Sendable>(
        _ question: Question, _ client: HTTPClient, by deadline: ContinuousClock.Instant,
        reading read: @Sendable ([UInt8]) -> Result<Answer, AttemptFailure>
    ) async -> Result<Answer, AttemptFailure> {
        var used: Credential?
        var isRenewed = false
        while true {
            let credential: Credential?
            do {
                credential = try await self.credential.credential()
            } catch {
                self.tell(.credential, AttemptFailure.credential.error.message, code: .refused, status: nil)
                return .failure(.credential)
            }
            if isRenewed, credential == used { return .failure(.status(.unauthorized, .none, codes: [])) }
            used = credential
            let result = await self.exchange(question, credential, client, by: deadline, reading: read)
            guard case .failure(let failure) = result, failure.status == 401, !isRenewed, credential != nil else {
                return result
            }
            isRenewed = true
        }
    }

    private func exchange<Answer: Sendable>(
        _ question: Question, _ credential: Credential?, _ client: HTTPClient, by deadline: ContinuousClock.Instant,
        reading read: @Sendable ([UInt8]) -> Result<Answer, AttemptFailure>
    ) async -> Result<Answer, AttemptFailure> {
        let sent = ContinuousClock.now
        let result: Result<Answer, AttemptFailure>
        do {
            let response = try await self.send(question, credential, client, by: deadline, at: sent)
            result = self.body(of: response).flatMap(read)
        } catch {
            // Of two clocks, one may be a moment ahead.
            let wasCut = deadline - sent < self.timeout
            result = .failure(.transport(error, wasCut: wasCut))
        }
        guard case .failure(let failure) = result else {
            self.metrics.countRequest(.answered, .now - sent)
            return result
        }
        self.metrics.countRequest(failure.outcome, .now - sent)
        let condition: ProviderState.Condition? =
            switch failure.outcome {
            case .rateLimited: .rateLimited
            case .badRequest: .badRequest
            case .badAnswer: .badAnswer
            default: nil
            }
        if let condition {
            self.tell(condition, failure.error.message, code: failure.error.code, status: failure.status)
        }
        return result
    }

    private func send(
        _ question: Question, _ credential: Credential?, _ client: HTTPClient, by deadline: ContinuousClock.Instant,
        at now: ContinuousClock.Instant
    ) async throws -> HTTPClient.Response {
        let request = try HTTPClient.Request(
            url: question.url, method: .POST, headers: question.headers(credential), body: .byteBuffer(question.body))
        let body = ResponseAccumulator(request: request, maxBodySize: question.answerLimit)
        // Here, unlike in the asynchronous form, the deadline is also the body's.
        let time = min(deadline - now, self.timeout)
        let task = client.execute(request: request, delegate: body, deadline: .now() + TimeAmount(time))
        return try await withTaskCancellationHandler {
            try await task.get()
        } onCancel: {
            task.cancel()
        }
    }

    private func body(of response: HTTPClient.Response) -> Result<[UInt8], AttemptFailure> {
        let milliseconds = Int64(Date.now.timeIntervalSince1970 * 1000)
        let headers = ProviderHeaders(response.headers, now: Timestamp(milliseconds: milliseconds))
        let body = response.body.map { Array($0.readableBytesView) } ?? []
        guard response.status == .ok else {
            let failure = AttemptFailure.status(
                response.status, headers, codes: ProviderAnswer.errorCodes(body))
            self.note(headers, pausing: failure.retryAfter)
            return .failure(failure)
        }
        self.note(headers, pausing: nil)
        return .success(body)
    }

    private func note(_ headers: ProviderHeaders, pausing pause: Duration?) {
        let now = ContinuousClock.now
        self.state.withLock { state in
            state.rateLimit.note(requests: headers.requests, tokens: headers.tokens, at: now)
            if let pause { state.rateLimit.pause(for: pause, at: now) }
        }
    }
}
