// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Which entries of a cache to read.
package struct ScanQuery: Sendable {
    /// Names the cache and the model: what was stored with another is passed over, as requests do not find it either. It
    /// is the partition without vary parts and context, by which one is known that was written without a note of them.
    package let plain: Partition
    /// Entries that it does not take are passed over.
    package let filter: MetadataFilter?
    package let position: ScanPosition?
    /// 1…``Limits/maximumExportPage``.
    package let count: Int

    package init(plain: Partition, filter: MetadataFilter?, position: ScanPosition?, count: Int) {
        self.plain = plain
        self.filter = filter
        self.position = position
        self.count = count
    }
}

/// How far a scan has come: everything up to an entry, by the digests of partitions and then by the ids.
package struct ScanPosition: Sendable, Equatable {
    package let partition: Digest
    package let id: EntryID

    package init(partition: Digest, id: EntryID) {
        self.partition = partition
        self.id = id
    }

    package init(endOf partition: Digest) {
        self.init(partition: partition, id: EntryID(high: .max, low: .max))
    }
}

package struct ScanPage: Sendable {
    /// At most as many as asked for, and their ``ExportedEntry/replyBytes`` at most ``Limits/maximumExportPageBytes``
    /// together unless it is one. May be empty though there are more.
    package let entries: [ExportedEntry]
    /// `nil` if there are no more.
    package let next: ScanPosition?

    package init(entries: [ExportedEntry], next: ScanPosition?) {
        self.entries = entries
        self.next = next
    }
}
