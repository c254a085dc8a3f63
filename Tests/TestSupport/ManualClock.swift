// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Synchronization

/// A wall clock that stands still until it is moved.
package final class ManualClock: Sendable {
    private let milliseconds: Atomic<Int64>

    package init(_ milliseconds: Int64 = 1_700_000_000_000) { self.milliseconds = Atomic(milliseconds) }

    package var now: Timestamp {
        get { Timestamp(milliseconds: self.milliseconds.load(ordering: .sequentiallyConsistent)) }
        set { self.milliseconds.store(newValue.milliseconds, ordering: .sequentiallyConsistent) }
    }

    package func advance(by duration: Duration) {
        self.milliseconds.add(duration.wholeMilliseconds, ordering: .sequentiallyConsistent)
    }

    /// For the engine's `clock`.
    package var read: @Sendable () -> Timestamp { { self.now } }
}
