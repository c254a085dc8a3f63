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

    package init(
        embedding: Embedding, count: Int, threshold: Float, createdAtOrAfter: Timestamp? = nil,
        filter: MetadataFilter? = nil
    ) {
        self.embedding = embedding
        self.count = count
        self.threshold = threshold
        self.createdAtOrAfter = createdAtOrAfter
        self.filter = filter
    }
}

package struct NearestResult: Sendable {
    /// Best first; each reaches the threshold.
    package let matches: [LookupMatch]
    /// Without a match, the nearest that was passed over; `nil` if the partition is empty or none was seen.
    package let nearestMiss: NearestMiss?
    /// Why `nearestMiss` is no match.
    package let refusal: Refusal

    package enum Refusal: Sendable, Hashable {
        case belowThreshold
        /// It reaches the threshold.
        case tooOld
        /// It reaches the threshold.
        case filtered
    }

    package init(matches: [LookupMatch], nearestMiss: NearestMiss? = nil, refusal: Refusal = .belowThreshold) {
        self.matches = matches
        self.nearestMiss = nearestMiss
        self.refusal = refusal
    }
}
