// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// What must be found, whatever it takes, and what is told besides, as far as it comes to light on the way: a decision
/// looks at more than what is sure to be served, but no store searches twice for that.
package struct NearestQuery: Sendable {
    package let embedding: Embedding
    /// How many of the nearest that reach ``threshold`` must be found. 1…``Limits/maximumTopK``.
    package let count: Int
    /// Cosine, −1…1, inclusive.
    package let threshold: Float
    /// How many matches to tell of, those that must be found among them: at least ``count``.
    package let candidates: Int
    /// From which similarity on; at most ``threshold``.
    package let candidateThreshold: Float
    /// Entries created before are passed over, inside the search.
    package let createdAtOrAfter: Timestamp?
    /// Entries that it does not take are passed over, inside the search.
    package let filter: MetadataFilter?
    /// How many of the nearest entries to tell of, in passing too, whatever their similarity,
    /// 0…``Limits/maximumNeighbours``.
    package let neighbours: Int

    /// - Parameters:
    ///   - candidates: As many as `count` if fewer are given.
    ///   - candidateThreshold: That of what must be found if `nil`.
    package init(
        embedding: Embedding, count: Int, threshold: Float, candidates: Int = 0, candidateThreshold: Float? = nil,
        createdAtOrAfter: Timestamp? = nil, filter: MetadataFilter? = nil, neighbours: Int = 0
    ) {
        self.embedding = embedding
        self.count = count
        self.threshold = threshold
        self.candidates = max(count, candidates)
        self.candidateThreshold = min(threshold, candidateThreshold ?? threshold)
        self.createdAtOrAfter = createdAtOrAfter
        self.filter = filter
        self.neighbours = min(neighbours, Limits.maximumNeighbours)
    }
}

/// An entry near a vector.
package struct Neighbour: Sendable, Equatable {
    package let id: EntryID
    package let similarity: Float
    package let cluster: AnswerCluster

    package init(id: EntryID, similarity: Float, cluster: AnswerCluster) {
        self.id = id
        self.similarity = similarity
        self.cluster = cluster
    }
}

package struct NearestResult: Sendable {
    /// Best first, at most ``NearestQuery/candidates``; each reaches ``NearestQuery/candidateThreshold``. The first
    /// ``NearestQuery/count`` of those that reach ``NearestQuery/threshold`` are the nearest that there are. Of the others
    /// there may be more.
    package let matches: [LookupMatch]
    /// Without a match, the nearest that was passed over; `nil` if the partition is empty or none was seen.
    package let nearestMiss: NearestMiss?
    /// Why `nearestMiss` is no match.
    package let refusal: Refusal
    /// The nearest entries that filter and age take, those of `matches` among them, whatever their similarity: nearest
    /// first, as many as were asked for, or fewer where an index would have to be asked again for them. Below the threshold
    /// a similarity may be off by 0.0005, or as the index says.
    package let neighbours: [Neighbour]

    package enum Refusal: Sendable, Hashable {
        case belowThreshold
        /// It reaches the threshold.
        case tooOld
        /// It reaches the threshold.
        case filtered
    }

    package init(
        matches: [LookupMatch], nearestMiss: NearestMiss? = nil, refusal: Refusal = .belowThreshold,
        neighbours: [Neighbour] = []
    ) {
        self.neighbours = neighbours
        self.matches = matches
        self.nearestMiss = nearestMiss
        self.refusal = refusal
    }
}
