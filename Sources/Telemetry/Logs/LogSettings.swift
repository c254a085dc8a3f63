// SPDX-License-Identifier: Apache-2.0

package import Logging
import Synchronization

/// Form and level of a process's log. The level may change while it runs, for all loggers that have none of their own:
///
///     LoggingSystem.bootstrap(settings.handler, metadataProvider: .traceContext)
package final class LogSettings: Sendable {
    package enum Format: String, Sendable, CaseIterable {
        /// Lines for people, as swift-log writes them.
        case console
        /// One JSON object a line.
        case json
    }

    private let format: Format
    private let sink: LogSink
    /// Position among all levels: every line that may be logged asks for it, on all threads.
    private let position: Atomic<Int>

    package init(format: Format, level: Logger.Level, sink: LogSink = .standardError) {
        self.format = format
        self.sink = sink
        self.position = Atomic(level.position)
    }

    package var level: Logger.Level {
        get { Logger.Level.allCases[self.position.load(ordering: .relaxed)] }
        set { self.position.store(newValue.position, ordering: .relaxed) }
    }

    package func handler(label: String, metadataProvider: Logger.MetadataProvider?) -> any LogHandler {
        switch self.format {
        case .console:
            let stream = ConsoleStream(sink: self.sink)
            let handler = StreamLogHandler(label: label, stream: stream, metadataProvider: metadataProvider)
            return SharedLevelLogHandler(handler, settings: self)
        case .json:
            let handler = JSONLogHandler(label: label, sink: self.sink, metadataProvider: metadataProvider)
            return SharedLevelLogHandler(handler, settings: self)
        }
    }
}

extension Logger.Level {
    fileprivate var position: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// A handler whose level is the settings', until a logger is given one of its own.
struct SharedLevelLogHandler<Base: LogHandler>: LogHandler {
    private var base: Base
    private let settings: LogSettings
    private var ownLevel: Logger.Level?

    init(_ base: Base, settings: LogSettings) {
        self.base = base
        self.settings = settings
    }

    var logLevel: Logger.Level {
        get { self.ownLevel ?? self.settings.level }
        set { self.ownLevel = newValue }
    }

    var metadata: Logger.Metadata {
        get { self.base.metadata }
        set { self.base.metadata = newValue }
    }

    var metadataProvider: Logger.MetadataProvider? {
        get { self.base.metadataProvider }
        set { self.base.metadataProvider = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.base[metadataKey: key] }
        set { self.base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { self.base.log(event: event) }
}
