// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import TestSupport
import Testing

@Suite struct GenerationalCacheTests {
    @Test func `the weight stays within the limit and what is in use stays`() {
        var cache = GenerationalCache<Int, Int>(limit: 100, weigh: { $0 })
        cache.insert(5, for: -1)
        for key in 0..<1000 {
            cache.insert(1 + key % 7, for: key)
            #expect(cache.value(for: -1) == 5)
            #expect(cache.weight <= 100 + 7)
        }
        #expect(cache.value(for: 0) == nil)
        #expect(cache.value(for: 999) != nil)
    }

    @Test func `it answers as a dictionary would, while nothing is forgotten`() {
        var random = SeededGenerator(7)
        var cache = GenerationalCache<Int, Int>(limit: .max, weigh: { _ in 1 })
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
}
