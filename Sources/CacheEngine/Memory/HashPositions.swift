// SPDX-License-Identifier: Apache-2.0

/// Finds by hash where something lies in storage that others keep: eight bytes a place, and nothing to follow.
///
/// Linear probing, at most two thirds full; a removal moves up what came after, so nothing is left behind that a search
/// would have to step over. It grows and does not shrink.
struct HashPositions {
    /// Largest position that can be kept.
    static let largest: UInt32 = (1 << 31) - 1
    /// Marks a place that is taken.
    private static let taken: UInt64 = 1 << 31

    /// The lower half of the hash, the mark and the position; 0 if free.
    private var places = [UInt64](repeating: 0, count: 8)
    private(set) var count = 0

    private var mask: Int { self.places.count - 1 }

    /// - Parameter isWanted: Told the positions of that hash, or of one whose lower half is the same.
    @inline(__always)
    func first(_ hash: UInt64, where isWanted: (UInt32) -> Bool) -> UInt32? {
        self.place(of: hash, where: isWanted).map { Self.position(self.places[$0]) }
    }

    /// - Parameter position: At most ``largest``; not there yet with that hash.
    mutating func insert(_ hash: UInt64, _ position: UInt32) {
        if (self.count + 1) * 3 > self.places.count * 2 { self.grow() }
        self.put(hash << 32 | Self.taken | UInt64(position))
        self.count += 1
    }

    /// - Returns: Whether it was there.
    @discardableResult
    mutating func remove(_ hash: UInt64, _ position: UInt32) -> Bool {
        guard var hole = self.place(of: hash, where: { $0 == position }) else { return false }
        var next = hole
        while true {
            next = (next + 1) & self.mask
            let held = self.places[next]
            if held == 0 { break }
            // It may go where the hole is unless a search for it begins behind that.
            let way = (next - Self.home(held)) & self.mask
            if way >= (next - hole) & self.mask {
                self.places[hole] = held
                hole = next
            }
        }
        self.places[hole] = 0
        self.count -= 1
        return true
    }

    @inline(__always)
    private func place(of hash: UInt64, where isWanted: (UInt32) -> Bool) -> Int? {
        let wanted = hash << 32 | Self.taken
        var place = Int(truncatingIfNeeded: hash) & self.mask
        while true {
            let held = self.places[place]
            if held == 0 { return nil }
            if held & ~UInt64(Self.largest) == wanted, isWanted(Self.position(held)) { return place }
            place = (place + 1) & self.mask
        }
    }

    private mutating func put(_ held: UInt64) {
        var place = Self.home(held) & self.mask
        while self.places[place] != 0 { place = (place + 1) & self.mask }
        self.places[place] = held
    }

    private mutating func grow() {
        let before = self.places
        self.places = [UInt64](repeating: 0, count: before.count * 2)
        for held in before where held != 0 { self.put(held) }
    }

    private static func home(_ held: UInt64) -> Int { Int(truncatingIfNeeded: held >> 32) }
    private static func position(_ held: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: held) & Self.largest }
}
