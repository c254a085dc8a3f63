// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// An unbounded queue between whatever produces and a test that waits.
package final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var waiters: [CheckedContinuation<Element?, Never>] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    package init() {}

    package func append(_ element: Element) {
        let waiter = self.state.withLock { state -> CheckedContinuation<Element?, Never>? in
            guard state.waiters.isEmpty else { return state.waiters.removeFirst() }
            state.elements.append(element)
            return nil
        }
        waiter?.resume(returning: element)
    }

    /// Ends the queue: what is in it can still be taken.
    package func close() {
        let waiters = self.state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: nil) }
    }

    /// Waits for the next element; `nil` at the end. A test's time limit ends what waits in vain.
    package func next() async -> Element? {
        await withCheckedContinuation { waiter in
            let outcome = self.state.withLock { state -> Element?? in
                if !state.elements.isEmpty { return .some(state.elements.removeFirst()) }
                if state.isClosed { return .some(nil) }
                state.waiters.append(waiter)
                return nil
            }
            if let outcome { waiter.resume(returning: outcome) }
        }
    }
}
