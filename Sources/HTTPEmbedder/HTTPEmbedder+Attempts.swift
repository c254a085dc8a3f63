// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CacheEngine
import CacheModel
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
        self.line.state.withLock { $0.budget.noteRequest() }
        var attempt = 1
        while true {
            let result = await self.attempt(texts, client, by: deadline)
            guard case .failure(let failure) = result, failure.isRetried, attempt < self.configuration.attempts else {
                return result
            }
            let jitter = Double.random(in: 0...1)
            let delay = max(Self.backoff.delay(after: attempt, jitter: jitter), failure.retryAfter ?? .zero)
            // What could not be used any more is not waited for.
            guard .now + delay < deadline, self.line.state.withLock({ $0.budget.withdraw() }) else { return result }
            do { try await Task.sleep(for: delay) } catch { return .failure(.transport(error, wasCut: false)) }
            self.line.metrics.countRetry()
            attempt += 1
        }
    }

    /// Asks once, or twice if the first answer is slow to come, if the provider is to be asked at all.
    private func attempt(
        _ texts: [String], _ client: HTTPClient, by deadline: ContinuousClock.Instant
    ) async -> Result<[Embedding], AttemptFailure> {
        if let failure = await self.waitForAllowance(texts, by: deadline) { return .failure(failure) }
        if let fault = self.watch.withLock({ $0.fault }) {
            let error = EmbedderError(.refused, fault.rawValue)
            return .failure(AttemptFailure(outcome: .abandoned, error: error))
        }
        let pass: CircuitBreaker.Pass
        switch self.line.admit() {
        case .success(let admitted): pass = admitted
        case .failure(let failure): return .failure(failure)
        }
        let sent = ContinuousClock.now
        let result = await self.hedged(texts, client, by: deadline)
        let failure: AttemptFailure? = if case .failure(let failure) = result { failure } else { nil }
        if self.line.finish(pass, failure, sent: sent) == .closed { self.lookAtCanaryNow() }
        return result
    }

    /// - Returns: Why there is no use in waiting.
    private func waitForAllowance(
        _ texts: [String], by deadline: ContinuousClock.Instant
    ) async -> AttemptFailure? {
        let tokens = Self.tokens(in: texts)
        while let instant = self.line.state.withLock({ $0.rateLimit.admit(tokens: tokens, at: .now) }) {
            guard instant < deadline else {
                self.line.tell(.rateLimited, "the provider's rate limit is used up", code: .overloaded, status: nil)
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
                    self.line.metrics.countHedge()
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
        return self.line.state.withLock { state in
            state.budget.withdraw() && state.rateLimit.admit(tokens: tokens, at: .now) == nil
        }
    }
}
