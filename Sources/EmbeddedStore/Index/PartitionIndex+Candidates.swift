// SPDX-License-Identifier: Apache-2.0
package import CacheModel

extension PartitionIndex {
    /// An entry that a scan could not rule out.
    package struct Candidate: Equatable, Sendable {
        package let id: EntryID
        /// What the caller gave with the entry.
        package let row: Int64
        /// Approximate cosine; the one in fp32 lies within `error` of it.
        package let similarity: Float
        /// At most how far `similarity` is off, fp32 rounding included.
        package let error: Float

        package init(id: EntryID, row: Int64, similarity: Float, error: Float) {
            self.id = id
            self.row = row
            self.similarity = similarity
            self.error = error
        }

        /// The most that the cosine in fp32 can be.
        package var upperBound: Float { self.similarity + self.error }
    }

    /// An entry that may be one of the nearest, whatever its similarity.
    package struct Near: Equatable, Sendable {
        package let id: EntryID
        package let row: Int64
        /// Approximate cosine, as of a ``Candidate``.
        package let similarity: Float
        package let createdAt: Timestamp
        package let cluster: AnswerCluster
    }

    /// What a scan found.
    package struct Candidates: Equatable, Sendable {
        /// Holds every entry that may belong to the answer, highest approximate similarity first.
        ///
        /// Computing their similarities anew in fp32, dropping those below the threshold and cutting after the count
        /// asked for gives exactly what a comparison with every vector that filter and age take would have given.
        package let hits: [Candidate]
        /// What the filter refused and may be the nearest that it refused, of those that may reach the threshold;
        /// highest approximate similarity first. If there are no hits in the end, the nearest is among these and those that
        /// are too old.
        package let refused: [Candidate]
        /// Likewise of what the filter takes, and is too old.
        package let tooOld: [Candidate]
        /// A live entry near the query, whatever the filter, for explaining a miss; `nil` only if none was looked at.
        package let nearest: Candidate?
        /// Whether no entry can be nearer than `nearest` by more than the errors of the two.
        package let isNearestExact: Bool
        /// What may be among the neighbours that were asked for, highest approximate similarity first.
        package let neighbours: [Near]

        package init(
            hits: [Candidate], refused: [Candidate], tooOld: [Candidate], nearest: Candidate?, isNearestExact: Bool,
            neighbours: [Near] = []
        ) {
            self.tooOld = tooOld
            self.neighbours = neighbours
            self.hits = hits
            self.refused = refused
            self.nearest = nearest
            self.isNearestExact = isNearestExact
        }
    }
}
