// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions

extension CacheEngine {
    /// Learns from a fresh answer whether what a Lookup would have answered instead is right, and finds the cluster that
    /// the answer belongs to. The store is told of it by ``CacheDecider/tell(isUrgent:)``, when the answer is stored.
    ///
    /// Trouble of the store costs a label, never the Store.
    ///
    /// - Returns: The cluster of entries whose answer says the same; `nil` for that of the answer itself.
    func learn(
        from response: [UInt8], to text: CanonicalPrompt, id: EntryID, _ embedding: Embedding, in partition: Partition,
        _ route: CacheRoute
    ) async -> AnswerCluster? {
        guard route.policy.decision.kind == .calibrated else { return nil }
        let decider = self.deciders.decider(of: route)
        await decider.refresh()
        let query = NearestQuery(toLearnBy: embedding, route.policy)
        let result: NearestResult
        do throws(VectorStoreError) {
            result = try await self.store.nearest(query, in: partition, at: self.now)
        } catch {
            self.troubles.note("store", error.code.rawValue, error.message)
            return nil
        }
        let asked = AskedQuestion(text, route.policy.decision)
        let ledger = decider.ledger()
        let candidates = Candidates(asked, result, ledger, without: id)
        let cluster = AnswerCluster(of: response)
        var joined: AnswerCluster?
        if let leader = candidates.leader(reaching: route.policy.similarityFloor), leader.isEstimated {
            let isRight =
                leader.match.entry.cluster == cluster
                ? true : AnswerComparison.areSame(response, leader.match.entry.response)
            if let isRight {
                let wouldServe = leader.refusal == nil && leader.isSure(by: ledger)
                decider.learn(leader.record(isRight: isRight, source: wouldServe ? .audit : .store))
                if isRight { joined = leader.match.entry.cluster }
            }
        }
        if let joined { return joined }
        return candidates.matches.first { match in
            match.entry.cluster == cluster || AnswerComparison.areSame(response, match.entry.response) == true
        }?.entry.cluster
    }
}
