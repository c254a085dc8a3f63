// SPDX-License-Identifier: Apache-2.0

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// Text with all that escaping is about: quotes, controls, separators, marks that combine, planes above the first.
    mutating func text(maximumCount: Int = 40) -> String {
        let ranges: [ClosedRange<UInt32>] = [
            0x00...0x1F, 0x20...0x7E, 0x22...0x22, 0x5C...0x5C, 0x0A...0x0A, 0x7F...0x9F, 0x300...0x36F,
            0x2028...0x2029,
            0xE000...0xFFFF, 0x1F600...0x1F64F, 0x10FFFE...0x10FFFF,
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0...maximumCount, using: &self) {
            let value = UInt32.random(in: ranges.randomElement(using: &self)!, using: &self)
            text.unicodeScalars.append(Unicode.Scalar(value)!)
        }
        return text
    }
}
