// SPDX-License-Identifier: Apache-2.0

import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Where lines of the log go: whole, one after the other. Where writing does not block, a reader that is slow is waited
/// for once; as long as it takes nothing after that, lines are dropped and counted.
package final class LogSink: Sendable {
    package static let standardError = LogSink(descriptor: STDERR_FILENO)

    private struct State {
        /// Nobody took the last line in time.
        var isStuck = false
        /// Only a part of the last line was written: the next one must not go on where it ended.
        var isPartial = false
    }

    private let descriptor: Int32
    private let state = Mutex(State())
    private let dropped = Atomic<UInt64>(0)

    /// - Parameter descriptor: of an open file, which stays the caller's.
    package init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Lines, or their ends, that were lost since nobody took them.
    package var droppedLines: UInt64 { self.dropped.load(ordering: .relaxed) }

    /// The lock keeps a line in one piece where one write does not: a pipe takes 4 KiB at once for certain.
    func write(_ line: [UInt8]) {
        let isWhole = self.state.withLock { state in
            let bytes = state.isPartial ? [UInt8(ascii: "\n")] + line : line
            let written = bytes.withUnsafeBytes { self.write($0, patience: state.isStuck ? 0 : 1) }
            state.isStuck = written < bytes.count
            if written > 0 { state.isPartial = written < bytes.count }
            return written == bytes.count
        }
        if !isWhole { self.dropped.wrappingAdd(1, ordering: .relaxed) }
    }

    /// - Parameter patience: how often it waits.
    /// - Returns: how many bytes were taken.
    private func write(_ bytes: UnsafeRawBufferPointer, patience: Int) -> Int {
        var (written, patience) = (0, patience)
        while written < bytes.count {
            let count = Self.write(self.descriptor, UnsafeRawBufferPointer(rebasing: bytes[written...]))
            if count > 0 {
                written += count
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN, patience > 0, self.waitUntilWritable() {
                patience -= 1
            } else {
                break
            }
        }
        return written
    }

    private static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        #else
        Darwin.write(descriptor, bytes.baseAddress, bytes.count)
        #endif
    }

    private func waitUntilWritable() -> Bool {
        var waiting = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&waiting, 1, TelemetryLimits.logWriteMilliseconds) > 0 && waiting.revents & Int16(POLLOUT) != 0
    }
}
