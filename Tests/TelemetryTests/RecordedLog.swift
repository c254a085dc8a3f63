// SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization

/// A log that remembers what was said.
final class RecordedLog: Sendable {
    private let recorded = Mutex<[String]>([])

    var messages: [String] { self.recorded.withLock { $0 } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self) }
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.log.recorded.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }
}
