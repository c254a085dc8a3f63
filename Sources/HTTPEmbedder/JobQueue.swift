// SPDX-License-Identifier: Apache-2.0

import DequeModule
import Synchronization

/// Hands what callers want over to the tasks of whoever runs; as many as may be under way, and no more.
final class JobQueue<Job: Sendable>: Sendable {
    enum Appended { case taken, full, closed }

    private struct State {
        var jobs = Deque<Job>()
        /// Appended, and not finished.
        var underWay = 0
        var waiter: CheckedContinuation<Job?, Never>?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func append(_ job: Job) -> Appended {
        let (appended, waiter) = self.state.withLock { state -> (Appended, CheckedContinuation<Job?, Never>?) in
            guard !state.isClosed else { return (.closed, nil) }
            guard state.underWay < self.limit else { return (.full, nil) }
            state.underWay += 1
            guard let waiter = state.waiter.take() else {
                state.jobs.append(job)
                return (.taken, nil)
            }
            return (.taken, waiter)
        }
        waiter?.resume(returning: job)
        return appended
    }

    /// Waits for the next job; one caller at a time.
    ///
    /// - Returns: `nil` once the task is cancelled.
    func next() async -> Job? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let outcome = self.state.withLock { state -> Job?? in
                    if state.isClosed || Task.isCancelled { return .some(nil) }
                    if let job = state.jobs.popFirst() { return job }
                    state.waiter = waiter
                    return nil
                }
                if let outcome { waiter.resume(returning: outcome) }
            }
        } onCancel: {
            self.state.withLock { $0.waiter.take() }?.resume(returning: nil)
        }
    }

    /// A job that was taken is done, and makes room for another.
    func finish() { self.state.withLock { $0.underWay -= 1 } }

    /// - Returns: Jobs that nobody will take.
    func close() -> [Job] {
        self.state.withLock { state in
            state.isClosed = true
            defer { state.jobs = [] }
            return Array(state.jobs)
        }
    }
}
