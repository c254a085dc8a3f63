// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

@Suite struct TokenBucketTests {
    /// What a bucket does, with fractions: tokens that are added over time, up to its size.
    private struct Oracle {
        var tokens: Double
        var last: Timestamp

        mutating func take(rate: Double, burst: Int, at now: Timestamp) -> Bool {
            let gone = Double((now - self.last).wholeMilliseconds) / 1000
            self.tokens = min(Double(burst), self.tokens + gone * rate)
            self.last = now
            guard self.tokens >= 1 - 1e-6 else { return false }
            self.tokens -= 1
            return true
        }
    }

    @Test func `a burst is let through, then the rate, and the wait is right`() {
        let bucket = TokenBucket()
        var now = Timestamp(milliseconds: 1_700_000_000_000)
        for _ in 0..<5 { #expect(bucket.take(rate: 10, burst: 5, at: now) == nil) }
        #expect(bucket.take(rate: 10, burst: 5, at: now) == .milliseconds(100))
        now = now + .milliseconds(99)
        #expect(bucket.take(rate: 10, burst: 5, at: now) == .milliseconds(1))
        now = now + .milliseconds(1)
        #expect(bucket.take(rate: 10, burst: 5, at: now) == nil)
        #expect(bucket.take(rate: 10, burst: 5, at: now) == .milliseconds(100))
    }

    @Test func `it decides as a bucket with tokens does`() {
        var generator = SeededGenerator(7)
        for _ in 0..<50 {
            let rate = Double([1, 3, 10, 250, 1000].randomElement(using: &generator)!)
            let burst = Int.random(in: 1...20, using: &generator)
            let bucket = TokenBucket()
            var now = Timestamp(milliseconds: 1_700_000_000_000)
            var oracle = Oracle(tokens: Double(burst), last: now)
            for _ in 0..<400 {
                now = now + .milliseconds(Int64.random(in: 0...Int64(2000 / rate) + 1, using: &generator))
                let isTaken = bucket.take(rate: rate, burst: burst, at: now) == nil
                #expect(isTaken == oracle.take(rate: rate, burst: burst, at: now))
            }
        }
    }

    @Test func `a clock that is set back costs at most a bucket's worth`() {
        let bucket = TokenBucket()
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        for _ in 0..<4 { #expect(bucket.take(rate: 2, burst: 4, at: now) == nil) }
        let back = now + .seconds(-86_400)
        let wait = bucket.take(rate: 2, burst: 4, at: back)
        #expect(wait != nil && wait! <= .milliseconds(500))
        #expect(bucket.take(rate: 2, burst: 4, at: back + .seconds(2)) == nil)
    }

    @Test func `many takers at once get what one would`() async {
        let bucket = TokenBucket()
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        let taken = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<1000).count { _ in bucket.take(rate: 1, burst: 777, at: now) == nil } }
            }
            return await group.reduce(0, +)
        }
        #expect(taken == 777)
    }
}
