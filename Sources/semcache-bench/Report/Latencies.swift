// SPDX-License-Identifier: Apache-2.0

import Histogram

/// A distribution of times in nanoseconds, three digits exact.
struct Latencies {
    private var histogram = Histogram<UInt64>(
        highestTrackableValue: 120_000_000_000, numberOfSignificantValueDigits: .three)

    mutating func record(_ nanoseconds: UInt64) {
        self.histogram.record(min(nanoseconds, 120_000_000_000))
    }

    mutating func add(_ other: Self) { self.histogram.add(other.histogram) }

    var count: Int { Int(self.histogram.totalCount) }
    var p50: Double { self.percentile(50) }
    var p99: Double { self.percentile(99) }
    var maximum: Double { Double(self.histogram.max) }

    /// - Parameter percentile: 0…100.
    func percentile(_ percentile: Double) -> Double { Double(self.histogram.valueAtPercentile(percentile)) }
}
