// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Where the requests of one tenant, cache and list of vary parts go. Worth keeping by whoever sends many.
package final class CacheRoute: Sendable {
    package let tenant: Tenant
    package let policy: CachePolicy
    package let counters: CacheCounters
    /// Of prompts without a context.
    package let partition: Partition
    private let identity: EmbeddingIdentity
    private let vary: [VaryPart]

    init(
        tenant: Tenant, cache: CacheScope, policy: CachePolicy, identity: EmbeddingIdentity, vary: [VaryPart]
    ) {
        self.tenant = tenant
        self.policy = policy
        self.counters = tenant.account.counters(of: cache, isDeclared: tenant.policy.declares(cache.name))
        self.partition = Partition(of: cache, embedding: identity, vary: vary)
        self.identity = identity
        self.vary = vary
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
