// SPDX-License-Identifier: Apache-2.0

package import Logging
import Synchronization

/// Keeps what is logged, and lets a test wait for it.
package final class RecordedLog: Sendable {
    private struct Entry {
        let message: String
        let line: String
    }

    private let all = Mutex<[String]>([])
    private let news = Mailbox<Entry>()
    private let level: Logger.Level

    package init(level: Logger.Level = .trace) { self.level = level }

    package var logger: Logger { Logger(label: "test") { _ in Recorder(log: self, logLevel: self.level) } }

    /// All lines so far: level, message, metadata in the order of their keys, and the error.
    package var lines: [String] { self.all.withLock { $0 } }

    /// All lines so far that have a text in them.
    package func lines(with text: String) -> [String] { self.lines.filter { $0.contains(text) } }

    /// Waits for the next message that was not waited for before.
    package func nextMessage() async -> String? { await self.news.next()?.message }

    /// Waits for the next line that has a text in it.
    package func next(with text: String) async -> String {
        while let entry = await self.news.next() {
            if entry.line.contains(text) { return entry.line }
        }
        return ""
    }

    fileprivate func append(_ event: LogEvent, _ metadata: Logger.Metadata) {
        let details = metadata.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let error = event.error.map { ["\($0)"] } ?? []
        let line = (["\(event.level)", "\(event.message)"] + details + error).joined(separator: " ")
        self.all.withLock { $0.append(line) }
        self.news.append(Entry(message: "\(event.message)", line: line))
    }
}

private struct Recorder: LogHandler {
    let log: RecordedLog
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) { self.log.append(event, self.metadata.merging(event.metadata ?? [:]) { $1 }) }
}
