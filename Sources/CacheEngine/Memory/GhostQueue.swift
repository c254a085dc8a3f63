// SPDX-License-Identifier: Apache-2.0

import DequeModule

/// Remembers which values went lately, by the hash of their key alone, first in first out.
///
/// Two keys of one hash are taken for each other: then a value is let in that need not be.
struct GhostQueue {
    private var hashes = Deque<UInt64>()
    /// Numbers of those in the queue that have not come back; the others only wait to leave.
    private var numbers = HashPositions()
    /// Number of the oldest; they begin again after ``HashPositions/largest``.
    private var oldest: UInt32 = 0

    /// - Parameter limit: How many are remembered after it, at least 1.
    mutating func insert(_ hash: UInt64, limit: Int) {
        self.numbers.insert(hash, self.number(of: self.hashes.count))
        self.hashes.append(hash)
        while self.hashes.count > limit, let first = self.hashes.popFirst() {
            self.numbers.remove(first, self.oldest)
            self.oldest = self.number(of: 1)
        }
    }

    /// - Returns: Whether it was remembered.
    mutating func remove(_ hash: UInt64) -> Bool {
        let found = self.numbers.first(hash) { number in
            self.hashes[Int((number &- self.oldest) & HashPositions.largest)] == hash
        }
        guard let found else { return false }
        return self.numbers.remove(hash, found)
    }

    private func number(of index: Int) -> UInt32 {
        (self.oldest &+ UInt32(truncatingIfNeeded: index)) & HashPositions.largest
    }
}
