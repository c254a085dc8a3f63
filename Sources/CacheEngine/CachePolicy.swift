// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// How a cache decides and for how long it keeps.
package struct CachePolicy: Sendable, Hashable {
    /// Cosine from which an entry answers, if the request names none.
    package var similarityThreshold: Float
    /// Cosine below which none ever does, whatever the request says.
    package var similarityFloor: Float
    package var timeToLive: Duration
    /// After it, in which an answer is served as stale. Together they are at most `maximumTimeToLive`.
    package var staleTimeToLive: Duration
    package var maximumTimeToLive: Duration
    /// Share of the time to live by which it is varied, 0…0.5, so that what was stored together does not expire together.
    package var timeToLiveJitter: Double
    /// Whether trouble of the embedder or the store is a miss (`degraded`) instead of an error.
    package var failsOpen: Bool
    package var prompt: PromptPolicy
    /// Largest response, bytes; at most ``Limits/maximumResponseBytes``.
    package var maximumResponseBytes: Int
    /// Name of the embedder among the ``EmbeddingPools``; the default's if `nil`.
    package var embedder: String?
    package var decision: DecisionPolicy

    package init(
        similarityThreshold: Float = 0.85, similarityFloor: Float = 0.5, timeToLive: Duration = .seconds(86_400),
        staleTimeToLive: Duration = .zero, maximumTimeToLive: Duration = .seconds(30 * 86_400),
        timeToLiveJitter: Double = 0.1, failsOpen: Bool = true,
        prompt: PromptPolicy = PromptPolicy(), maximumResponseBytes: Int = Limits.maximumResponseBytes,
        embedder: String? = nil, decision: DecisionPolicy = .similarityAlone
    ) {
        self.similarityThreshold = similarityThreshold
        self.similarityFloor = similarityFloor
        self.timeToLive = timeToLive
        self.staleTimeToLive = staleTimeToLive
        self.maximumTimeToLive = maximumTimeToLive
        self.timeToLiveJitter = timeToLiveJitter
        self.failsOpen = failsOpen
        self.prompt = prompt
        self.maximumResponseBytes = maximumResponseBytes
        self.embedder = embedder
        self.decision = decision
    }

    /// The threshold in force for a request.
    package func threshold(requested: Float?) -> Float {
        max(requested ?? self.similarityThreshold, self.similarityFloor)
    }

    /// The similarity that an answer out of memory must have, which was decided on when it came there.
    func leastRemembered(requested: Float?) -> Float {
        // What is near enough, a calibrated policy did not tell by a threshold.
        self.decision.kind == .calibrated
            ? max(requested ?? self.similarityFloor, self.similarityFloor) : self.threshold(requested: requested)
    }

    /// The time to live in force for a request, varied by up to the jitter and never above the cap.
    ///
    /// - Parameter random: Uniform in 0..<1.
    package func timeToLive(requested: Duration?, random: Double) -> Duration {
        let wanted = min(requested ?? self.timeToLive, self.maximumTimeToLive)
        let factor = 1 + self.timeToLiveJitter * (2 * random - 1)
        let varied = Duration.milliseconds(max(1, Int64(Double(wanted.wholeMilliseconds) * factor)))
        return min(varied, self.maximumTimeToLive)
    }

    /// The stale window in force for a request.
    ///
    /// - Parameter timeToLive: In force for it.
    package func staleTimeToLive(requested: Duration?, after timeToLive: Duration) -> Duration {
        max(.zero, min(requested ?? self.staleTimeToLive, self.maximumTimeToLive - timeToLive))
    }

    /// The policy within what its tenant may have.
    func limited(by tenant: TenantPolicy) -> Self {
        var policy = self
        policy.similarityFloor = max(self.similarityFloor, tenant.similarityFloor)
        policy.maximumTimeToLive = min(self.maximumTimeToLive, tenant.maximumTimeToLive)
        return policy
    }
}
