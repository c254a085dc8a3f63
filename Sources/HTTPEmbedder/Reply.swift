// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import Synchronization

/// Tells a caller once: the vectors, or at the deadline that there are none, whatever the provider does.
final class Reply: Sendable {
    private struct State {
        var completion: (@Sendable (EmbeddingResults) -> Void)?
        var timer: Scheduled<Void>?
    }

    private let state: Mutex<State>
    private let eventLoop: any EventLoop
    private let count: Int

    init(
        count: Int, by deadline: ContinuousClock.Instant, on eventLoop: any EventLoop,
        completion: @escaping @Sendable (EmbeddingResults) -> Void
    ) {
        self.count = count
        self.eventLoop = eventLoop
        self.state = Mutex(State(completion: completion))
        let left = TimeAmount(max(.zero, deadline - .now))
        let timer = eventLoop.scheduleTask(in: left) { self.fail(.late) }
        // It may have fired already.
        let isTold = self.state.withLock { state in
            if state.completion != nil { state.timer = timer }
            return state.completion == nil
        }
        if isTold { timer.cancel() }
    }

    func complete(_ results: EmbeddingResults) {
        let (completion, timer) = self.state.withLock { state in (state.completion.take(), state.timer.take()) }
        timer?.cancel()
        completion?(results)
    }

    func fail(_ error: EmbedderError) {
        self.complete(EmbeddingResults(.failure(error), texts: self.count))
    }

    /// Not on the stack of whoever asks: on being told it may ask again, and again.
    func failSoon(_ error: EmbedderError) { self.eventLoop.execute { self.fail(error) } }
}

extension EmbedderError {
    static let late = Self(.deadlineExceeded, "the deadline passed before the provider answered")
    static let cancelled = Self(.cancelled, "the embedder is stopping")
    static let leftAlone = Self(.unavailable, "the provider has failed and is left alone for a while")
    static let refusing = Self(.refused, "the provider has refused and is left alone for a while")
    static let limited = Self(.overloaded, "the provider's rate limit allows no request before the deadline")
}
