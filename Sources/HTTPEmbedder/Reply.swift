// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import NIOCore
import Synchronization

/// Tells a caller once: what it asked for, or at the deadline that there is nothing, whatever the provider does.
final class Reply<Value: Sendable>: Sendable {
    private struct State {
        var completion: (@Sendable (Value) -> Void)?
        var timer: Scheduled<Void>?
    }

    private let state: Mutex<State>
    private let eventLoop: any EventLoop

    /// - Parameter late: What is told at the deadline.
    init(
        by deadline: ContinuousClock.Instant, on eventLoop: any EventLoop, whenLate late: Value,
        completion: @escaping @Sendable (Value) -> Void
    ) {
        self.eventLoop = eventLoop
        self.state = Mutex(State(completion: completion))
        let left = TimeAmount(max(.zero, deadline - .now))
        let timer = eventLoop.scheduleTask(in: left) { _ = self.complete(late) }
        // It may have fired already.
        let isTold = self.state.withLock { state in
            if state.completion != nil { state.timer = timer }
            return state.completion == nil
        }
        if isTold { timer.cancel() }
    }

    /// - Returns: Whether the caller had not been told before.
    @discardableResult func complete(_ value: Value) -> Bool {
        let (completion, timer) = self.state.withLock { state in (state.completion.take(), state.timer.take()) }
        timer?.cancel()
        completion?(value)
        return completion != nil
    }

    /// Not on the stack of whoever asks: on being told it may ask again, and again.
    func completeSoon(_ value: Value) { self.eventLoop.execute { self.complete(value) } }
}

extension EmbedderError {
    static let late = Self(.deadlineExceeded, "the deadline passed before the provider answered")
    static let cancelled = Self(.cancelled, "the embedder is stopping")
    static let leftAlone = Self(.unavailable, "the provider has failed and is left alone for a while")
    static let refusing = Self(.refused, "the provider has refused and is left alone for a while")
    static let limited = Self(.overloaded, "the provider's rate limit allows no request before the deadline")
}
