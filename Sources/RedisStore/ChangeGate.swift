// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import DequeModule
import Synchronization

/// Lets few puts at a time go to Redis, in the order of their arrival.
///
/// Redis makes one change after the other, a put in about a millisecond; what it has been sent waits there, and lookups
/// wait behind it. A few keep it busy; the rest wait here.
final class ChangeGate: Sendable {
    private struct State {
        var free: Int
        var arrivals: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<VectorStoreError?, Never>] = [:]
        /// Of those that wait, and of some that have given up.
        var order: Deque<UInt64> = []
        /// Cancelled before they waited.
        var cancelled: Set<UInt64> = []
    }

    private let state: Mutex<State>

    init(width: Int) { self.state = Mutex(State(free: width)) }

    /// Does something once it is its turn.
    ///
    /// - Throws: ``VectorStoreError``, `.overloaded` if too many wait already, `.unavailable` for a task that was cancelled.
    func passing<Value: Sendable>(
        _ body: () async -> Value
    ) async throws(VectorStoreError) -> Value {
        try await self.enter()
        defer { self.leave() }
        return await body()
    }

    private func enter() async throws(VectorStoreError) {
        let number = self.state.withLock { state in
            state.arrivals += 1
            return state.arrivals
        }
        let refusal: VectorStoreError? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: VectorStoreError?? = self.state.withLock { state in
                    if state.cancelled.remove(number) != nil { return .some(Self.cancelled) }
                    if state.free > 0 {
                        state.free -= 1
                        return .some(nil)
                    }
                    guard state.waiting.count < Limits.storeQueue else { return .some(Self.overloaded) }
                    state.waiting[number] = continuation
                    state.order.append(number)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let continuation = self.state.withLock { state -> CheckedContinuation<VectorStoreError?, Never>? in
                if let waiting = state.waiting.removeValue(forKey: number) { return waiting }
                state.cancelled.insert(number)
                return nil
            }
            continuation?.resume(returning: Self.cancelled)
        }
        self.state.withLock { state in _ = state.cancelled.remove(number) }
        if let refusal { throw refusal }
    }

    private func leave() {
        let next = self.state.withLock { state -> CheckedContinuation<VectorStoreError?, Never>? in
            while let number = state.order.popFirst() {
                if let waiting = state.waiting.removeValue(forKey: number) { return waiting }
            }
            state.free += 1
            return nil
        }
        next?.resume(returning: nil)
    }

    private static let overloaded = VectorStoreError(.overloaded, "too many changes wait for Redis")
    private static let cancelled = VectorStoreError(.unavailable, "the call was given up")
}
