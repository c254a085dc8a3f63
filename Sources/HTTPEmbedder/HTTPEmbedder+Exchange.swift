// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CacheEngine
import CacheModel
import NIOHTTP1
import Synchronization

/// One request and its answer.
extension HTTPEmbedder {
    func exchange(
        _ texts: [String], _ client: HTTPClient, by deadline: ContinuousClock.Instant
    ) async -> Result<[Embedding], AttemptFailure> {
        guard let body = try? self.request.body(texts) else { return .failure(.status(.badRequest, .none, codes: [])) }
        let question = ProviderLine.Question(
            url: self.request.url, headers: self.request.headers, body: body,
            answerLimit: self.request.answerLimit(texts: texts.count))
        return await self.line.exchange(question, client, by: deadline) { body in
            self.read(body, count: texts.count)
        }
    }

    private func read(_ body: [UInt8], count: Int) -> Result<[Embedding], AttemptFailure> {
        let answer: ProviderAnswer
        do throws(ProviderAnswer.Fault) {
            answer = try ProviderAnswer(
                body, of: self.configuration.provider, count: count, dimensions: self.configuration.dimensions)
        } catch {
            return .failure(.answer(error))
        }
        if let tokens = answer.tokens { self.line.metrics.countTokens(tokens) }
        let (fault, isNews) = self.watch.withLock { watch in
            let before = watch.fault
            let fault = watch.check(name: answer.model)
            return (fault, before == nil && watch.fault != nil)
        }
        guard let fault else { return .success(answer.vectors) }
        if isNews { self.tell(fault) }
        return .failure(.model(fault))
    }
}
