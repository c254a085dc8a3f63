// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CacheEngine
import CacheModel
import FoundationEssentials
import NIOCore
import NIOHTTP1
import Synchronization

/// One request and its answer.
extension HTTPEmbedder {
    /// Asks once; a second time if the credential was refused and has been replaced meanwhile.
    func exchange(
        _ texts: [String], _ client: HTTPClient, by deadline: ContinuousClock.Instant
    ) async -> Result<[Embedding], AttemptFailure> {
        var used: Credential?
        var isRenewed = false
        while true {
            let credential: Credential?
            do {
                credential = try await self.configuration.credential.credential()
            } catch {
                self.tell(.credential, AttemptFailure.credential.error.message, code: .refused, status: nil)
                return .failure(.credential)
            }
            if isRenewed, credential == used { return .failure(.status(.unauthorized, .none, codes: [])) }
            used = credential
            let result = await self.exchange(texts, credential, client, by: deadline)
            guard case .failure(let failure) = result, failure.status == 401, !isRenewed, credential != nil else {
                return result
            }
            isRenewed = true
        }
    }

    private func exchange(
        _ texts: [String], _ credential: Credential?, _ client: HTTPClient, by deadline: ContinuousClock.Instant
    ) async -> Result<[Embedding], AttemptFailure> {
        let sent = ContinuousClock.now
        let result: Result<[Embedding], AttemptFailure>
        do {
            let response = try await self.send(texts, credential, client, by: deadline, at: sent)
            result = self.read(response, count: texts.count)
        } catch {
            // Of two clocks, one may be a moment ahead.
            let wasCut = deadline - sent < self.configuration.requestTimeout
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
        _ texts: [String], _ credential: Credential?, _ client: HTTPClient, by deadline: ContinuousClock.Instant,
        at now: ContinuousClock.Instant
    ) async throws -> HTTPClient.Response {
        let request = try HTTPClient.Request(
            url: self.request.url, method: .POST, headers: self.request.headers(credential),
            body: .byteBuffer(try self.request.body(texts)))
        let body = ResponseAccumulator(
            request: request, maxBodySize: self.request.answerLimit(texts: texts.count))
        // Here, unlike in the asynchronous form, the deadline is also the body's.
        let time = min(deadline - now, self.configuration.requestTimeout)
        let task = client.execute(request: request, delegate: body, deadline: .now() + TimeAmount(time))
        return try await withTaskCancellationHandler {
            try await task.get()
        } onCancel: {
            task.cancel()
        }
    }

    private func read(_ response: HTTPClient.Response, count: Int) -> Result<[Embedding], AttemptFailure> {
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
        let answer: ProviderAnswer
        do throws(ProviderAnswer.Fault) {
            answer = try ProviderAnswer(
                body, of: self.configuration.provider, count: count, dimensions: self.configuration.dimensions)
        } catch {
            return .failure(.answer(error))
        }
        if let tokens = answer.tokens { self.metrics.countTokens(tokens) }
        let (fault, isNews) = self.state.withLock { state in
            let before = state.watch.fault
            let fault = state.watch.check(name: answer.model)
            return (fault, before == nil && state.watch.fault != nil)
        }
        guard let fault else { return .success(answer.vectors) }
        if isNews { self.tell(fault) }
        return .failure(.model(fault))
    }

    private func note(_ headers: ProviderHeaders, pausing pause: Duration?) {
        let now = ContinuousClock.now
        self.state.withLock { state in
            state.rateLimit.note(requests: headers.requests, tokens: headers.tokens, at: now)
            if let pause { state.rateLimit.pause(for: pause, at: now) }
        }
    }
}
