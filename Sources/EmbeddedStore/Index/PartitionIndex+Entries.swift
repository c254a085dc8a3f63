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

    /// Puts an entry into a cluster, if it is there.
    package func assign(_ cluster: AnswerCluster, to id: EntryID) {
        guard let slot = self.slot(of: id) else { return }
        let (index, place) = Self.place(of: slot)
        self.segments[index].clusters[2 * place] = cluster.high
        self.segments[index].clusters[2 * place + 1] = cluster.low
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

    /// Entries that follow each other by their ids.
    package struct Stretch: Equatable, Sendable {
        /// Those that the filter takes, in order.
        package let taken: [EntryID]
        /// How many were looked at; fewer than asked for if there are no more.
        package let count: Int
        /// The last one that was looked at.
        package let last: EntryID?
    }

    /// Looks at the live entries that come after an id, in the order of ids: the first ones.
    ///
    /// - Parameter limit: How many; at least 1.
    /// - Complexity: One look at each id, much less than a scan of the vectors.
    package func stretch(
        after id: EntryID?, atMost limit: Int, at now: Timestamp, filter: MetadataFilter?
    ) -> Stretch {
        typealias Found = (id: EntryID, list: UInt32)
        var found: [Found] = []
        // Of the `limit` that come first so far, the last.
        var bound: EntryID?
        func cut() {
            found.sort { $0.id.precedes($1.id) }
            if found.count >= limit {
                found.removeLast(found.count - limit)
                bound = found.last?.id
            }
        }
        for segment in self.segments {
            for place in 0..<Int(segment.count) {
                let next = EntryID(high: segment.ids[2 * place], low: segment.ids[2 * place + 1])
                if let id, !id.precedes(next) { continue }
                if let bound, !next.precedes(bound) { continue }
                guard segment.expiry[place] > now.milliseconds else { continue }
                found.append((next, segment.lists[place]))
                if found.count == 2 * limit { cut() }
            }
        }
        cut()
        let last = found.last?.id, count = found.count
        if let filter {
            var filter = ListFilter(filter, lists: self.lists)
            found.removeAll { !filter.takes($0.list) }
        }
        return Stretch(taken: found.map(\.id), count: count, last: last)
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

extension EntryID {
    fileprivate func precedes(_ other: Self) -> Bool { (self.high, self.low) < (other.high, other.low) }
}

extension Timestamp {
    /// Seconds since the Unix epoch, as the time of a use is kept: until 2106.
    var useTime: UInt32 { UInt32(clamping: self.milliseconds / 1000) }
}
