// SPDX-License-Identifier: Apache-2.0
import CKernels
package import CacheModel

extension PartitionIndex {
    /// Finds what may be among the `count` nearest live entries of at least `threshold`.
    ///
    /// - Parameters:
    ///   - query: Of unit length and of the index's dimensions.
    ///   - threshold: The least similarity, -1...1.
    ///   - count: 1 or more; `Int.max` for every entry above the threshold.
    ///   - now: Entries that expire at or before this are not there.
    /// - Complexity: Reads 32 bytes of every entry, and more of those that cannot be ruled out by them.
    package func candidates(for query: [Float], threshold: Float, count: Int, now: Timestamp) -> Candidates {
        precondition(query.count == self.dimensions, "a query of another dimension")
        precondition(count > 0, "a scan for nothing")
        var prepared = self.prepare(query)
        return withUnsafePointer(to: &prepared) { prepared in
            self.scan(for: prepared, best: BestSoFar(count: count, threshold: threshold), now: now.milliseconds)
        }
    }

    private func prepare(_ query: [Float]) -> ck_scan_query {
        let square = ck_dot_f32(self.instructionSet, query, query, query.count)
        precondition(square <= CK_SCAN_MAXIMUM_NORM * CK_SCAN_MAXIMUM_NORM, "a query that is not of unit length")
        var prepared = ck_scan_query()
        ck_scan_query_make(
            self.instructionSet, &prepared, query, UInt32(self.dimensions), self.entryError, self.basis?.pointer)
        return prepared
    }

    private func scan(for query: UnsafePointer<ck_scan_query>, best: BestSoFar, now: Int64) -> Candidates {
        let error = query.pointee.error
        var best = best, state = ck_scan_state()
        ck_scan_state_make(&state)
        var hits = self.hits(for: query, now: now, state: &state, best: &best)
        // What was a hit before better ones came may be none any more.
        let least = best.floor - error
        hits.removeAll { $0.similarity < least }
        hits.sort { $0.similarity > $1.similarity }
        if !hits.isEmpty {
            let found = hits.map { self.candidate($0, error: error) }
            return Candidates(hits: found, nearest: found[0], isNearestExact: true)
        }
        self.visitPeaks(for: query, now: now, state: &state)
        let nearest = state.nearest.similarity > -2 ? self.candidate(state.nearest, error: error) : nil
        return Candidates(hits: [], nearest: nearest, isNearestExact: self.basis == nil)
    }

    /// Scans all segments, raising the floor between them as better hits are found.
    private func hits(
        for query: UnsafePointer<ck_scan_query>, now: Int64, state: inout ck_scan_state, best: inout BestSoFar
    ) -> [ck_scan_hit] {
        var all: [ck_scan_hit] = []
        let room = min(self.count, Int(CK_SCAN_SEGMENT))
        withUnsafeTemporaryAllocation(of: ck_scan_hit.self, capacity: room) { hits in
            self.segments.withUnsafeBufferPointer { segments in
                for index in segments.indices {
                    let segment = segments.baseAddress! + index
                    let next = index + 1 < segments.count ? segment + 1 : nil
                    let found = ck_scan_segment_hits(
                        self.instructionSet, segment, next, UInt32(index) * UInt32(CK_SCAN_SEGMENT), query, best.floor,
                        now, &state, hits.baseAddress)
                    for hit in hits.prefix(Int(found)) {
                        best.add(hit.similarity - query.pointee.error)
                        all.append(hit)
                    }
                }
            }
        }
        return all
    }

    /// Reads the vectors of the entries with the greatest upper bounds, for want of a hit.
    private func visitPeaks(for query: UnsafePointer<ck_scan_query>, now: Int64, state: inout ck_scan_state) {
        let lanes = Int(CK_SCAN_PEAKS)
        let peaks = withUnsafeBytes(of: (state.peak_score, state.peak_slot)) { bytes in
            (0..<lanes).compactMap { lane in
                let score = bytes.load(fromByteOffset: 4 * lane, as: Int32.self)
                return score == .min ? nil : bytes.load(fromByteOffset: 4 * (lanes + lane), as: UInt32.self)
            }
        }
        for slot in peaks {
            let (segment, place) = Self.place(of: slot)
            guard self.segments[segment].expiry[place] > now else { continue }
            let similarity = withUnsafePointer(to: self.segments[segment]) {
                ck_scan_similarity(self.instructionSet, $0, UInt32(place), query)
            }
            guard similarity > state.nearest.similarity else { continue }
            state.nearest = ck_scan_hit(slot: slot, similarity: similarity)
        }
    }

    private func candidate(_ hit: ck_scan_hit, error: Float) -> Candidate {
        let (segment, place) = Self.place(of: hit.slot)
        let row = self.segments[segment].rows[place]
        return Candidate(id: self.id(at: hit.slot), row: row, similarity: hit.similarity, error: error)
    }
}

/// The similarity that an entry must be able to reach to matter: the threshold, or what `count` entries have for sure.
private struct BestSoFar {
    private(set) var floor: Float
    private let count: Int
    // The greatest lower bounds, least first; none kept where nothing is cut off.
    private var bounds: [Float] = []

    init(count: Int, threshold: Float) {
        self.floor = threshold
        self.count = count
    }

    mutating func add(_ bound: Float) {
        guard self.count < .max, self.bounds.count < self.count || bound > self.bounds[0] else { return }
        var low = 0, high = self.bounds.count
        while low < high {
            let middle = (low + high) / 2
            if self.bounds[middle] < bound { low = middle + 1 } else { high = middle }
        }
        self.bounds.insert(bound, at: low)
        if self.bounds.count > self.count { self.bounds.removeFirst() }
        if self.bounds.count == self.count { self.floor = max(self.floor, self.bounds[0]) }
    }
}
