// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// When to look whether calls have their answers. All wait for the same time, so they are due in the order in which they
/// came.
struct HedgeQueue {
    private var calls = CircularBuffer<(id: UInt64, due: NIODeadline)>()

    var nextDue: NIODeadline? { self.calls.first?.due }
    var count: Int { self.calls.count }

    mutating func append(_ id: UInt64, due: NIODeadline) { self.calls.append((id, due)) }

    mutating func popDue(at now: NIODeadline) -> UInt64? {
        guard let first = self.calls.first, first.due <= now else { return nil }
        self.calls.removeFirst()
        return first.id
    }

    /// Takes out those at the head that have their answers: then no timer is set for nothing.
    mutating func dropHead(while isAnswered: (UInt64) -> Bool) {
        while let first = self.calls.first, isAnswered(first.id) { self.calls.removeFirst() }
    }

    /// Keeps the queue as short as about twice the calls that have no answer, at a constant cost per call.
    mutating func forget(moreThan live: Int, unless isLive: (UInt64) -> Bool) {
        guard self.calls.count > 2 * live + 64 else { return }
        var kept = CircularBuffer<(id: UInt64, due: NIODeadline)>(initialCapacity: live)
        for call in self.calls where isLive(call.id) { kept.append(call) }
        self.calls = kept
    }
}
