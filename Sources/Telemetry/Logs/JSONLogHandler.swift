// SPDX-License-Identifier: Apache-2.0

package import Logging
import Tracing

/// Writes one JSON object a line: `time`, `level`, `label`, `message`, `source`, and the metadata beside them. Nested
/// metadata has dotted names (`peer.address`); a name that a record has itself comes as `metadata.<name>`.
///
/// A line is bounded. What is longer is cut, and what does not fit at all left out; then it says `"truncated":true`.
package struct JSONLogHandler: LogHandler {
    package var logLevel: Logger.Level = .info
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let sink: LogSink
    /// Milliseconds since 1970.
    private let now: @Sendable () -> Int64

    package init(label: String, sink: LogSink = .standardError, metadataProvider: Logger.MetadataProvider? = nil) {
        self.init(label: label, sink: sink, metadataProvider: metadataProvider) {
            Int64(clamping: DefaultTracerClock.now.millisecondsSinceEpoch)
        }
    }

    init(
        label: String, sink: LogSink, metadataProvider: Logger.MetadataProvider?, now: @escaping @Sendable () -> Int64
    ) {
        self.label = label
        self.sink = sink
        self.metadataProvider = metadataProvider
        self.now = now
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var metadata = self.metadata
        if let provided = self.metadataProvider?.get() { metadata.merge(provided) { _, new in new } }
        if let own = event.metadata { metadata.merge(own) { _, new in new } }
        if let error = event.error {
            metadata["error.type"] = "\(String(reflecting: type(of: error)))"
            metadata["error.message"] = "\(error)"
        }
        var line = LogLine(time: self.now(), event: event, label: self.label)
        line.add(metadata)
        self.sink.write(line.finished())
    }
}

/// One line while it is written.
private struct LogLine {
    private static let ownNames: Set<String> = ["time", "level", "label", "message", "source", "truncated"]
    /// What the end of a line takes.
    private static let reserve = 32

    private var json = JSONWriter(reservingCapacity: 512)
    private var isCut = false

    init(time: Int64, event: LogEvent, label: String) {
        self.json.beginObject()
        self.member("time", Timestamp.text(milliseconds: time))
        self.member("level", event.level.rawValue)
        self.member("label", label)
        self.member("message", event.message.description, limit: TelemetryLimits.logMessageBytes)
        self.member("source", event.source)
    }

    mutating func add(_ metadata: Logger.Metadata) {
        var flat: [(name: String, value: Logger.Metadata.Value)] = []
        self.flatten(metadata, prefix: "", depth: 1, into: &flat)
        // Names may meet once they are flattened, "a.b" and "b" of "a"; the first is taken.
        var last: String?
        for (name, value) in flat.sorted(by: { $0.name < $1.name }) where name != last {
            last = name
            let begin = self.json.mark
            self.json.key(Self.ownNames.contains(name) ? "metadata." + name : name, limit: TelemetryLimits.logKeyBytes)
            self.write(value, depth: 1)
            if self.json.bytes.count > TelemetryLimits.logLineBytes - Self.reserve {
                self.json.rewind(to: begin)
                self.isCut = true
                return
            }
        }
    }

    mutating func finished() -> [UInt8] {
        if self.isCut {
            self.json.key("truncated")
            self.json.bool(true)
        }
        self.json.endObject()
        return self.json.bytes + [UInt8(ascii: "\n")]
    }

    private mutating func member(_ name: String, _ value: String, limit: Int = TelemetryLimits.logKeyBytes) {
        self.json.key(name)
        if !self.json.string(value, limit: limit) { self.isCut = true }
    }

    private mutating func flatten(
        _ metadata: Logger.Metadata, prefix: String, depth: Int,
        into flat: inout [(name: String, value: Logger.Metadata.Value)]
    ) {
        for (name, value) in metadata {
            if case .dictionary(let inner) = value, depth < TelemetryLimits.logDepth {
                self.flatten(inner, prefix: prefix + name + ".", depth: depth + 1, into: &flat)
            } else {
                flat.append((prefix + name, value))
            }
        }
    }

    private mutating func write(_ value: Logger.Metadata.Value, depth: Int) {
        switch value {
        case .string(let text): self.text(text)
        case .stringConvertible(let convertible): self.text(convertible.description)
        case .array(let elements) where depth < TelemetryLimits.logDepth:
            self.json.beginArray()
            for element in elements where self.isRoom { self.write(element, depth: depth + 1) }
            self.json.endArray()
        case .dictionary(let members) where depth < TelemetryLimits.logDepth:
            self.json.beginObject()
            for (name, member) in members.sorted(by: { $0.key < $1.key }) where self.isRoom {
                self.json.key(name, limit: TelemetryLimits.logKeyBytes)
                self.write(member, depth: depth + 1)
            }
            self.json.endObject()
        case .array, .dictionary:
            self.isCut = true
            self.json.string("…")
        }
    }

    /// A line that is too long is not made much longer only to be cut.
    private var isRoom: Bool { self.json.bytes.count <= TelemetryLimits.logLineBytes }

    private mutating func text(_ text: String) {
        if !self.json.string(text, limit: TelemetryLimits.logValueBytes) { self.isCut = true }
    }
}
