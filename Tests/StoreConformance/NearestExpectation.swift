// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// What a search may find, by the similarities of all live entries of a partition.
struct NearestExpectation {
    let query: NearestQuery
    /// All live entries with their true similarity, best first.
    let live: [LookupMatch]
    let isExact: Bool
    let tolerance: Float

    /// - Parameter oracle: Has what the store under test has.
    static func make(
        _ query: NearestQuery, in partition: Partition, at now: Timestamp, from oracle: MemoryVectorStore,
        _ conformance: StoreConformance
    ) async throws -> Self {
        let all = NearestQuery(embedding: query.embedding, count: .max, threshold: -1)
        return Self(
            query: query, live: try await oracle.nearest(all, in: partition, at: now).matches,
            isExact: conformance.isExact, tolerance: conformance.tolerance)
    }

    func check(_ result: NearestResult, _ comment: Comment? = nil) {
        let known = Dictionary(self.live.map { ($0.entry.id, $0) }, uniquingKeysWith: { first, _ in first })
        let eligible = self.live.filter { self.refusal(of: $0.entry) == nil }
        let certain = eligible.prefix { $0.similarity > self.query.threshold + self.tolerance }.count
        let likely = eligible.prefix { $0.similarity > self.query.candidateThreshold + self.tolerance }.count
        let possible = eligible.prefix { $0.similarity >= self.query.candidateThreshold - self.tolerance }.count
        #expect(result.matches.count >= min(certain, self.query.count), comment)
        if self.isExact { #expect(result.matches.count >= min(likely, self.query.candidates), comment) }
        #expect(result.matches.count <= min(possible, self.query.candidates), comment)
        #expect(Set(result.matches.map(\.entry.id)).count == result.matches.count, comment)
        for (position, match) in result.matches.enumerated() {
            guard let truth = known[match.entry.id] else {
                Issue.record(comment ?? "an entry was found that is not there")
                continue
            }
            #expect(match.entry == truth.entry, comment)
            #expect(abs(match.similarity - truth.similarity) <= self.tolerance, comment)
            #expect(match.similarity >= self.query.candidateThreshold && match.similarity <= 1, comment)
            #expect(self.refusal(of: truth.entry) == nil, comment)
            // Nothing better was left out for it.
            guard position < (self.isExact ? eligible.count : min(certain, self.query.count)) else { continue }
            #expect(truth.similarity >= eligible[position].similarity - 2 * self.tolerance, comment)
        }
        self.checkNeighbours(result, known, eligible, comment)
        self.checkCut(result.matches, known, eligible, comment)
        for (match, next) in zip(result.matches, result.matches.dropFirst()) {
            #expect(Self.precedes(match, next), comment)
        }
        if result.matches.isEmpty { self.checkMiss(result, known, comment) }
    }

    /// Of entries with one vector, those that precede are the ones that are found.
    private func checkCut(
        _ matches: [LookupMatch], _ known: [EntryID: LookupMatch], _ eligible: [LookupMatch], _ comment: Comment?
    ) {
        let cut = self.isExact ? self.query.candidates : self.query.count
        guard matches.count >= cut, let last = known[matches[cut - 1].entry.id],
            self.isExact || last.similarity > self.query.threshold + self.tolerance
        else { return }
        let found = Set(matches.prefix(cut).map(\.entry.id))
        for other in eligible where other.similarity == last.similarity && !found.contains(other.entry.id) {
            #expect(Self.precedes(last, other), comment)
        }
    }

    /// The more similar first, then the newer, then the smaller id.
    private static func precedes(_ left: LookupMatch, _ right: LookupMatch) -> Bool {
        if left.similarity != right.similarity { return left.similarity > right.similarity }
        let (entry, other) = (left.entry, right.entry)
        if entry.createdAt != other.createdAt { return entry.createdAt > other.createdAt }
        return (entry.id.high, entry.id.low) < (other.id.high, other.id.low)
    }

    private func refusal(of entry: CacheEntry) -> NearestResult.Refusal? {
        if let filter = self.query.filter, !filter.matches(entry.attributes) { return .filtered }
        if let oldest = self.query.createdAtOrAfter, entry.createdAt < oldest { return .tooOld }
        return nil
    }

    /// Below the threshold a similarity may be a little off, and an index that guesses may miss some: it is not asked again
    /// for those that filter and age take.
    private func checkNeighbours(
        _ result: NearestResult, _ known: [EntryID: LookupMatch], _ eligible: [LookupMatch], _ comment: Comment?
    ) {
        let (found, tolerance) = (result.neighbours, max(self.tolerance, 0.0005))
        let wanted = min(self.query.neighbours, eligible.count)
        let isPlain = self.query.filter == nil && self.query.createdAtOrAfter == nil
        let least = isPlain ? wanted * 7 / 10 : min(wanted, result.matches.count)
        #expect(found.count <= wanted && found.count >= (self.isExact ? wanted : least), comment)
        #expect(Set(found.map(\.id)).count == found.count, comment)
        #expect(
            found.prefix(result.matches.count).map(\.id) == result.matches.prefix(found.count).map(\.entry.id), comment)
        for (left, right) in zip(found, found.dropFirst()) { #expect(left.similarity >= right.similarity, comment) }
        for (position, neighbour) in found.enumerated() {
            guard let truth = known[neighbour.id] else {
                Issue.record(comment ?? "a neighbour was found that is not there")
                continue
            }
            #expect(neighbour.cluster == truth.entry.cluster && self.refusal(of: truth.entry) == nil, comment)
            #expect(abs(neighbour.similarity - truth.similarity) <= tolerance, comment)
            if self.isExact { #expect(truth.similarity >= eligible[position].similarity - 2 * tolerance, comment) }
        }
    }

    private func checkMiss(_ result: NearestResult, _ known: [EntryID: LookupMatch], _ comment: Comment?) {
        guard let best = self.live.first else {
            #expect(result.nearestMiss == nil, comment)
            return
        }
        guard let miss = result.nearestMiss, let truth = known[miss.id] else {
            Issue.record(comment ?? "a miss does not name the nearest entry, or one that is not there")
            return
        }
        #expect(abs(miss.similarity - truth.similarity) <= self.tolerance, comment)
        let reaches = miss.similarity >= self.query.threshold
        #expect(result.refusal == (reaches ? self.refusal(of: truth.entry) : .belowThreshold), comment)
        if best.similarity > self.query.threshold + self.tolerance {
            #expect(reaches, comment)
            // What reaches the threshold is known as well as a match is.
            #expect(truth.similarity >= best.similarity - 2 * self.tolerance, comment)
            if self.isExact { #expect(!miss.isApproximate, comment) }
        } else if !miss.isApproximate {
            #expect(truth.similarity >= best.similarity - 0.0002 - 2 * self.tolerance, comment)
        }
    }
}
