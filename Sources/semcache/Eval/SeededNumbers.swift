// SPDX-License-Identifier: Apache-2.0

/// SplitMix64: the same numbers for the same seed, everywhere, so that what was played can be played again.
struct SeededNumbers: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed }

    /// For one of many things that are drawn for, whatever the sequence in which they are.
    init(_ seed: UInt64, of position: Int) {
        var mixer = Self(seed ^ (UInt64(truncatingIfNeeded: position) &* 0xd134_2543_de82_ef95))
        self.state = mixer.next()
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// - Parameter count: At least 1.
    /// - Returns: A number from 0 up to it. Not the library's, whose way may change.
    mutating func number(below count: Int) -> Int { Int(self.next().multipliedFullWidth(by: UInt64(count)).high) }

    mutating func chance(_ probability: Double) -> Bool { Double(self.next() >> 11) * 0x1p-53 < probability }

    /// The numbers of a range in an order of their own (Fisher and Yates).
    mutating func order(of range: Range<Int>) -> [Int] {
        var order = Array(range)
        for position in stride(from: order.count - 1, to: 0, by: -1) {
            order.swapAt(position, self.number(below: position + 1))
        }
        return order
    }
}
