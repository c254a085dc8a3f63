// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Decisions

/// Where the requests of one tenant, cache and list of vary parts go. Worth keeping by whoever sends many.
package final class CacheRoute: Sendable {
    package let tenant: Tenant
    package let policy: CachePolicy
    package let counters: CacheCounters
    /// Of prompts without a context.
    package let partition: Partition
    /// What embeds the cache's prompts.
    package let pool: EmbeddingPool
    private let vary: [VaryPart]

    init(
        tenant: Tenant, cache: CacheScope, policy: CachePolicy, pool: EmbeddingPool, vary: [VaryPart]
    ) {
        self.tenant = tenant
        self.policy = policy
        self.counters = tenant.account.counters(of: cache, isDeclared: tenant.policy.declares(cache.name))
        self.identity = policy.decision.normalises ? pool.identity.ofNormalisedText : pool.identity
        self.partition = Partition(of: cache, embedding: self.identity, vary: vary)
        self.pool = pool
        self.vary = vary
    }

    /// Of what the cache embeds: another one where that is not the prompt as it is.
    package let identity: EmbeddingIdentity

    /// What is embedded for a prompt.
    func embedded(_ prompt: CanonicalPrompt) -> String {
        self.policy.decision.questionText(of: prompt).text
    }

    /// Cuts a prompt as the cache's policy says.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` for a chat without a question.
    func question(of prompt: Prompt) throws(CacheError) -> Question {
        switch try self.policy.prompt.resolve(prompt) {
        case .bypass(let bypass): return .bypass(bypass)
        case .question(let text, let context):
            let partition =
                context.map {
                    Partition(of: self.partition.cache, embedding: self.identity, vary: self.vary, context: $0)
                } ?? self.partition
            return .ask(text, in: partition, id: partition.entryID(of: text))
        }
    }
}

/// A prompt on its way through a cache.
enum Question {
    case ask(CanonicalPrompt, in: Partition, id: EntryID)
    case bypass(LookupBypass)
}

extension EmbeddingIdentity {
    /// Of vectors of normalised texts.
    var ofNormalisedText: EmbeddingIdentity {
        EmbeddingIdentity(
            provider: self.provider, model: self.model, dimensions: self.dimensions,
            revision: "\(self.revision)+text\(QuestionText.version)")
    }
}
