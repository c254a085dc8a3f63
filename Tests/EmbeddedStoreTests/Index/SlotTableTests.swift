// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EmbeddedStore

@Suite struct SlotTableTests {
    @Test(arguments: [UInt.max, 7, 0])
    func `a table equals a dictionary however its hashes collide`(mask: UInt) {
        // Slot s holds key s; the hash is the key scrambled, cut down to `mask`.
        func hash(_ slot: UInt32) -> UInt { (UInt(slot) &* 0x9e37_79b9_7f4a_7c15 >> 20) & mask }
        var table = SlotTable()
        var present: Set<UInt32> = []
        var generator = SeededGenerator(seed: 17)
        for step in 0..<4_000 {
            let slot = UInt32.random(in: 0..<200, using: &generator)
            // Fills and empties in turns, so that the table also shrinks.
            let isRemoval = Int.random(in: 0..<10, using: &generator) < (step / 500 % 2 == 0 ? 2 : 8)
            if isRemoval && present.remove(slot) != nil {
                table.remove(slot, hash: hash(slot), hashOf: hash)
            } else if !isRemoval && present.insert(slot).inserted {
                table.insert(slot, hash: hash(slot), hashOf: hash)
            }
            let probe = UInt32.random(in: 0..<200, using: &generator)
            let found = table.slot(hash: hash(probe)) { $0 == probe }
            #expect((found != nil) == present.contains(probe))
            #expect(table.count == present.count)
        }
        for slot in present { table.remove(slot, hash: hash(slot), hashOf: hash) }
        #expect(table.count == 0 && table.bytes <= 32)
    }

    @Test func `a slot is replaced under its hash`() {
        var table = SlotTable()
        table.insert(1, hash: 5) { _ in 5 }
        table.insert(2, hash: 5) { _ in 5 }
        table.replace(1, by: 9, hash: 5)
        let slots = [table.slot(hash: 5) { $0 == 9 }, table.slot(hash: 5) { $0 == 2 }, table.slot(hash: 5) { $0 == 1 }]
        #expect(slots == [9, 2, nil])
    }
}
