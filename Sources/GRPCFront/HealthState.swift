// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Whether the service takes calls, and who wants to be told when that changes.
package final class HealthState: Sendable {
    private struct State {
        var isServing: Bool
        var watchers: [UInt64: AsyncStream<Bool>.Continuation] = [:]
        var lastWatcher: UInt64 = 0
    }

    private let state: Mutex<State>

    package init(isServing: Bool = false) { self.state = Mutex(State(isServing: isServing)) }

    /// May be set at any time, from anywhere; watchers are told if it is another value than before.
    package var isServing: Bool {
        get { self.state.withLock { $0.isServing } }
        set {
            // Yielding does not run the watcher, it only wakes it.
            self.state.withLock { state in
                guard state.isServing != newValue else { return }
                state.isServing = newValue
                for watcher in state.watchers.values { watcher.yield(newValue) }
            }
        }
    }

    /// The value now, and each that it takes from then on; a slow reader sees the last one only.
    func watch() -> (values: AsyncStream<Bool>, end: @Sendable () -> Void) {
        let (values, watcher) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
        let id = self.state.withLock { state in
            state.lastWatcher += 1
            state.watchers[state.lastWatcher] = watcher
            watcher.yield(state.isServing)
            return state.lastWatcher
        }
        watcher.onTermination = { _ in _ = self.state.withLock { $0.watchers.removeValue(forKey: id) } }
        return (values, { watcher.finish() })
    }
}
