// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
package import CacheEngine
package import CacheModel
package import CoreMetrics
package import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A provider of embeddings over HTTP. Its trouble does not reach the caller but as an error in time: a provider that
/// is down costs no request, and no more than a moment.
///
/// All of its tasks are children of ``run()``: what is asked for before waits for it, what is asked for after is
/// refused.
package final class HTTPEmbedder: Embedder {
    struct Job: Sendable {
        let texts: [String]
        let deadline: ContinuousClock.Instant
        let isCanary: Bool
        let reply: Reply<EmbeddingResults>

        func fail(_ error: EmbedderError) { self.reply.complete(self.results(error)) }
        func failSoon(_ error: EmbedderError) { self.reply.completeSoon(self.results(error)) }

        private func results(_ error: EmbedderError) -> EmbeddingResults {
            EmbeddingResults(.failure(error), texts: self.texts.count)
        }
    }

    /// Says nothing of anybody, and has something in it of what a model can tell apart.
    private static let canary = "The cache answers a question that was asked before, in other words."

    package let identity: EmbeddingIdentity
    package let concurrency: Int
    package let batchLimit: Int
    let configuration: Configuration
    let request: ProviderRequest
    let line: ProviderLine
    let watch: Mutex<ModelWatch>
    private let connection: HTTPClient.Configuration
    private let jobs: JobQueue<Job>
    private let onCanary: (@Sendable (Embedding) -> Void)?

    /// Reads files of TLS and of the proxy, and looks whether there is a credential; asks nobody.
    ///
    /// - Parameters:
    ///   - knownCanary: What an earlier process got for the fixed text, of the same identity.
    ///   - onCanary: Called with the fixed text's first vector whenever the model has been compared with it, so that what
    ///     keeps it does not let it lapse.
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field of the configuration.
    package init(
        _ configuration: Configuration, knownCanary: Embedding? = nil, logger: Logger,
        metrics: any MetricsFactory = MetricsSystem.factory, onCanary: (@Sendable (Embedding) -> Void)? = nil
    ) throws(CacheError) {
        try configuration.validate()
        self.line = try ProviderLine(
            configuration, retryRatio: configuration.retryRatio,
            metrics: ProviderMetrics(provider: configuration.name, metrics), logger: logger)
        self.connection = try configuration.connection()
        self.configuration = configuration
        self.identity = configuration.identity
        self.concurrency = configuration.concurrency
        self.batchLimit = configuration.batchLimit
        self.request = ProviderRequest(configuration)
        self.watch = Mutex(
            ModelWatch(
                model: configuration.model, expected: configuration.expectedModel,
                mustBeNamed: [.openAI, .azureOpenAI].contains(configuration.provider), canary: knownCanary))
        // The pool never has more under way; a fallback chain and the canary may.
        self.jobs = JobQueue(limit: 2 * configuration.concurrency + 2)
        self.onCanary = onCanary
    }

    /// The fixed text's vector, once it is known; to be kept for the next process.
    package var knownCanary: Embedding? { self.watch.withLock { $0.canary } }

    /// - Parameter completion: Not called on the caller's stack, and by the deadline.
    package func embed(
        _ texts: [String], by deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (EmbeddingResults) -> Void
    ) {
        self.submit(texts, by: deadline, isCanary: false, completion)
    }

    /// Embeds the fixed text, and compares its vector with that of the first time.
    ///
    /// - Throws: ``EmbedderError``, of which `.refused` also says that the model behind the name has changed; from then
    ///   on nothing is embedded.
    @discardableResult
    package func probe(by deadline: ContinuousClock.Instant) async throws(EmbedderError) -> Embedding {
        let results = await withCheckedContinuation { continuation in
            self.submit([Self.canary], by: deadline, isCanary: true) { continuation.resume(returning: $0) }
        }
        return try results[0].get()
    }

    private func submit(
        _ texts: [String], by deadline: ContinuousClock.Instant, isCanary: Bool,
        _ completion: @escaping @Sendable (EmbeddingResults) -> Void
    ) {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let late = EmbeddingResults(.failure(.late), texts: texts.count)
        let reply = Reply(by: deadline, on: eventLoop, whenLate: late, completion: completion)
        let job = Job(texts: texts, deadline: deadline, isCanary: isCanary, reply: reply)
        if let fault = self.watch.withLock({ $0.fault }) {
            return job.failSoon(EmbedderError(.refused, fault.rawValue))
        }
        if let error = self.line.state.withLock({ $0.refusal(at: .now) }) { return job.failSoon(error) }
        switch self.jobs.append(job) {
        case .taken: break
        case .full: job.failSoon(EmbedderError(.overloaded, "the embedder has too much to do"))
        case .closed: job.failSoon(EmbedderError(.unavailable, "the embedder has stopped"))
        }
    }

    /// Asks the provider until the task is cancelled; once. What is under way then is given up.
    package func run() async throws {
        // One loop for all: with several, a connection is given back from another one than its own, and AsyncHTTPClient
        // (1.37) ends the process if it closes on that way, "A connection that we don't know was released".
        try await HTTPClient.withHTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton.any(), configuration: self.connection
        ) { client in
            await withDiscardingTaskGroup { group in
                if let interval = self.configuration.canaryInterval {
                    group.addTask { await self.lookAtCanary(every: interval) }
                }
                while let job = await self.jobs.next() {
                    group.addTask {
                        await self.work(job, client)
                        self.jobs.finish()
                    }
                }
                for job in self.jobs.close() { job.fail(.cancelled) }
                group.cancelAll()
            }
        }
    }

    private func work(_ job: Job, _ client: HTTPClient) async {
        // Nothing is handed out before the model has shown that it is the one of an earlier process: in the same request.
        let isProof = !job.isCanary && self.watch.withLock { !$0.isProved }
        var results = await self.results(
            of: job.texts + (isProof ? [Self.canary] : []), client, by: job.deadline)
        if job.isCanary || isProof, let proof = results.last {
            switch proof {
            case .success(let vector): if let error = self.check(canary: vector) { return job.fail(error) }
            case .failure(let error): if isProof { return job.fail(error) }
            }
        }
        if isProof { results.removeLast() }
        job.reply.complete(results)
    }

    private func lookAtCanary(every interval: Duration) async {
        while !Task.isCancelled {
            // What is wrong was logged.
            _ = try? await self.probe(by: .now + self.configuration.requestTimeout)
            try? await Task.sleep(for: interval)
        }
    }

    /// After the provider was away: another one may have come back. Nobody waits for it.
    func lookAtCanaryNow() {
        guard self.configuration.canaryInterval != nil else { return }
        self.submit([Self.canary], by: .now + self.configuration.requestTimeout, isCanary: true) { _ in }
    }

    private func check(canary vector: Embedding) -> EmbedderError? {
        let (fault, isNew, canary) = self.watch.withLock { watch in
            let before = watch.fault
            let fault = watch.check(canary: vector)
            return (fault, before == nil, watch.canary)
        }
        guard let fault else {
            if let canary { self.onCanary?(canary) }
            return nil
        }
        if isNew { self.tell(fault) }
        return EmbedderError(.refused, fault.rawValue)
    }

    func tell(_ fault: ModelWatch.Fault) {
        self.line.logger.error(
            "the provider is not asked again until the service is started anew",
            metadata: ["reason": "\(fault.rawValue)", "error.code": "\(EmbedderError.Code.refused.rawValue)"])
    }
}
