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
    ///   - filter: What it does not take is no hit and keeps nothing else from being one.
    ///   - createdAtOrAfter: Likewise of entries created before.
    ///   - neighbours: How many of the nearest that both take to find too, whatever their similarity; with any, more
    ///     entries' vectors are read.
    /// - Complexity: Reads 32 bytes of every entry, and more of those that cannot be ruled out by them.
    package func candidates(
        for query: [Float], threshold: Float, count: Int, now: Timestamp, filter: MetadataFilter? = nil,
        createdAtOrAfter oldest: Timestamp? = nil, neighbours: Int = 0
    ) -> Candidates {
        precondition(query.count == self.dimensions, "a query of another dimension")
        precondition(count > 0, "a scan for nothing")
        var prepared = self.prepare(query)
        return withUnsafePointer(to: &prepared) { prepared in
            let error = prepared.pointee.error
            var sieve = Sieve(
                filter: filter.map { ListFilter($0, lists: self.lists) }, oldest: oldest?.milliseconds ?? .min,
                hits: Nearest(count: count, threshold: threshold, error: error),
                refused: Nearest(count: 1, threshold: threshold, error: error),
                tooOld: Nearest(count: 1, threshold: threshold, error: error),
                // From below any similarity.
                neighbours: neighbours == 0 ? nil : Nearest(count: neighbours, threshold: -2, error: error))
            return self.scan(for: prepared, &sieve, now: now.milliseconds)
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

    private func scan(for query: UnsafePointer<ck_scan_query>, _ sieve: inout Sieve, now: Int64) -> Candidates {
        var state = ck_scan_state()
        ck_scan_state_make(&state)
        self.scanSegments(for: query, now: now, state: &state, &sieve)
        func candidates(_ nearest: Nearest) -> [Candidate] {
            nearest.ranked.map { self.candidate($0, error: nearest.error) }
        }
        let (hits, refused, tooOld) = (candidates(sieve.hits), candidates(sieve.refused), candidates(sieve.tooOld))
        let near = sieve.neighbours?.ranked.map { self.near($0) } ?? []
        let seen = hits.prefix(1) + refused.prefix(1) + tooOld.prefix(1)
        if let nearest = seen.max(by: { $0.similarity < $1.similarity }) {
            return Candidates(
                hits: hits, refused: refused, tooOld: tooOld, nearest: nearest, isNearestExact: true, neighbours: near)
        }
        // Whoever looks for neighbours has read the vector of the nearest: no floor is ever above it.
        let isExact = self.basis == nil || sieve.neighbours != nil
        if !isExact { self.visitPeaks(for: query, now: now, state: &state) }
        let nearest = state.nearest.similarity > -2 ? self.candidate(state.nearest, error: sieve.hits.error) : nil
        return Candidates(
            hits: [], refused: [], tooOld: [], nearest: nearest, isNearestExact: isExact, neighbours: near)
    }

    /// Scans all segments, raising the floor between them as better hits are found.
    private func scanSegments(
        for query: UnsafePointer<ck_scan_query>, now: Int64, state: inout ck_scan_state, _ sieve: inout Sieve
    ) {
        let room = min(self.count, Int(CK_SCAN_SEGMENT))
        withUnsafeTemporaryAllocation(of: ck_scan_hit.self, capacity: room) { hits in
            self.segments.withUnsafeBufferPointer { segments in
                for index in segments.indices {
                    let segment = segments.baseAddress! + index
                    let next = index + 1 < segments.count ? segment + 1 : nil
                    let base = UInt32(index) * UInt32(CK_SCAN_SEGMENT)
                    var parts = Parts(of: segment, isWhole: sieve.neighbours == nil, after: base)
                    while var part = parts.next() {
                        let found = ck_scan_segment_hits(
                            self.instructionSet, &part.segment, parts.isDone ? next : nil, base + part.start, query,
                            sieve.floor, now, &state, hits.baseAddress)
                        for hit in hits.prefix(Int(found)) { sieve.add(hit, of: segment, place: Int(hit.slot - base)) }
                    }
                }
            }
        }
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

    private func near(_ hit: ck_scan_hit) -> Near {
        let (index, place) = Self.place(of: hit.slot)
        let segment = self.segments[index]
        return Near(
            id: self.id(at: hit.slot), row: segment.rows[place], similarity: hit.similarity,
            createdAt: Timestamp(milliseconds: segment.created[place]),
            cluster: AnswerCluster(high: segment.clusters[2 * place], low: segment.clusters[2 * place + 1]))
    }

    private func candidate(_ hit: ck_scan_hit, error: Float) -> Candidate {
        let (segment, place) = Self.place(of: hit.slot)
        let row = self.segments[segment].rows[place]
        return Candidate(id: self.id(at: hit.slot), row: row, similarity: hit.similarity, error: error)
    }
}

/// Of what a scan lets through, those that may be among the nearest.
private struct Nearest {
    /// How far a similarity may be off.
    let error: Float
    private(set) var best: BestSoFar
    private var hits: [ck_scan_hit] = []

    init(count: Int, threshold: Float, error: Float) {
        self.error = error
        self.best = BestSoFar(count: count, threshold: threshold)
    }

    mutating func add(_ hit: ck_scan_hit) {
        guard hit.similarity >= self.best.floor - self.error else { return }
        self.best.add(hit.similarity - self.error)
        self.hits.append(hit)
    }

    /// By similarity, without those that better ones have ruled out since.
    var ranked: [ck_scan_hit] {
        let least = self.best.floor - self.error
        return self.hits.filter { $0.similarity >= least }.sorted { $0.similarity > $1.similarity }
    }
}

/// A segment, whole or piece by piece: the floor of those who want the nearest, whatever their similarity, rises only from
/// one piece to the next, and starts where nothing can be ruled out. So the first pieces are small.
private struct Parts {
    private let whole: ck_scan_segment
    private let isWhole: Bool
    private var start: UInt32 = 0
    private var size: UInt32

    /// - Parameter base: How many entries lie in segments before.
    init(of segment: UnsafePointer<ck_scan_segment>, isWhole: Bool, after base: UInt32) {
        self.whole = segment.pointee  // the planes' addresses, not the planes
        self.isWhole = isWhole
        self.size = base == 0 ? 256 : 4096
    }

    var isDone: Bool { self.start >= self.whole.count }

    /// - Returns: The next piece and its first place.
    mutating func next() -> (segment: ck_scan_segment, start: UInt32)? {
        if self.isDone { return nil }
        let first = self.start
        self.start = self.isWhole ? self.whole.count : min(self.whole.count, first + self.size)
        self.size = min(2 * self.size, 4096)
        var part = self.whole
        let skipped = Int(first)
        part.count = self.start - first
        part.lead = part.lead.map { $0 + skipped * Int(CK_SCAN_LEAD_BYTES) }
        part.lines = part.lines.map { $0 + skipped * Int(CK_SCAN_LINE_BYTES) }
        part.vectors = part.vectors + skipped * Int(part.stride)
        part.expiry = part.expiry + skipped
        return (part, first)
    }
}

/// Parts what a scan lets through into hits and what filter and age refuse, before a hit may raise the floor for others.
private struct Sieve {
    private var filter: ListFilter?
    /// When an entry must have been created, ms.
    private let oldest: Int64
    private(set) var hits: Nearest
    // Of what is refused, only the nearest explains a miss.
    private(set) var refused: Nearest
    private(set) var tooOld: Nearest
    private(set) var neighbours: Nearest?

    init(filter: ListFilter?, oldest: Int64, hits: Nearest, refused: Nearest, tooOld: Nearest, neighbours: Nearest?) {
        self.filter = filter
        self.oldest = oldest
        self.hits = hits
        self.refused = refused
        self.tooOld = tooOld
        self.neighbours = neighbours
    }

    /// What is surely less similar matters for nothing.
    var floor: Float { min(self.hits.best.floor, self.neighbours?.best.floor ?? self.hits.best.floor) }

    mutating func add(_ hit: ck_scan_hit, of segment: UnsafePointer<ck_scan_segment>, place: Int) {
        guard self.filter?.takes(segment.pointee.lists[place]) ?? true else { return self.refused.add(hit) }
        guard segment.pointee.created[place] >= self.oldest else { return self.tooOld.add(hit) }
        self.neighbours?.add(hit)
        self.hits.add(hit)
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
