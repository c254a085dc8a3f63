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
        let reply: Reply
    }

    /// Says nothing of anybody, and has something in it of what a model can tell apart.
    private static let canary = "The cache answers a question that was asked before, in other words."

    package let identity: EmbeddingIdentity
    package let concurrency: Int
    package let batchLimit: Int
    let configuration: Configuration
    let request: ProviderRequest
    let metrics: ProviderMetrics
    let logger: Logger
    let state: Mutex<ProviderState>
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
        do throws(CredentialFault) {
            _ = try configuration.credential.credentialNow()
        } catch {
            throw .invalidArgument("credential", "cannot be read, or is empty or not plain ASCII")
        }
        self.connection = try configuration.connection()
        self.configuration = configuration
        self.identity = configuration.identity
        self.concurrency = configuration.concurrency
        self.batchLimit = configuration.batchLimit
        self.request = ProviderRequest(configuration)
        self.metrics = ProviderMetrics(provider: configuration.name, metrics)
        var logger = logger
        logger[metadataKey: "provider"] = "\(configuration.name)"
        self.logger = logger
        self.state = Mutex(ProviderState(configuration, canary: knownCanary))
        // The pool never has more under way; a fallback chain and the canary may.
        self.jobs = JobQueue(limit: 2 * configuration.concurrency + 2)
        self.onCanary = onCanary
        if !configuration.tls.isVerified {
            self.logger.warning("the provider's certificate is not verified: anyone on the way can read and answer")
        }
    }

    /// The fixed text's vector, once it is known; to be kept for the next process.
    package var knownCanary: Embedding? { self.state.withLock { $0.watch.canary } }

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
        let reply = Reply(count: texts.count, by: deadline, on: eventLoop, completion: completion)
        if let error = self.state.withLock({ $0.refusal(at: .now) }) { return reply.failSoon(error) }
        let job = Job(texts: texts, deadline: deadline, isCanary: isCanary, reply: reply)
        switch self.jobs.append(job) {
        case .taken: break
        case .full: reply.failSoon(EmbedderError(.overloaded, "the embedder has too much to do"))
        case .closed: reply.failSoon(EmbedderError(.unavailable, "the embedder has stopped"))
        }
    }

    /// Asks the provider until the task is cancelled; once. What is under way then is given up.
    package func run() async throws {
        try await HTTPClient.withHTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: self.connection
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
                for job in self.jobs.close() { job.reply.fail(.cancelled) }
                group.cancelAll()
            }
        }
    }

    private func work(_ job: Job, _ client: HTTPClient) async {
        // Nothing is handed out before the model has shown that it is the one of an earlier process: in the same request.
        let isProof = !job.isCanary && self.state.withLock { !$0.watch.isProved }
        var results = await self.results(
            of: job.texts + (isProof ? [Self.canary] : []), client, by: job.deadline)
        if job.isCanary || isProof, let proof = results.last {
            switch proof {
            case .success(let vector): if let error = self.check(canary: vector) { return job.reply.fail(error) }
            case .failure(let error): if isProof { return job.reply.fail(error) }
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
        let (fault, isNew, canary) = self.state.withLock { state in
            let before = state.watch.fault
            let fault = state.watch.check(canary: vector)
            return (fault, before == nil, state.watch.canary)
        }
        guard let fault else {
            if let canary { self.onCanary?(canary) }
            return nil
        }
        if isNew { self.tell(fault) }
        return EmbedderError(.refused, fault.rawValue)
    }

    func tell(_ fault: ModelWatch.Fault) {
        self.logger.error(
            "the provider is not asked again until the service is started anew",
            metadata: ["reason": "\(fault.rawValue)", "error.code": "\(EmbedderError.Code.refused.rawValue)"])
    }
}
