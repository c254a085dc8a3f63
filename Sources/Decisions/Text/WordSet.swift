// SPDX-License-Identifier: Apache-2.0

/// A set of places of words, up to ``Wording/maximumWords``, without a place in memory of its own.
struct WordSet: Sendable, Equatable {
    private var bits = SIMD4<UInt64>()

    static let none = WordSet()

    /// All places below a count.
    init(below count: Int) {
        for lane in 0..<4 {
            let rest = min(64, max(0, count - 64 * lane))
            bits[lane] = rest == 64 ? .max : (1 << UInt64(rest)) - 1
        }
    }

    private init() {}

    func contains(_ index: Int) -> Bool { bits[index >> 6] & 1 << UInt64(index & 63) != 0 }
    mutating func remove(_ index: Int) { bits[index >> 6] &= ~(1 << UInt64(index & 63)) }
    mutating func insert(_ index: Int) { bits[index >> 6] |= 1 << UInt64(index & 63) }

    var isEmpty: Bool { bits == SIMD4() }
    var count: Int { (0..<4).reduce(0) { $0 + bits[$1].nonzeroBitCount } }

    /// The first place from one on.
    func first(from start: Int) -> Int? {
        var lane = start >> 6
        guard lane < 4 else { return nil }
        var rest = bits[lane] & (.max << UInt64(start & 63))
        while rest == 0 {
            lane += 1
            guard lane < 4 else { return nil }
            rest = bits[lane]
        }
        return 64 * lane + rest.trailingZeroBitCount
    }

    func forEach(_ body: (Int) -> Void) {
        var next = first(from: 0)
        while let index = next {
            body(index)
            next = first(from: index + 1)
        }
    }

    func first(where matches: (Int) -> Bool) -> Int? {
        var next = first(from: 0)
        while let index = next {
            if matches(index) { return index }
            next = first(from: index + 1)
        }
        return nil
    }
}
