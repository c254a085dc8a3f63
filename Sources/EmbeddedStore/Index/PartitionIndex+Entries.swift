// SPDX-License-Identifier: Apache-2.0
import CKernels
package import CacheModel

/// What an index knows of its entries apart from their vectors.
extension PartitionIndex {
    /// An entry by its place, 0 to `count` − 1. A place has another entry after a removal.
    package struct Occupant: Equatable, Sendable {
        package let row: Int64
        package let expiresAt: Timestamp
        /// Seconds since the Unix epoch.
        package let lastUse: UInt32
    }

    package func occupant(_ position: Int) -> Occupant {
        precondition((0..<self.count).contains(position), "a place that nothing has")
        let (index, place) = Self.place(of: UInt32(position))
        let segment = self.segments[index]
        return Occupant(
            row: segment.rows[place], expiresAt: Timestamp(milliseconds: segment.expiry[place]),
            lastUse: ck_scan_last_use(segment.uses + place))
    }

    /// Notes that an entry was used, if it is there.
    ///
    /// Only reads as far as the caller's lock is concerned: several threads may note uses at once.
    package func noteUse(_ id: EntryID, at now: Timestamp) {
        guard let slot = self.slot(of: id) else { return }
        let (index, place) = Self.place(of: slot)
        let use = self.segments[index].uses + place
        let time = now.useTime
        // Once a second is enough: a line of memory that all threads write would go from core to core.
        if ck_scan_last_use(use) != time { ck_scan_note_use(use, time) }
    }

    /// The rows of all entries that a filter takes, expired ones too.
    package func rows(takenBy filter: MetadataFilter) -> [Int64] {
        var filter = ListFilter(filter, lists: self.lists)
        var rows: [Int64] = []
        for segment in self.segments {
            for place in 0..<Int(segment.count) where filter.takes(segment.lists[place]) {
                rows.append(segment.rows[place])
            }
        }
        return rows
    }
}

extension Timestamp {
    /// Seconds since the Unix epoch, as the time of a use is kept: until 2106.
    var useTime: UInt32 { UInt32(clamping: self.milliseconds / 1000) }
}
