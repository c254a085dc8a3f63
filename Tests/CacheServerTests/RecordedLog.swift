// SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization
import TestSupport

/// What a server logs at the level that services have by default, one line after the other.
final class RecordedLog: Sendable {
    private let all = Mutex<[String]>([])
    private let news = Mailbox<String>()

    var logger: Logger { Logger(label: "test") { _ in Recorder(log: self) } }

    /// All lines so far that have a text in them.
    func lines(with text: String) -> [String] { self.all.withLock { $0.filter { $0.contains(text) } } }

    /// Waits for the next line that has a text in it.
    func next(with text: String) async -> String {
        while let line = await self.news.next() {
            if line.contains(text) { return line }
        }
        return ""
    }

    fileprivate func append(_ line: String) {
        self.all.withLock { $0.append(line) }
        self.news.append(line)
    }
}

private struct Recorder: LogHandler {
    let log: RecordedLog
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        self.log.append(([event.message.description] + details).joined(separator: " "))
    }
}
