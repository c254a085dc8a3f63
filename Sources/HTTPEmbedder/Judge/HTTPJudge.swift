// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
package import CacheEngine
package import CacheModel
package import CoreMetrics
package import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A chat model over HTTP that is asked whether one answer is right for two questions. Whatever goes wrong, it has no
/// opinion, in time; a server that is down costs no request.
///
/// All requests are children of ``run()``. One that was begun goes on when its caller has no more time: it is paid for,
/// and the next caller of the same partition with the same two questions finds its reply. No tenant can tell from time or
/// tokens what another one has asked.
package final class HTTPJudge: AnswerJudge {
    /// Of two questions of a partition, by their digest.
    struct Job: Sendable {
        let pair: Digest
        let body: ByteBuffer
        let deadline: ContinuousClock.Instant
    }

    typealias Told = Result<JudgeOpinion, EmbedderError>

    package let band: JudgeBand
    let configuration: Configuration
    let line: ProviderLine
    private let request: JudgeRequest
    private let metrics: JudgeMetrics
    private let connection: HTTPClient.Configuration
    private let jobs: JobQueue<Job>
    private let desk = Mutex(JudgeDesk<Reply<Told>>())

    /// Reads files of TLS and of the proxy, and looks whether there is a credential; asks nobody.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field of the configuration.
    package init(
        _ configuration: Configuration, logger: Logger, metrics: any MetricsFactory = MetricsSystem.factory
    ) throws(CacheError) {
        try configuration.validate()
        self.configuration = configuration
        self.band = configuration.band
        self.line = try ProviderLine(
            // It is asked once: a caller who is waiting for a miss has no time for a second attempt.
            configuration, retryRatio: 0, metrics: ProviderMetrics(provider: configuration.name, metrics),
            logger: logger)
        self.request = JudgeRequest(configuration)
        self.metrics = JudgeMetrics(judge: configuration.name, metrics)
        self.connection = try configuration.connection()
        self.jobs = JobQueue(limit: configuration.concurrency)
    }

    // MARK: Opinions

    package func opinion(
        on asked: CanonicalPrompt, and stored: CanonicalPrompt, of partition: Digest,
        by deadline: ContinuousClock.Instant
    ) async -> JudgeOpinion {
        let pair = Self.digest(asked.text, stored.text, of: partition)
        let told = await self.ask(asked.text, stored.text, pair, by: deadline)
        let opinion = (try? told.get()) ?? JudgeOpinion(isSame: nil)
        self.metrics.countOpinion(opinion.isSame)
        return opinion
    }

    /// Asks the model something harmless.
    ///
    /// - Throws: ``EmbedderError``, of which `.failed` may say that it replies with neither yes nor no.
    package func probe(by deadline: ContinuousClock.Instant) async throws(EmbedderError) {
        let (asked, stored) = ("How do I reset my password?", "What can I do to reset my password?")
        let told = await self.ask(asked, stored, Self.digest(asked, stored, of: nil), by: deadline)
        guard try told.get().isSame != nil else { throw .undecided }
    }

    private func ask(
        _ asked: String, _ stored: String, _ pair: Digest, by deadline: ContinuousClock.Instant
    ) async -> Told {
        let limit = Limits.judgedTextBytes
        guard asked.utf8.count <= limit, stored.utf8.count <= limit else { return .failure(.tooLong) }
        let deadline = min(deadline, .now + self.configuration.requestTimeout)
        guard .now < deadline else { return .failure(.late) }
        if let opinion = self.desk.withLock({ $0.recall(pair, at: .now) }) {
            self.metrics.countRemembered()
            return .success(opinion)
        }
        if let error = self.line.state.withLock({ $0.refusal(at: .now) }) { return .failure(error) }
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let held = Mutex<Reply<Told>?>(nil)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let reply = Reply<Told>(by: deadline, on: eventLoop, whenLate: .failure(.late)) {
                    continuation.resume(returning: $0)
                }
                held.withLock { $0 = reply }
                // From here on, whoever cancels finds it.
                if Task.isCancelled {
                    reply.complete(.failure(.cancelled))
                } else {
                    self.submit(asked, stored, pair, reply)
                }
            }
        } onCancel: {
            held.withLock { $0 }?.complete(.failure(.cancelled))
        }
    }

    private func submit(_ asked: String, _ stored: String, _ pair: Digest, _ reply: Reply<Told>) {
        switch self.desk.withLock({ $0.rule(pair, for: reply, at: .now) }) {
        case .known(let opinion):
            self.metrics.countRemembered()
            reply.complete(.success(opinion))
        case .wait: break
        case .refuse: reply.complete(.failure(.busy))
        case .ask:
            if let error = self.refusal(asked, stored, pair) { self.settle(pair, failing: error) }
        }
    }

    /// Has the model asked.
    ///
    /// - Returns: Why it is not.
    private func refusal(_ asked: String, _ stored: String, _ pair: Digest) -> EmbedderError? {
        guard let body = try? self.request.body(asked: asked, stored: stored) else { return .tooLong }
        let job = Job(pair: pair, body: body, deadline: .now + self.configuration.requestTimeout)
        return switch self.jobs.append(job) {
        case .taken: nil
        case .full: .busy
        case .closed: .cancelled
        }
    }

    /// The order counts: the model is told which of them has the answer.
    ///
    /// - Parameter partition: `nil` for a question of nobody's.
    private static func digest(_ asked: String, _ stored: String, of partition: Digest?) -> Digest {
        var fingerprint = Fingerprint(.judgedPair)
        if let partition { fingerprint.append(partition) }
        fingerprint.append(asked)
        fingerprint.append(stored)
        return fingerprint.finish()
    }

    // MARK: Requests

    /// Asks the model until the task is cancelled; once. What is under way then is given up.
    package func run() async throws {
        // One loop for all: with several, a connection is given back from another one than its own, and AsyncHTTPClient
        // (1.37) ends the process if it closes on that way, "A connection that we don't know was released".
        try await HTTPClient.withHTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton.any(), configuration: self.connection
        ) { client in
            await withDiscardingTaskGroup { group in
                while let job = await self.jobs.next() {
                    group.addTask {
                        await self.work(job, client)
                        self.jobs.finish()
                    }
                }
                for job in self.jobs.close() { self.settle(job.pair, failing: .cancelled) }
                group.cancelAll()
            }
        }
    }

    private func work(_ job: Job, _ client: HTTPClient) async {
        switch await self.reply(to: job, client) {
        case .failure(let failure): self.settle(job.pair, failing: failure.error)
        case .success(let reply):
            if reply.isSame == nil {
                self.line.tell(.undecided, EmbedderError.undecided.message, code: .failed, status: 200)
            }
            var tokens = UInt64(clamping: reply.tokens)
            for waiter in self.desk.withLock({ $0.settle(job.pair, as: reply.isSame, at: .now) })
            where waiter.complete(.success(JudgeOpinion(isSame: reply.isSame, tokens: tokens))) {
                // The others have them for nothing.
                tokens = 0
            }
        }
    }

    private func reply(to job: Job, _ client: HTTPClient) async -> Result<JudgeReply, AttemptFailure> {
        guard .now < job.deadline else { return .failure(AttemptFailure(outcome: .abandoned, error: .late)) }
        // Four bytes of English are a token; the server's next answer corrects what is not.
        let tokens = job.body.readableBytes / 4 + Limits.judgeReplyTokens
        guard self.line.state.withLock({ $0.rateLimit.admit(tokens: tokens, at: .now) }) == nil else {
            self.line.tell(.rateLimited, EmbedderError.limited.message, code: .overloaded, status: nil)
            return .failure(AttemptFailure(outcome: .abandoned, error: .limited))
        }
        let pass: CircuitBreaker.Pass
        switch self.line.admit() {
        case .success(let admitted): pass = admitted
        case .failure(let failure): return .failure(failure)
        }
        let sent = ContinuousClock.now
        let question = ProviderLine.Question(
            url: self.request.url, headers: self.request.headers, body: job.body,
            answerLimit: Limits.providerOverheadBytes)
        // Each request has all of its time, so that one that takes it is the server's failure, and not its caller's hurry.
        // There are two if the key was replaced.
        let deadline = sent + self.configuration.requestTimeout * 2
        let result = await self.line.exchange(question, client, by: deadline) { body in self.read(body) }
        let failure: AttemptFailure? = if case .failure(let failure) = result { failure } else { nil }
        _ = self.line.finish(pass, failure, sent: sent)
        return result
    }

    private func read(_ body: [UInt8]) -> Result<JudgeReply, AttemptFailure> {
        do throws(ProviderAnswer.Fault) {
            let reply = try JudgeReply(body)
            self.line.metrics.countTokens(reply.tokens)
            return .success(reply)
        } catch {
            return .failure(.answer(error))
        }
    }

    private func settle(_ pair: Digest, failing error: EmbedderError) {
        for waiter in self.desk.withLock({ $0.settle(pair) }) { waiter.complete(.failure(error)) }
    }
}

extension EmbedderError {
    fileprivate static let tooLong = Self(.failed, "a question is longer than a judge is shown")
    fileprivate static let busy = Self(.overloaded, "the judge has too much to do")
    fileprivate static let undecided = Self(.failed, "the judge's answer is neither yes nor no")
}
