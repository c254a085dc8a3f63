// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Synchronization

/// Bounds how often a line is written that others cause: so many in an interval, and the first of the next one says how
/// many were left out.
final class LogRation: Sendable {
    enum Action: Equatable {
        /// - leftOut: Lines that were not written since the last one that was.
        case write(leftOut: Int)
        case leaveOut
    }

    private struct Interval {
        var end: ContinuousClock.Instant
        var rest: Int
        var leftOut = 0
    }

    private let lines: Int
    private let length: Duration
    private let interval: Mutex<Interval?> = Mutex(nil)

    init(lines: Int, per length: Duration = Limits.refusalLinesInterval) {
        self.lines = lines
        self.length = length
    }

    func take(at now: ContinuousClock.Instant) -> Action {
        self.interval.withLock { interval in
            var leftOut = 0
            if interval.map({ now >= $0.end }) ?? true {
                leftOut = interval?.leftOut ?? 0
                interval = Interval(end: now + self.length, rest: self.lines)
            }
            guard let rest = interval?.rest, rest > 0 else {
                interval?.leftOut += 1
                return .leaveOut
            }
            interval?.rest = rest - 1
            return .write(leftOut: leftOut)
        }
    }
}
