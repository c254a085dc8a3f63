// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB

/// One search for the nearest entries of a partition, on a reader's thread.
///
/// The index names candidates; the file's rows decide. Since the rows are read after the index, an entry may have been
/// replaced or removed in between, and then the index's choice of the best is no longer right either: the search is
/// done again, under the gate that keeps commits out.
struct NearestSearch {
    let query: NearestQuery
    let partition: PartitionMemory
    let now: Timestamp
    let catalogue: Catalogue
    let pool: DatabasePool

    func run() throws -> NearestResult {
        if let result = try self.attempt() { return result }
        return try self.catalogue.gate.reading { try self.attempt(isGated: true) } ?? NearestResult(matches: [])
    }

    /// A candidate whose vector was read.
    private struct Scored {
        let row: Int64
        let id: EntryID
        let similarity: Float
        let createdAt: Timestamp

        /// Best first: the most similar, then the newest, then the smallest id.
        func precedes(_ other: Self) -> Bool {
            if self.similarity != other.similarity { return self.similarity > other.similarity }
            if self.createdAt != other.createdAt { return self.createdAt > other.createdAt }
            return (self.id.high, self.id.low) < (other.id.high, other.id.low)
        }
    }

    /// What a pass over the candidates found.
    private struct Ranking {
        let count: Int
        /// Best first, at most `count`.
        var best: [Scored] = []
        /// The nearest of those that are no match, by why.
        private(set) var nearest: [NearestResult.Refusal: Scored] = [:]
        /// Of all that were looked at, by row.
        var similarities: [Int64: Float] = [:]
        /// Whether a row was not there.
        var isOutdated = false

        /// The vector being looked at.
        var vector: [Float]

        init(count: Int, dimensions: Int) {
            self.count = count
            self.vector = [Float](repeating: 0, count: dimensions)
        }

        mutating func insert(_ scored: Scored) {
            if self.best.count == self.count {
                guard let last = self.best.last, scored.precedes(last) else { return }
                self.best.removeLast()
            }
            let position = self.best.firstIndex { scored.precedes($0) } ?? self.best.endIndex
            self.best.insert(scored, at: position)
        }

        mutating func note(_ scored: Scored, refused refusal: NearestResult.Refusal) {
            if self.nearest[refusal].map(scored.precedes) ?? true { self.nearest[refusal] = scored }
        }

        /// Whether an entry of at most this similarity cannot be among the best any more.
        func excludes(_ similarity: Float) -> Bool {
            guard self.best.count == self.count, let last = self.best.last else { return false }
            return similarity < last.similarity
        }
    }

    /// - Returns: `nil` if the index and the file were not of one state; never if `isGated`.
    private func attempt(isGated: Bool = false) throws -> NearestResult? {
        let candidates = self.partition.scan(self.query, at: self.now)
        guard let nearest = candidates.nearest else { return NearestResult(matches: []) }
        return try self.pool.read { database in
            var ranking = try self.rank(candidates.hits, in: database)
            if ranking.best.isEmpty {
                for hit in candidates.refused { try self.score(hit, refused: .filtered, into: &ranking, in: database) }
                for hit in candidates.tooOld { try self.score(hit, refused: .tooOld, into: &ranking, in: database) }
                // Without any, nothing reaches the threshold, this one neither.
                if ranking.nearest.isEmpty {
                    try self.score(nearest, refused: .belowThreshold, into: &ranking, in: database)
                }
            }
            if ranking.isOutdated && !isGated { return nil }
            return try self.result(
                ranking, isNearestExact: candidates.isNearestExact,
                neighbours: self.neighbours(candidates.neighbours, ranking.similarities), in: database)
        }
    }

    private func rank(_ hits: [PartitionIndex.Candidate], in database: Database) throws -> Ranking {
        var ranking = Ranking(count: self.query.candidates, dimensions: self.partition.dimensions)
        // The likeliest first, so that the rest can be ruled out without reading them.
        for hit in hits.sorted(by: { $0.upperBound > $1.upperBound }) {
            if ranking.excludes(hit.upperBound) { break }
            try self.score(hit, into: &ranking, in: database)
        }
        return ranking
    }

    /// - Parameter refusal: Why it is no match, if the index has said so.
    private func score(
        _ hit: PartitionIndex.Candidate, refused refusal: NearestResult.Refusal? = nil, into ranking: inout Ranking,
        in database: Database
    ) throws {
        guard let createdAt = try EntryRows.vector(of: hit.row, into: &ranking.vector, in: database) else {
            ranking.isOutdated = true
            return
        }
        let similarity = Similarity.of(self.query.embedding.values, ranking.vector)
        if self.query.neighbours > 0 { ranking.similarities[hit.row] = similarity }
        let scored = Scored(row: hit.row, id: hit.id, similarity: similarity, createdAt: createdAt)
        if let refusal {
            ranking.note(scored, refused: similarity < self.query.threshold ? .belowThreshold : refusal)
        } else if similarity < self.query.candidateThreshold {
            ranking.note(scored, refused: .belowThreshold)
        } else {
            ranking.insert(scored)
        }
    }

    /// Of all that reach the threshold and may be among the matches the vector was read. Whatever else the index names is
    /// less similar by both accounts, so mixing the two keeps the order.
    private func neighbours(_ near: [PartitionIndex.Near], _ similarities: [Int64: Float]) -> [Neighbour] {
        typealias Found = (similarity: Float, near: PartitionIndex.Near)
        let found = near.map { near -> Found in
            (similarities[near.row] ?? min(1, max(-1, near.similarity)), near)
        }
        let sorted = found.sorted { left, right in
            if left.similarity != right.similarity { return left.similarity > right.similarity }
            if left.near.createdAt != right.near.createdAt { return left.near.createdAt > right.near.createdAt }
            return (left.near.id.high, left.near.id.low) < (right.near.id.high, right.near.id.low)
        }
        return sorted.prefix(self.query.neighbours).map {
            Neighbour(id: $0.near.id, similarity: $0.similarity, cluster: $0.near.cluster)
        }
    }

    private func result(
        _ ranking: Ranking, isNearestExact: Bool, neighbours: [Neighbour], in database: Database
    ) throws -> NearestResult {
        // In the transaction in which the vectors were read, so the rows are still the same.
        let matches = try ranking.best.compactMap { scored in
            try EntryRows.entry(row: scored.row, in: database).map {
                LookupMatch(entry: $0, similarity: scored.similarity)
            }
        }
        if !matches.isEmpty { return NearestResult(matches: matches, neighbours: neighbours) }
        // Those that reach the threshold are nearer than the one below it, and read in fp32, each of them.
        guard let (refusal, miss) = ranking.nearest.min(by: { $0.value.precedes($1.value) }) else {
            return NearestResult(matches: [], neighbours: neighbours)
        }
        let isApproximate = refusal == .belowThreshold && !isNearestExact
        return NearestResult(
            matches: [],
            nearestMiss: NearestMiss(id: miss.id, similarity: miss.similarity, isApproximate: isApproximate),
            refusal: refusal, neighbours: neighbours)
    }
}
