// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts what callers did, and wakes who waits for it: tests wait for so many calls, never for a time.
final class Progress: Sendable {
    enum Kind: CaseIterable { case change, failedChange, read, failedRead }

    private struct Waiter {
        let kind: Kind
        let count: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var counts: [Kind: Int] = [:]
        var waiters: [Waiter] = []
        var isOver = false
    }

    private let state = Mutex(State())

    var isOver: Bool { self.state.withLock { $0.isOver } }

    func count(of kind: Kind) -> Int { self.state.withLock { $0.counts[kind, default: 0] } }

    func note(_ kind: Kind) {
        let ready = self.state.withLock { state in
            state.counts[kind, default: 0] += 1
            let count = state.counts[kind, default: 0]
            let ready = state.waiters.filter { $0.kind == kind && $0.count <= count }
            state.waiters.removeAll { $0.kind == kind && $0.count <= count }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// Waits for so many more.
    func next(_ count: Int, _ kind: Kind) async {
        await withCheckedContinuation { continuation in
            let isOver = self.state.withLock { state in
                let target = state.counts[kind, default: 0] + count
                if !state.isOver {
                    state.waiters.append(Waiter(kind: kind, count: target, continuation: continuation))
                }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
    }

    /// Has callers end.
    func end() {
        let waiters = self.state.withLock { state in
            state.isOver = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume() }
    }

    func begin() { self.state.withLock { $0.isOver = false } }
}
