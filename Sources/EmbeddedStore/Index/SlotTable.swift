// SPDX-License-Identifier: Apache-2.0

/// Finds an entry's slot by its hash: open addressing over 4-byte slots, with the keys left where the entries are.
///
/// The callers' closures compare a slot's key, or hash it; so the table costs 4.6 to 9.2 bytes an entry.
struct SlotTable: ~Copyable {
    private static let empty = UInt32.max

    private var places: UnsafeMutableBufferPointer<UInt32>
    private(set) var count = 0

    init() {
        self.places = .allocate(capacity: 4)
        self.places.initialize(repeating: Self.empty)
    }

    deinit {
        self.places.deallocate()
    }

    /// Memory of the table.
    var bytes: Int { self.places.count * MemoryLayout<UInt32>.stride }

    func slot(hash: UInt, matching isMatch: (UInt32) -> Bool) -> UInt32? {
        var place = self.home(of: hash)
        while self.places[place] != Self.empty {
            if isMatch(self.places[place]) { return self.places[place] }
            place = self.after(place)
        }
        return nil
    }

    /// Adds a slot whose key is not in the table.
    mutating func insert(_ slot: UInt32, hash: UInt, hashOf: (UInt32) -> UInt) {
        if (self.count + 1) * 8 > self.places.count * 7 {
            self.resize(to: self.places.count * 2, hashOf: hashOf)
        }
        self.place(slot, hash: hash)
        self.count += 1
    }

    /// Makes the key of `old` lead to `new`.
    mutating func replace(_ old: UInt32, by new: UInt32, hash: UInt) {
        self.places[self.find(old, hash: hash)] = new
    }

    mutating func remove(_ slot: UInt32, hash: UInt, hashOf: (UInt32) -> UInt) {
        var hole = self.find(slot, hash: hash)
        var place = self.after(hole)
        // Pulls back what would no longer be found across the hole, so that no tombstones are needed.
        while self.places[place] != Self.empty {
            let home = self.home(of: hashOf(self.places[place]))
            if self.distance(from: home, to: place) >= self.distance(from: hole, to: place) {
                self.places[hole] = self.places[place]
                hole = place
            }
            place = self.after(place)
        }
        self.places[hole] = Self.empty
        self.count -= 1
        if self.places.count > 4 && self.count * 8 < self.places.count * 2 {
            self.resize(to: self.places.count / 2, hashOf: hashOf)
        }
    }

    private mutating func resize(to capacity: Int, hashOf: (UInt32) -> UInt) {
        let old = self.places
        self.places = .allocate(capacity: capacity)
        self.places.initialize(repeating: Self.empty)
        for slot in old where slot != Self.empty {
            self.place(slot, hash: hashOf(slot))
        }
        old.deallocate()
    }

    private func place(_ slot: UInt32, hash: UInt) {
        var place = self.home(of: hash)
        while self.places[place] != Self.empty { place = self.after(place) }
        self.places[place] = slot
    }

    private func find(_ slot: UInt32, hash: UInt) -> Int {
        var place = self.home(of: hash)
        while self.places[place] != slot {
            precondition(self.places[place] != Self.empty, "a slot is missing from its table")
            place = self.after(place)
        }
        return place
    }

    private func home(of hash: UInt) -> Int { Int(bitPattern: hash) & (self.places.count - 1) }

    private func after(_ place: Int) -> Int { (place + 1) & (self.places.count - 1) }

    private func distance(from: Int, to: Int) -> Int { (to - from) & (self.places.count - 1) }
}
