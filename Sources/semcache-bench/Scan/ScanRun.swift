// SPDX-License-Identifier: Apache-2.0

import CKernels
import CacheModel
import EmbeddedStore

extension VectorSet {
    private static let never = Timestamp(milliseconds: .max)

    /// Puts all entries in, each under its position as row.
    func makeIndex() -> PartitionIndex {
        let index = PartitionIndex(dimensions: self.dimensions)
        for position in 0..<self.count {
            let id = EntryID(high: UInt64(position) &* 0x9e37_79b9_7f4a_7c15, low: UInt64(position))
            index.put(id, row: Int64(position), expiresAt: Self.never, vector: Array(self.entry(position)))
            index.refreshBasis()
        }
        return index
    }
}

/// Searches of one threshold.
struct ScanRun {
    struct Times {
        var latencies = Latencies()
        var hits = 0
        var candidates = 0
    }

    /// Answers that are not the oracle's.
    struct Differences {
        /// Pairs of a query and an entry that reach the threshold.
        var pairs = 0
        /// Queries for which another set of entries reaches the threshold.
        var sets = 0
        /// Queries for which the best is another one.
        var best = 0
        /// Queries for which the ten best are others.
        var topTen = 0
    }

    /// An entry that was found.
    struct Match: Equatable {
        let entry: Int
        let similarity: Float

        /// Best first; of equals the one stored first.
        func precedes(_ other: Self) -> Bool {
            self.similarity != other.similarity ? self.similarity > other.similarity : self.entry < other.entry
        }
    }

    let index: PartitionIndex
    let set: VectorSet
    let threshold: Float
    let neighbours: Int

    private static let now = Timestamp(milliseconds: 1_700_000_000_000)
    private static let instructions = ck_isa_best()

    func time() -> Times {
        var times = Times()
        // The first searches fill the caches.
        for query in 0..<min(20, self.set.queryCount) { keep(self.search(self.set.query(query), count: 1)) }
        for position in 0..<self.set.queryCount {
            let query = self.set.query(position)
            let start = Machine.now
            let (matches, candidates) = self.search(query, count: 1)
            times.latencies.record(Machine.now - start)
            times.hits += matches.isEmpty ? 0 : 1
            times.candidates += candidates
        }
        return times
    }

    func differences(from oracle: Oracle) -> Differences {
        var differences = Differences()
        for position in 0..<self.set.queryCount {
            let expected = oracle.matches(position, atLeast: self.threshold)
            let query = self.set.query(position)
            differences.pairs += expected.count
            if self.search(query, count: .max).matches != expected { differences.sets += 1 }
            // Of equally similar ones any may be taken.
            if self.search(query, count: 1).matches.map(\.similarity) != expected.prefix(1).map(\.similarity) {
                differences.best += 1
            }
            if self.search(query, count: 10).matches.map(\.similarity) != expected.prefix(10).map(\.similarity) {
                differences.topTen += 1
            }
        }
        return differences
    }

    /// Scans, and decides in fp32 as the store does.
    private func search(_ query: [Float], count: Int) -> (matches: [Match], candidates: Int) {
        let found = self.index.candidates(
            for: query, threshold: self.threshold, count: count, now: Self.now,
            neighbours: self.neighbours)
        var matches: [Match] = []
        self.set.withEntries { entries in
            for hit in found.hits {
                let entry = entries + Int(hit.row) * self.set.dimensions
                let similarity = ck_dot_f32(Self.instructions, query, entry, self.set.dimensions)
                guard similarity >= self.threshold else { continue }
                matches.append(Match(entry: Int(hit.row), similarity: similarity))
            }
        }
        matches.sort { $0.precedes($1) }
        return (Array(matches.prefix(count)), found.hits.count)
    }
}

/// What comparing every query with every entry gives.
struct Oracle {
    static let checkedPairs = 10_000
    /// Entries that stay in the second-level cache while all queries pass over them.
    private static let block = 256

    /// Per query, best first.
    private let found: [[ScanRun.Match]]
    /// How far the fp32 dot product was from one in double precision at most.
    let largestError: Double

    /// - Parameter above: The least similarity that will be asked for.
    init(_ set: VectorSet, above least: Float) {
        let instructions = ck_isa_best()
        let queries = (0..<set.queryCount).map { set.query($0) }
        var found: [[ScanRun.Match]] = Array(repeating: [], count: queries.count)
        set.withEntries { entries in
            for start in stride(from: 0, to: set.count, by: Self.block) {
                for (position, query) in queries.enumerated() {
                    for entry in start..<min(start + Self.block, set.count) {
                        let similarity = ck_dot_f32(
                            instructions, query, entries + entry * set.dimensions, set.dimensions)
                        if similarity >= least {
                            found[position].append(ScanRun.Match(entry: entry, similarity: similarity))
                        }
                    }
                }
            }
        }
        self.found = found.map { $0.sorted { $0.precedes($1) } }
        var largest = 0.0
        for pair in 0..<Self.checkedPairs {
            let query = queries[pair % queries.count]
            let entry = Array(set.entry(pair &* 7919 % set.count))
            let exact = zip(query, entry).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            largest = max(largest, abs(exact - Double(ck_dot_f32(instructions, query, entry, query.count))))
        }
        self.largestError = largest
    }

    func matches(_ query: Int, atLeast threshold: Float) -> [ScanRun.Match] {
        Array(self.found[query].prefix { $0.similarity >= threshold })
    }
}
