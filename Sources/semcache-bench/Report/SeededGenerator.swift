// SPDX-License-Identifier: Apache-2.0

import Foundation

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// Uniform in 0..<1.
    mutating func uniform() -> Float { Float(self.next() >> 40) * 0x1p-24 }

    /// Two independent numbers of mean 0 and variance 1.
    mutating func gaussianPair() -> (Float, Float) {
        let radius = (-2 * logf(1 - self.uniform())).squareRoot()
        let angle = 2 * Float.pi * self.uniform()
        return (radius * cosf(angle), radius * sinf(angle))
    }
}
