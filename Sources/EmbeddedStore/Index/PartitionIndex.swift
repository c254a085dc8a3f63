// SPDX-License-Identifier: Apache-2.0
package import CKernels
package import CacheModel

/// The vectors of one partition in memory, searched exactly.
///
/// Entries live in segments of at most 16,384, which start small and grow, so a small partition costs little and a big
/// one is never copied whole. The last entry fills the place of a removed one, so all segments but the last are full.
/// About 937 bytes an entry at 384 dimensions, and each distinct list of attributes once.
///
/// Nothing here locks. Whoever owns the index keeps a reader-writer lock around it: `candidates`, `contains`,
/// `noteUse`, `learnBasis` and the counts only read, and may run on many threads at once; everything else writes.
package final class PartitionIndex {
    package static let maximumDimensions = Int(CK_SCAN_MAXIMUM_DIMENSION)

    package let dimensions: Int
    package private(set) var count = 0
    package internal(set) var basis: LeadingBasis?

    let instructionSet: ck_isa
    var segments: [ck_scan_segment] = []
    let lists = AttributeLists()
    private var table = SlotTable()
    /// The most that quantisation has taken from any vector put in.
    private(set) var entryError: Float = 0
    // So that nobody can choose entry ids that collide.
    private let hashSeed = UInt64.random(in: .min ... .max)

    /// - Parameters:
    ///   - dimensions: 1 to ``maximumDimensions``.
    ///   - instructionSet: One that this machine supports; all give the same answers.
    package init(dimensions: Int, instructionSet: ck_isa = ck_isa_best()) {
        precondition(
            (1...Self.maximumDimensions).contains(dimensions), "more or fewer dimensions than a vector may have")
        self.dimensions = dimensions
        self.instructionSet = instructionSet
    }

    deinit {
        for index in self.segments.indices { ck_scan_segment_free(&self.segments[index]) }
    }

    /// Adds an entry, or replaces the one with the same id.
    ///
    /// - Parameters:
    ///   - row: Comes back with the entry as a candidate.
    ///   - expiresAt: From when on the entry is no longer found.
    ///   - usedAt: When it was last used.
    ///   - createdAt, cluster: Come back with the entry as a neighbour.
    ///   - attributes: By ``AttributesText/canonical(_:)``.
    ///   - vector: Of unit length and of the index's dimensions.
    /// - Returns: Whether the id is new.
    @discardableResult
    package func put(
        _ id: EntryID, row: Int64, expiresAt: Timestamp, usedAt: Timestamp = Timestamp(milliseconds: 0),
        createdAt: Timestamp = Timestamp(milliseconds: 0), cluster: AnswerCluster = AnswerCluster(high: 0, low: 0),
        attributes: [UInt8] = [], vector: [Float]
    ) -> Bool {
        precondition(vector.count == self.dimensions, "a vector of another dimension")
        let hash = self.hash(id.high, id.low)
        let list = self.lists.add(attributes)
        if let slot = self.slot(of: id, hash: hash) {
            let (segment, place) = Self.place(of: slot)
            self.lists.remove(self.segments[segment].lists[place])
            self.segments[segment].lists[place] = list
            ck_scan_note_use(self.segments[segment].uses + place, usedAt.useTime)
            self.write(vector, row: row, expiresAt: expiresAt, to: slot)
            self.write(cluster, createdAt: createdAt, to: slot)
            return false
        }
        let slot = UInt32(self.count)
        let (segment, place) = self.makeRoom()
        self.segments[segment].ids[2 * place] = id.high
        self.segments[segment].ids[2 * place + 1] = id.low
        self.segments[segment].lists[place] = list
        ck_scan_note_use(self.segments[segment].uses + place, usedAt.useTime)
        self.segments[segment].count += 1
        self.count += 1
        self.write(vector, row: row, expiresAt: expiresAt, to: slot)
        self.write(cluster, createdAt: createdAt, to: slot)
        self.table.insert(slot, hash: hash) { self.hash(at: $0) }
        return true
    }

    /// Changes what is kept beside an entry's vector.
    ///
    /// - Returns: Whether there is such an entry.
    @discardableResult
    package func update(_ id: EntryID, row: Int64, expiresAt: Timestamp) -> Bool {
        guard let slot = self.slot(of: id) else { return false }
        let (segment, place) = Self.place(of: slot)
        self.segments[segment].rows[place] = row
        self.segments[segment].expiry[place] = expiresAt.milliseconds
        return true
    }

    /// - Returns: Whether there was such an entry.
    @discardableResult
    package func remove(_ id: EntryID) -> Bool {
        let hash = self.hash(id.high, id.low)
        guard let slot = self.slot(of: id, hash: hash) else { return false }
        let last = UInt32(self.count - 1)
        let (to, toPlace) = Self.place(of: slot)
        self.table.remove(slot, hash: hash) { self.hash(at: $0) }
        self.lists.remove(self.segments[to].lists[toPlace])
        if slot != last {
            self.table.replace(last, by: slot, hash: self.hash(at: last))
            let (from, fromPlace) = Self.place(of: last)
            var source = self.segments[from]  // the planes' addresses, not the planes
            ck_scan_segment_copy(&self.segments[to], UInt32(toPlace), &source, UInt32(fromPlace))
        }
        self.count -= 1
        self.segments[self.segments.count - 1].count -= 1
        self.giveBackRoom()
        return true
    }

    /// Removes every entry and forgets the basis.
    package func removeAll() {
        for index in self.segments.indices { ck_scan_segment_free(&self.segments[index]) }
        self.segments = []
        self.lists.removeAll()
        self.table = SlotTable()
        self.basis = nil
        self.count = 0
        self.entryError = 0
    }

    /// Whether the entry is there, expired or not.
    package func contains(_ id: EntryID) -> Bool { self.slot(of: id) != nil }

    /// All memory of the index.
    package var bytes: Int {
        var planes = 0
        for segment in self.segments {
            planes += withUnsafePointer(to: segment) { ck_scan_segment_bytes($0) }
        }
        let frame = MemoryLayout<ck_scan_segment>.stride * self.segments.capacity + 256
        return planes + self.table.bytes + self.lists.bytes + frame + (self.basis?.bytes ?? 0)
    }

    static func place(of slot: UInt32) -> (segment: Int, place: Int) {
        (Int(slot) / Int(CK_SCAN_SEGMENT), Int(slot) % Int(CK_SCAN_SEGMENT))
    }

    func id(at slot: UInt32) -> EntryID {
        let (segment, place) = Self.place(of: slot)
        let ids = self.segments[segment].ids!
        return EntryID(high: ids[2 * place], low: ids[2 * place + 1])
    }

    func slot(of id: EntryID) -> UInt32? { self.slot(of: id, hash: self.hash(id.high, id.low)) }

    private func slot(of id: EntryID, hash: UInt) -> UInt32? {
        self.table.slot(hash: hash) { slot in
            let (segment, place) = Self.place(of: slot)
            let ids = self.segments[segment].ids!
            return ids[2 * place] == id.high && ids[2 * place + 1] == id.low
        }
    }

    private func hash(at slot: UInt32) -> UInt {
        let (segment, place) = Self.place(of: slot)
        let ids = self.segments[segment].ids!
        return self.hash(ids[2 * place], ids[2 * place + 1])
    }

    private func hash(_ high: UInt64, _ low: UInt64) -> UInt {
        let product = (high ^ self.hashSeed).multipliedFullWidth(by: low | 1)
        let mixed = (product.high ^ product.low ^ low) &* 0x9e37_79b9_7f4a_7c15
        return UInt(truncatingIfNeeded: mixed >> 24)
    }

    private func write(_ vector: [Float], row: Int64, expiresAt: Timestamp, to slot: UInt32) {
        let square = ck_dot_f32(self.instructionSet, vector, vector, vector.count)
        precondition(square <= CK_SCAN_MAXIMUM_NORM * CK_SCAN_MAXIMUM_NORM, "a vector that is not of unit length")
        let (segment, place) = Self.place(of: slot)
        let error = ck_scan_put(self.instructionSet, &self.segments[segment], UInt32(place), vector)
        self.entryError = max(self.entryError, error)
        self.segments[segment].rows[place] = row
        self.segments[segment].expiry[place] = expiresAt.milliseconds
        if let basis = self.basis {
            ck_scan_encode(self.instructionSet, &self.segments[segment], UInt32(place), 1, basis.pointer)
        }
    }

    private func write(_ cluster: AnswerCluster, createdAt: Timestamp, to slot: UInt32) {
        let (segment, place) = Self.place(of: slot)
        self.segments[segment].created[place] = createdAt.milliseconds
        self.segments[segment].clusters[2 * place] = cluster.high
        self.segments[segment].clusters[2 * place + 1] = cluster.low
    }

    /// Finds the place after the last entry, growing or adding a segment where there is none.
    private func makeRoom() -> (segment: Int, place: Int) {
        let full = UInt32(CK_SCAN_SEGMENT)
        guard let last = self.segments.last, last.count < full else {
            let capacity = self.segments.isEmpty ? 4 : self.leastLaterCapacity
            var segment = ck_scan_segment()
            let isMade = ck_scan_segment_make(&segment, UInt32(self.dimensions), capacity)
            precondition(isMade != 0, "out of memory")
            self.segments.append(segment)
            return (self.segments.count - 1, 0)
        }
        let index = self.segments.count - 1
        if last.count == last.capacity {
            // Doubles while it is small; later a quarter, so that little lies idle.
            let grown = last.capacity < UInt32(CK_SCAN_LEAD_SEGMENT) ? last.capacity * 2 : last.capacity / 4 * 5
            let isGrown = ck_scan_segment_resize(&self.segments[index], min(Self.wholeBlocks(grown), full))
            precondition(isGrown != 0, "out of memory")
        }
        return (index, Int(last.count))
    }

    /// Frees an empty last segment and shrinks one that is three quarters empty; a partition that has become small
    /// loses its basis.
    private func giveBackRoom() {
        let index = self.segments.count - 1, last = self.segments[index]
        if last.count == 0 {
            ck_scan_segment_free(&self.segments[index])
            self.segments.removeLast()
        } else if last.count * 4 <= last.capacity && last.capacity > 4 {
            let leastFirst = self.basis == nil ? 4 : UInt32(CK_SCAN_LEAD_SEGMENT)
            let least = index == 0 ? leastFirst : self.leastLaterCapacity
            let shrunk = max(least, Self.wholeBlocks(last.count * 2))
            if shrunk < last.capacity {
                // Without memory for the smaller copy the larger stays.
                _ = ck_scan_segment_resize(&self.segments[index], shrunk)
            }
        }
        if self.count < Int(CK_SCAN_LEAD_SEGMENT) / 4 { self.basis = nil }
        if self.count == 0 { self.entryError = 0 }
    }

    /// What a segment after the first starts with: a quarter of what there is, so that a big partition adds whole
    /// segments and copies nothing.
    private var leastLaterCapacity: UInt32 {
        let quarter = UInt32(min(self.count / 4, Int(CK_SCAN_SEGMENT)))
        return max(Self.wholeBlocks(quarter), UInt32(CK_SCAN_LEAD_SEGMENT))
    }

    private static func wholeBlocks(_ capacity: UInt32) -> UInt32 {
        let block = UInt32(CK_SCAN_BLOCK)
        return capacity < block ? capacity : (capacity + block - 1) / block * block
    }
}
