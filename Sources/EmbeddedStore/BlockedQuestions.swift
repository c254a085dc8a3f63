// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Synchronization

/// For which questions an answer is blocked. It is asked on every semantic hit, and most questions have none: that is
/// told without a hop to another thread. What is blocked is in the file.
final class BlockedQuestions: Sendable {
    struct Question: Hashable, Sendable {
        let partition: Digest
        let id: EntryID

        func hash(into hasher: inout Hasher) { hasher.combine(self.id) }
    }

    /// Of one cache.
    let maximum: Int
    /// By the keys of tenants and caches.
    private let questions = Mutex<[Digest: [Digest: Set<Question>]]>([:])

    init(maximum: Int) { self.maximum = maximum }

    func contains(_ question: EntryID, in partition: Partition) -> Bool {
        let cache = partition.cache
        return self.questions.withLock {
            $0[cache.tenant.tenant.key]?[cache.key]?.contains(Question(partition: partition.key, id: question)) ?? false
        }
    }

    func count(of cache: CacheScope) -> Int {
        self.questions.withLock { $0[cache.tenant.tenant.key]?[cache.key]?.count ?? 0 }
    }

    // MARK: For the writer

    func add(_ questions: Set<Question>, of cache: Digest, tenant: Digest) {
        self.questions.withLock { $0[tenant, default: [:]][cache, default: []].formUnion(questions) }
    }

    /// Follows what was committed. Removals of tenants are in transactions of their own.
    func follow(_ draft: Draft) {
        for tenant in draft.tenantsToForget { self.questions.withLock { $0[tenant.tenant.key] = nil } }
        for (cache, questions) in draft.newBlocks {
            self.add(questions, of: cache.key, tenant: cache.tenant.tenant.key)
        }
    }
}
