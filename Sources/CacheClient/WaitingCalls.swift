// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Calls that wait for their turn: first come, first served, and any of them may leave the line.
struct WaitingCalls<Context> {
    private var calls: [UInt64: PendingCall<Context>] = [:]
    /// Has ids of calls that left, too; they are skipped when their turn comes.
    private var order = CircularBuffer<UInt64>()
    /// No call expires before it; it may be earlier than the first that does.
    private(set) var earliestDeadline = NIODeadline.distantFuture

    var count: Int { self.calls.count }
    var isEmpty: Bool { self.calls.isEmpty }

    mutating func append(_ call: PendingCall<Context>) {
        self.calls[call.id] = call
        self.order.append(call.id)
        self.earliestDeadline = min(self.earliestDeadline, call.deadline)
    }

    /// Puts calls that had their turn before at the head of the line, in their order.
    mutating func prepend(_ calls: [PendingCall<Context>]) {
        for call in calls.reversed() {
            self.calls[call.id] = call
            self.order.prepend(call.id)
            self.earliestDeadline = min(self.earliestDeadline, call.deadline)
        }
    }

    mutating func popFirst() -> PendingCall<Context>? {
        while let id = self.order.popFirst() {
            if let call = self.calls.removeValue(forKey: id) { return call }
        }
        return nil
    }

    mutating func remove(_ id: UInt64) -> PendingCall<Context>? {
        guard let call = self.calls.removeValue(forKey: id) else { return nil }
        self.forgetThoseThatLeft()
        return call
    }

    /// Takes out all, in order.
    mutating func removeAll() -> [PendingCall<Context>] {
        let all = self.order.compactMap { self.calls.removeValue(forKey: $0) }
        self.order.removeAll()
        self.earliestDeadline = .distantFuture
        return all
    }

    /// Takes out those whose deadline has come, in order.
    mutating func removeExpired(at now: NIODeadline) -> [PendingCall<Context>] {
        guard self.earliestDeadline <= now else { return [] }
        var expired: [PendingCall<Context>] = []
        self.earliestDeadline = .distantFuture
        for id in self.order {
            guard let call = self.calls[id] else { continue }
            if call.deadline <= now {
                expired.append(call)
                self.calls[id] = nil
            } else {
                self.earliestDeadline = min(self.earliestDeadline, call.deadline)
            }
        }
        self.forgetThoseThatLeft()
        return expired
    }

    /// Keeps the line as short as twice the calls in it, at a constant cost per call.
    private mutating func forgetThoseThatLeft() {
        guard self.order.count > 2 * self.calls.count + 64 else { return }
        var kept = CircularBuffer<UInt64>(initialCapacity: self.calls.count)
        for id in self.order where self.calls[id] != nil { kept.append(id) }
        self.order = kept
    }
}
