// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CacheEngine
import CacheModel
import Logging
import Synchronization

/// How often, and when, the provider is asked for the same texts.
extension HTTPEmbedder {
    private static let backoff = RetryBackoff(
        minimum: Limits.providerBackoff, maximum: Limits.maximumProviderBackoff)

    private enum HedgeEvent: Sendable {
        case answered(Result<[Embedding], AttemptFailure>)
        case isDue
    }

    /// One result for each text, in order.
    func results(
        of texts: [String], _ client: HTTPClient, by deadline: ContinuousClock.Instant
    ) async -> EmbeddingResults {
        let limit = self.configuration.maximumTextBytes
        let tooLong = EmbedderError(.failed, "the text is longer than the provider's limit")
        var results = texts.map { text -> Result<Embedding, EmbedderError>? in
            text.utf8.count > limit ? .failure(tooLong) : nil
        }
        let fitting = texts.indices.filter { results[$0] == nil }
        guard !fitting.isEmpty else { return results.compactMap(\.self) }
        switch await self.vectors(of: fitting.map { texts[$0] }, client, by: deadline) {
        case .success(let vectors):
            for (index, vector) in zip(fitting, vectors) { results[index] = .success(vector) }
        // It may be one text's fault. Each is asked for alone, once.
        case .failure(let failure) where [.badRequest, .badAnswer].contains(failure.outcome) && fitting.count > 1:
            for index in fitting {
                let one = await self.vectors(of: [texts[index]], client, by: deadline)
                results[index] = one.map { $0[0] }.mapError(\.error)
            }
        case .failure(let failure):
            for index in fitting { results[index] = .failure(failure.error) }
        }
        return results.compactMap(\.self)
    }

    private func vectors(
        of texts: [String], _ client: HTTPClient, by deadline: ContinuousClock.Instant
    ) async -> Result<[Embedding], AttemptFailure> {
        self.state.withLock { $0.budget.noteRequest() }
        var attempt = 1
        while true {
            let result = await self.attempt(texts, client, by: deadline)
            guard case .failure(let failure) = result, failure.isRetried, attempt < self.configuration.attempts else {
                return result
            }
            let jitter = Double.random(in: 0...1)
            let delay = max(Self.backoff.delay(after: attempt, jitter: jitter), failure.retryAfter ?? .zero)
            // What could not be used any more is not waited for.
            guard .now + delay < deadline, self.state.withLock({ $0.budget.withdraw() }) else { return result }
            do { try await Task.sleep(for: delay) } catch { return .failure(.transport(error, wasCut: false)) }
            self.metrics.countRetry()
            attempt += 1
        }
    }

    /// Asks once, or twice if the first answer is slow to come, if the provider is to be asked at all.
    private func attempt(
        _ texts: [String], _ client: HTTPClient, by deadline: ContinuousClock.Instant
    ) async -> Result<[Embedding], AttemptFailure> {
        if let failure = await self.waitForAllowance(texts, by: deadline) { return .failure(failure) }
        let admission = self.state.withLock { state -> Result<CircuitBreaker.Pass, EmbedderError> in
            if let fault = state.watch.fault { return .failure(EmbedderError(.refused, fault.rawValue)) }
            switch state.breaker.admit(at: .now) {
            case .pass(let pass): return .success(pass)
            case .refused(let code): return .failure(code == .refused ? .refusing : .leftAlone)
            }
        }
        guard case .success(let pass) = admission else {
            let error = if case .failure(let error) = admission { error } else { EmbedderError.leftAlone }
            return .failure(AttemptFailure(outcome: .abandoned, error: error))
        }
        if pass.isProbe { self.metrics.show(.halfOpen) }
        let sent = ContinuousClock.now
        let result = await self.hedged(texts, client, by: deadline)
        self.finish(pass, result, sent: sent)
        return result
    }

    /// - Returns: Why there is no use in waiting.
    private func waitForAllowance(
        _ texts: [String], by deadline: ContinuousClock.Instant
    ) async -> AttemptFailure? {
        let tokens = Self.tokens(in: texts)
        while let instant = self.state.withLock({ $0.rateLimit.admit(tokens: tokens, at: .now) }) {
            guard instant < deadline else {
                self.tell(.rateLimited, "the provider's rate limit is used up", code: .overloaded, status: nil)
                return AttemptFailure(outcome: .abandoned, error: .limited)
            }
            do { try await Task.sleep(until: instant, clock: .continuous) } catch {
                return .transport(error, wasCut: false)
            }
        }
        return .now < deadline ? nil : AttemptFailure(outcome: .abandoned, error: .late)
    }

    /// Four bytes of English are a token; of other languages less, which the provider's next answer corrects.
    private static func tokens(in texts: [String]) -> Int { texts.reduce(0) { $0 + $1.utf8.count / 4 + 1 } }

    private func hedged(
        _ texts: [String], _ client: HTTPClient, by deadline: ContinuousClock.Instant
    ) async -> Result<[Embedding], AttemptFailure> {
        guard let hedgeAfter = self.configuration.hedgeAfter else {
            return await self.exchange(texts, client, by: deadline)
        }
        return await withTaskGroup(of: HedgeEvent.self) { group in
            group.addTask { .answered(await self.exchange(texts, client, by: deadline)) }
            group.addTask {
                try? await Task.sleep(for: hedgeAfter)
                return .isDue
            }
            var underWay = 1
            var last = Result<[Embedding], AttemptFailure>.failure(.transport(CancellationError(), wasCut: false))
            for await event in group {
                switch event {
                case .isDue where !Task.isCancelled && self.mayHedge(texts):
                    self.metrics.countHedge()
                    underWay += 1
                    group.addTask { .answered(await self.exchange(texts, client, by: deadline)) }
                case .isDue: break
                case .answered(let result):
                    underWay -= 1
                    last = result
                    // A failure leaves the other one its chance.
                    if underWay > 0, case .failure = result { continue }
                    group.cancelAll()
                    return result
                }
            }
            return last
        }
    }

    private func mayHedge(_ texts: [String]) -> Bool {
        let tokens = Self.tokens(in: texts)
        return self.state.withLock { state in
            state.budget.withdraw() && state.rateLimit.admit(tokens: tokens, at: .now) == nil
        }
    }

    private func finish(
        _ pass: CircuitBreaker.Pass, _ result: Result<[Embedding], AttemptFailure>, sent: ContinuousClock.Instant
    ) {
        var failure: AttemptFailure?
        if case .failure(let it) = result { failure = it }
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
        case .closed:
            self.logger.info("the provider answers again")
            self.lookAtCanaryNow()
        case nil: break
        }
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
}
