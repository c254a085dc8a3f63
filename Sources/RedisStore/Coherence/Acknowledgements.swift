// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Which replicas have heard of which of our changes, for those who wait for it.
final class Acknowledgements: Sendable {
    private struct Expected {
        var heard: Set<ReplicaID> = []
        /// Who must have, once that is known.
        var missing: Set<ReplicaID>?
        var waiter: CheckedContinuation<Void, Never>?
        var isGivenUp = false

        var isComplete: Bool { self.missing.map(\.isEmpty) ?? false }
    }

    private let changes = Mutex<[ChangeID: Expected]>([:])

    /// To be called before the change is sent: what is heard before is not kept. ``forget(_:)`` must follow.
    func expect(_ change: ChangeID) { self.changes.withLock { $0[change] = Expected() } }

    func forget(_ change: ChangeID) {
        let waiter = self.changes.withLock { $0.removeValue(forKey: change)?.waiter }
        waiter?.resume()
    }

    func heard(_ acknowledgement: Acknowledgement) {
        let waiter = self.changes.withLock { changes -> CheckedContinuation<Void, Never>? in
            guard var expected = changes[acknowledgement.change] else { return nil }
            // More than there are replicas would be somebody's mischief.
            if expected.missing == nil { expected.heard.insert(acknowledgement.replica) }
            expected.missing?.remove(acknowledgement.replica)
            defer { changes[acknowledgement.change] = expected }
            guard expected.isComplete else { return nil }
            return expected.waiter.take()
        }
        waiter?.resume()
    }

    /// Waits until all of them have heard of a change, but not beyond a time or a cancellation.
    ///
    /// - Returns: Those that have not.
    func wait(
        for change: ChangeID, from replicas: Set<ReplicaID>, until end: ContinuousClock.Instant
    ) async -> Set<ReplicaID> {
        let isComplete = self.changes.withLock { changes in
            guard var expected = changes[change] else { return true }
            expected.missing = replicas.subtracting(expected.heard)
            changes[change] = expected
            return expected.isComplete
        }
        if !isComplete {
            await withDiscardingTaskGroup { tasks in
                tasks.addTask {
                    try? await Task.sleep(until: end, tolerance: .zero, clock: .continuous)
                    self.giveUp(change)
                }
                await self.waitToBeResumed(change)
                tasks.cancelAll()
            }
        }
        return self.changes.withLock { $0[change]?.missing ?? [] }
    }

    private func waitToBeResumed(_ change: ChangeID) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = self.changes.withLock { changes in
                    guard let expected = changes[change], !expected.isComplete, !expected.isGivenUp else { return true }
                    changes[change]?.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            self.giveUp(change)
        }
    }

    private func giveUp(_ change: ChangeID) {
        let waiter = self.changes.withLock { changes in
            changes[change]?.isGivenUp = true
            return changes[change]?.waiter.take()
        }
        waiter?.resume()
    }
}
