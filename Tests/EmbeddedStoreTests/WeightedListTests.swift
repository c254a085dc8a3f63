// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import EmbeddedStore

@Suite struct WeightedListTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `every position finds the element that a walk over all weights finds`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var list = WeightedList<Int>()
        var weights: [(element: Int, handle: Int, weight: Int)] = []
        for round in 0..<600 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3: weights.append((round, list.add(round), 0))
            case 3 where !weights.isEmpty:
                list.remove(weights.remove(at: Int.random(in: 0..<weights.count, using: &random)).handle)
            case 4... where !weights.isEmpty:
                let position = Int.random(in: 0..<weights.count, using: &random)
                weights[position].weight = Int.random(in: 0...4, using: &random)
                list.weigh(weights[position].handle, weights[position].weight)
            default: break
            }
            #expect(list.total == weights.reduce(0) { $0 + $1.weight })
            #expect(Set(list.elements) == Set(weights.map(\.element)))
            guard round % 50 == 0 else { continue }
            var found: [Int: Int] = [:]
            for position in 0..<list.total {
                guard let (element, offset) = list.find(position) else { continue }
                #expect(offset == found[element, default: 0])
                found[element, default: 0] += 1
            }
            #expect(
                found == Dictionary(uniqueKeysWithValues: weights.map { ($0.element, $0.weight) }.filter { $0.1 > 0 }))
        }
        #expect(list.find(list.total) == nil && list.find(-1) == nil)
    }
}
