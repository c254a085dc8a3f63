// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Synchronization

/// Notes of entries that were served, to be written together: a lookup does not wait for them.
final class TouchBuffer: Sendable {
    struct Use: Sendable, Hashable {
        let id: EntryID
        let partition: PartitionKeys
    }

    private struct Notes {
        var times: [Use: (Timestamp, Int)] = [:]
        var count = 0
    }

    private let notes = Mutex(Notes())

    func note(_ id: EntryID, in partition: PartitionKeys, at now: Timestamp) {
        self.notes.withLock { notes in
            // More in a second than anyone sees to; what is lost only makes an entry look a little less valuable.
            guard notes.times.count < Limits.redisTouches else { return }
            notes.count += 1
            notes.times[Use(id: id, partition: partition)] = (now, notes.count)
        }
    }

    /// Takes all notes, in their order.
    func take() -> [(use: Use, time: Timestamp)] {
        let times = self.notes.withLock { notes in
            defer { notes.times = [:] }
            return notes.times
        }
        return times.sorted { $0.value.1 < $1.value.1 }.map { ($0.key, $0.value.0) }
    }
}
