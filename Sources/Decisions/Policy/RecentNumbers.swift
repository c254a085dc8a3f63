// SPDX-License-Identifier: Apache-2.0

/// The last of many numbers.
struct RecentNumbers: Sendable {
    /// How many are kept.
    let limit: Int
    /// In no order.
    private(set) var all: [Float] = []
    /// Where the oldest is, once all places are taken.
    private var oldest = 0

    init(limit: Int) { self.limit = limit }

    var isFull: Bool { self.all.count == self.limit }

    /// The oldest first.
    var inOrder: [Float] { Array(self.all[self.oldest...] + self.all[..<self.oldest]) }

    mutating func append(_ number: Float) {
        guard self.isFull else { return self.all.append(number) }
        self.all[self.oldest] = number
        self.oldest = (self.oldest + 1) % self.limit
    }

    /// Forgets all but the latest.
    mutating func keep(latest count: Int) { (self.all, self.oldest) = (self.inOrder.suffix(count), 0) }
}
