// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import CacheEngine

@Suite struct FrequencyCacheTests {
    /// What a cache says of itself after a step.
    private struct Figures: Equatable {
        let count: Int
        let weight: Int
        let forgotten: UInt64
    }

    @Test(arguments: [1, 7, 40, 300, 5000])
    func `it keeps what a naive one keeps that does the same with arrays`(limit: Int) {
        var random = SeededGenerator(UInt64(limit))
        var cache = FrequencyCache<Int, Weighed>(limit: limit, weigh: { $0.weight })
        var oracle = NaiveFrequencyCache(limit: limit)
        for step in 0..<6000 {
            // A few keys often, many seldom; now and then one that is too heavy.
            let key = random.chance(0.5) ? random.int(0...15) : random.int(0...400)
            switch random.int(0...9) {
            case 0...4:
                #expect(cache.value(for: key) == oracle.value(for: key))
            case 5...8:
                // Many light ones for a while, then few heavy ones.
                let most = max(1, step / 500 % 2 == 0 ? limit / 200 : limit / 8)
                let weight = random.chance(0.01) ? random.int(1...2 * limit) : random.int(1...most)
                let value = Weighed(number: step, weight: weight)
                cache.insert(value, for: key)
                oracle.insert(value, for: key)
            default:
                if random.chance(0.01) {
                    cache.removeAll { $0.number.isMultiple(of: 3) }
                    oracle.removeAll { $0.number.isMultiple(of: 3) }
                }
                #expect(cache.remove(key) == oracle.remove(key))
            }
            let figures = Figures(count: cache.count, weight: cache.weight, forgotten: cache.forgotten)
            let expected = Figures(count: oracle.count, weight: oracle.weight, forgotten: oracle.forgotten)
            #expect(figures == expected)
            #expect(cache.weight <= limit && cache.nodeCount <= max(64, 4 * cache.count + 3))
            guard figures == expected else { return }
        }
        #expect(oracle.forgotten > 100)
    }

    @Test func `the weight stays within the limit and what is in use stays`() {
        var cache = FrequencyCache<Int, Int>(limit: 100, weigh: { $0 })
        cache.insert(5, for: -1)
        for key in 0..<1000 {
            cache.insert(1 + key % 7, for: key)
            #expect(cache.value(for: -1) == 5)
            #expect(cache.weight <= 100)
        }
        #expect(cache.value(for: 0) == nil)
        #expect(cache.value(for: 999) != nil)
    }

    @Test func `what is asked for once pushes out nothing that was used`() {
        var cache = FrequencyCache<Int, Int>(limit: 100, weigh: { _ in 1 })
        for key in 0..<60 { cache.insert(key, for: key) }
        for key in 0..<60 { #expect(cache.value(for: key) == key) }
        for key in 1000..<11_000 { cache.insert(key, for: key) }
        for key in 0..<60 { #expect(cache.value(for: key) == key) }
    }

    @Test func `what comes back soon after it went stays longer than what is new`() {
        var cache = FrequencyCache<Int, Int>(limit: 10, weigh: { _ in 1 })
        for key in 0..<12 { cache.insert(key, for: key) }
        #expect(cache.value(for: 0) == nil)
        cache.insert(0, for: 0)
        for key in 100..<109 { cache.insert(key, for: key) }
        #expect(cache.value(for: 11) == nil)
        #expect(cache.value(for: 0) == 0)
    }

    @Test func `a value that is too heavy is not taken, and ends the one before it`() {
        var cache = FrequencyCache<Int, Int>(limit: 10, weigh: { $0 })
        cache.insert(3, for: 1)
        cache.insert(4, for: 2)
        cache.insert(11, for: 1)
        #expect(cache.value(for: 1) == nil)
        #expect(cache.value(for: 2) == 4)
        #expect(cache.count == 1 && cache.weight == 4 && cache.forgotten == 0)
    }

    @Test func `a heavier value in the place of another makes room by others`() {
        var cache = FrequencyCache<Int, Int>(limit: 10, weigh: { $0 })
        for key in 0..<5 { cache.insert(2, for: key) }
        cache.insert(9, for: 0)
        #expect(cache.value(for: 0) == 9)
        #expect(cache.count == 1 && cache.weight == 9 && cache.forgotten == 4)
    }

    @Test func `it answers as a dictionary would, while nothing is forgotten`() {
        var random = SeededGenerator(7)
        var cache = FrequencyCache<Int, Int>(limit: .max, weigh: { _ in 1 })
        var oracle: [Int: Int] = [:]
        for _ in 0..<5000 {
            let key = Int.random(in: 0..<50, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0, 1:
                let value = Int.random(in: 0..<1000, using: &random)
                cache.insert(value, for: key)
                oracle[key] = value
            default:
                #expect(cache.remove(key) == oracle.removeValue(forKey: key))
            }
            #expect(cache.value(for: key) == oracle[key])
            #expect(cache.count == oracle.count && cache.weight == oracle.count)
        }
    }

    @Test func `keys of one hash are told apart`() {
        var cache = FrequencyCache<Clashing, Int>(limit: 60, weigh: { _ in 1 })
        for number in 0..<50 { cache.insert(number, for: Clashing(number: number)) }
        for number in stride(from: 0, to: 50, by: 2) { #expect(cache.remove(Clashing(number: number)) == number) }
        for number in 0..<50 {
            #expect(cache.value(for: Clashing(number: number)) == (number.isMultiple(of: 2) ? nil : number))
        }
    }

    private struct Clashing: Hashable {
        let number: Int
        func hash(into hasher: inout Hasher) {}
    }
}

@Suite struct HashPositionsTests {
    @Test func `they find what a set of pairs holds, whatever comes and goes`() {
        var random = SeededGenerator(3)
        var positions = HashPositions()
        var oracle: [UInt32: UInt64] = [:]
        for _ in 0..<20_000 {
            let position = UInt32(random.int(0...200))
            // Hashes that meet in few places, and some that differ only in the half that is not kept.
            let hash = oracle[position] ?? (random.next() & 0xf_0000_0007 | UInt64(random.int(0...1)) << 31)
            if oracle.removeValue(forKey: position) != nil {
                let removed = (positions.remove(hash, position), positions.remove(hash, position))
                #expect(removed == (true, false))
            } else {
                positions.insert(hash, position)
                oracle[position] = hash
            }
            #expect(positions.count == oracle.count)
            let (sought, kept) = oracle.randomElement(using: &random) ?? (0, 1)
            #expect(positions.first(kept, where: { $0 == sought }) == oracle[sought].map { _ in sought })
        }
    }
}
