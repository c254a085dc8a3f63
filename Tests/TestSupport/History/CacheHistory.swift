// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What the clients of a cache did and saw.
package struct CacheHistory: Sendable {
    /// Which entries an Invalidate was for, all of its tenant.
    package enum Target: Sendable, Hashable {
        case prompts([String])
        case tag(String)
        case everything
    }

    package enum Action: Sendable, Hashable {
        /// - answer: `nil` for a miss.
        case lookup(answer: String?)
        /// - value: Stored by nobody else, and never again.
        case store(value: String, prompt: String, tags: [String])
        case invalidate(Target)
    }

    package struct Operation: Sendable, Hashable {
        package let tenant: String
        package let action: Action
        /// When it was called, in nanoseconds of one monotonic clock.
        package let start: Int64
        /// When it was acknowledged; `nil` if it was not, so that it may have happened, may yet happen, or never will.
        package let end: Int64?

        package init(_ tenant: String, _ action: Action, start: Int64, end: Int64?) {
            self.tenant = tenant
            self.action = action
            self.start = start
            self.end = end
        }
    }

    package var operations: [Operation]

    package init(_ operations: [Operation] = []) { self.operations = operations }
}

/// Takes down what many clients do at the same time.
package final class HistoryRecorder: Sendable {
    /// Of what no checker sees.
    package struct Figures: Sendable {
        package var hits = 0
        package var hitsFromMemory = 0
        package var misses = 0
        package var stores = 0
        package var invalidations = 0
        /// Calls without an answer; of Lookups also degraded ones.
        package var failures = 0
        /// What some of the failures said.
        package var reasons: Set<String> = []
    }

    private struct State {
        var history = CacheHistory()
        var figures = Figures()
    }

    private static let reasonsKept = 10
    private let origin = ContinuousClock.now
    private let state = Mutex(State())

    package init() {}

    /// Nanoseconds since this recorder was made.
    package var now: Int64 {
        let (seconds, attoseconds) = (ContinuousClock.now - self.origin).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    package var history: CacheHistory { self.state.withLock { $0.history } }
    package var figures: Figures { self.state.withLock { $0.figures } }

    func record(_ tenant: String, answer: HistoryAnswer?, start: Int64) {
        let operation = CacheHistory.Operation(
            tenant, .lookup(answer: answer?.value), start: start, end: self.now)
        self.state.withLock { state in
            state.history.operations.append(operation)
            if let answer {
                state.figures.hits += 1
                state.figures.hitsFromMemory += answer.isFromMemory ? 1 : 0
            } else {
                state.figures.misses += 1
            }
        }
    }

    /// - Parameter isAcknowledged: Whether it is over, and was done.
    func record(_ tenant: String, _ action: CacheHistory.Action, start: Int64, isAcknowledged: Bool) {
        let end = isAcknowledged ? self.now : nil
        self.state.withLock { state in
            state.history.operations.append(.init(tenant, action, start: start, end: end))
            switch action {
            case .store where isAcknowledged: state.figures.stores += 1
            case .invalidate where isAcknowledged: state.figures.invalidations += 1
            default: break
            }
        }
    }

    func countFailure(_ error: any Error) {
        self.state.withLock { state in
            state.figures.failures += 1
            if state.figures.reasons.count < Self.reasonsKept { state.figures.reasons.insert("\(error)") }
        }
    }
}
