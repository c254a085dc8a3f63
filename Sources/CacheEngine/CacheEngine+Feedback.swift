// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Decisions

extension CacheEngine {
    /// Takes a verdict on an answer. One that is wrong is never served for that question again, by any replica, from when
    /// this returns on.
    ///
    /// - Throws: ``CacheError`` with `.notFound` for an entry that is not there any more, `.invalidArgument` for a lookup
    ///   id that is none of this cache's, an embedding that cannot be used or a chat without a question,
    ///   `.failedPrecondition` for a chat that the cache bypasses, `.resourceExhausted` for one blocked question too many;
    ///   and as ``store(_:scope:by:)``.
    package func feedback(
        _ request: FeedbackRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> FeedbackOutcome {
        try await self.metrics.measure(.feedback) { () async throws(CacheError) -> FeedbackOutcome in
            switch request.question {
            case .lookup(let id): try await self.feedback(request, on: id, scope: scope, by: deadline)
            case .prompt(let prompt, let vary, let given):
                try await self.feedback(request, on: prompt, vary, given, scope: scope, by: deadline)
            }
        }
    }

    private func feedback(
        _ request: FeedbackRequest, on id: LookupID, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> FeedbackOutcome {
        let route = try self.route(cache: request.cache, vary: [], scope: scope)
        guard let lookup = RememberedLookup(id), lookup.cache == EntryID(route.partition.cache.key) else {
            throw .invalidArgument("lookup_id", "is not of a Lookup in this cache")
        }
        guard lookup.entry == request.entry else {
            throw .invalidArgument("entry_id", "is not the entry that answered the Lookup")
        }
        let partition = Partition(of: route.partition.cache, restoring: lookup.partition, identity: route.identity.key)
        let decider = self.deciders.decider(of: route)
        if request.verdict == .wrong {
            let entry = try await self.entry(lookup.entry, in: partition)
            // An entry that was stored again has another answer, which nobody has judged.
            let judged = entry.flatMap { $0.cluster == lookup.record.cluster ? $0 : nil }
            try await self.block(
                lookup.entry, in: [lookup.record.cluster] + (judged.map { [AnswerCluster(of: $0.response)] } ?? []),
                for: lookup.question, partition, by: deadline)
        }
        guard route.policy.decision.kind == .calibrated else {
            return FeedbackOutcome(isBlocked: request.verdict == .wrong, isLearnt: false)
        }
        await decider.refresh()
        decider.learn(lookup.record.judged(isRight: request.verdict == .right))
        await decider.tell(isUrgent: true)
        return FeedbackOutcome(isBlocked: request.verdict == .wrong, isLearnt: true)
    }

    private func feedback(
        _ request: FeedbackRequest, on prompt: Prompt, _ vary: [VaryPart], _ given: [Float]?, scope: TenantScope,
        by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> FeedbackOutcome {
        let route = try self.route(cache: request.cache, vary: vary, scope: scope)
        guard case .ask(let text, let partition, let id) = try route.question(of: prompt) else {
            throw CacheError(
                .failedPrecondition, "the chat has more messages than the cache keeps", field: "messages")
        }
        guard let entry = try await self.entry(request.entry, in: partition) else {
            throw CacheError(
                .notFound, "there is no such entry for this prompt's cache, vary and model", field: "entry_id")
        }
        let asked = AskedQuestion(text, route.policy.decision)
        let isOwn = request.entry == id
        if request.verdict == .wrong {
            try await self.block(
                entry.id, in: [entry.cluster, AnswerCluster(of: entry.response)], for: asked.id(in: partition),
                partition,
                by: deadline)
            // The answer to the very prompt: what is wrong for it is not to be had by asking for it.
            if isOwn { _ = try await self.remove(.entry(id, in: partition), isDryRun: false) }
        }
        guard !isOwn, route.policy.decision.kind == .calibrated else {
            return FeedbackOutcome(isBlocked: request.verdict == .wrong, isLearnt: false)
        }
        if request.verdict == .right { try await self.join(id, to: entry.cluster, in: partition) }
        let embedding = try await self.embedding(of: text, on: route, given: given, by: deadline, priority: .lookup)
        return FeedbackOutcome(
            isBlocked: request.verdict == .wrong,
            isLearnt: await self.label(
                entry, asked, embedding, partition, route, without: id, isRight: request.verdict == .right))
    }

    /// Makes a label of a verdict, from what the decision would see now.
    private func label(
        _ entry: CacheEntry, _ asked: AskedQuestion, _ embedding: Embedding, _ partition: Partition,
        _ route: CacheRoute, without own: EntryID, isRight: Bool
    ) async -> Bool {
        let decider = self.deciders.decider(of: route)
        await decider.refresh()
        let query = NearestQuery(toLearnBy: embedding, route.policy)
        do throws(VectorStoreError) {
            let result = try await self.store.nearest(query, in: partition, at: self.now)
            guard let near = result.neighbours.first(where: { $0.id == entry.id }) else { return false }
            let candidates = Candidates(asked, result, decider.ledger(), without: own)
            let appraisal = candidates.appraise(LookupMatch(entry: entry, similarity: near.similarity))
            guard appraisal.isEstimated else { return false }
            decider.learn(appraisal.record(isRight: isRight, source: .feedback))
            await decider.tell(isUrgent: true)
            return true
        } catch {
            self.troubles.note("store", error.code.rawValue, error.message)
            return false
        }
    }

    /// Notes that an entry's answer is wrong for a question.
    ///
    /// - Parameter clusters: That in which the answer is, and its own, in which it is again if the other one is left.
    private func block(
        _ entry: EntryID, in clusters: [AnswerCluster], for question: EntryID, _ partition: Partition,
        by deadline: ContinuousClock.Instant
    ) async throws(CacheError) {
        // Also after an error it may be there: memory must not answer with what it forbids.
        defer { self.memory.storeChanged(entry, in: partition) }
        for cluster in Set(clusters) {
            do throws(VectorStoreError) {
                try await self.store.block(
                    BlockedPair(question: question, entry: entry, cluster: cluster), in: partition, by: deadline)
            } catch {
                throw self.refusal(error)
            }
        }
    }

    /// Both have the same answer: the prompt's own entry, if there is one, joins the other's cluster.
    private func join(_ own: EntryID, to cluster: AnswerCluster, in partition: Partition) async throws(CacheError) {
        do throws(VectorStoreError) {
            _ = try await self.store.assign(cluster, to: own, in: partition)
        } catch {
            throw self.refusal(error)
        }
    }

    private func entry(_ id: EntryID, in partition: Partition) async throws(CacheError) -> CacheEntry? {
        do throws(VectorStoreError) {
            return try await self.store.entry(id, in: partition, at: self.now)
        } catch {
            throw self.refusal(error)
        }
    }
}
