// SPDX-License-Identifier: Apache-2.0

package import CacheModel

package struct NearestQuery: Sendable {
    package let embedding: Embedding
    /// 1…``Limits/maximumTopK``.
    package let count: Int
    /// Cosine, −1…1, inclusive.
    package let threshold: Float
    /// Entries created before are passed over, inside the search.
    package let createdAtOrAfter: Timestamp?
    /// Entries that it does not take are passed over, inside the search.
    package let filter: MetadataFilter?
    /// How many of the nearest entries to tell of whatever their similarity, 0…``Limits/maximumNeighbours``.
    package let neighbours: Int

    package init(
        embedding: Embedding, count: Int, threshold: Float, createdAtOrAfter: Timestamp? = nil,
        filter: MetadataFilter? = nil, neighbours: Int = 0
    ) {
        self.embedding = embedding
        self.count = count
        self.threshold = threshold
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
    /// Best first; each reaches the threshold.
    package let matches: [LookupMatch]
    /// Without a match, the nearest that was passed over; `nil` if the partition is empty or none was seen.
    package let nearestMiss: NearestMiss?
    /// Why `nearestMiss` is no match.
    package let refusal: Refusal
    /// The nearest entries that filter and age take, those of `matches` among them, whatever their similarity: nearest
    /// first, as many as were asked for. Below the threshold a similarity may be off by 0.0005, or as the index says.
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
