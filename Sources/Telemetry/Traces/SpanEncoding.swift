// SPDX-License-Identifier: Apache-2.0

import Tracing

/// What there is of a span at its end, beside its name and attributes; written as OTLP's JSON has it: protobuf's
/// JSON, but for ids, which are hexadecimal. 64-bit integers are strings.
struct FinishedSpan: Sendable {
    let own: TraceContext
    let parentSpanID: UInt64?
    let kind: SpanKind
    /// Nanoseconds since 1970.
    let start: UInt64
    var status: SpanStatus?
    private var events: [SpanEvent] = []
    private var droppedEvents = 0
    private var links: [(context: TraceContext, attributes: SpanAttributes)] = []
    private var droppedLinks = 0

    init(own: TraceContext, parentSpanID: UInt64?, kind: SpanKind, start: UInt64) {
        self.own = own
        self.parentSpanID = parentSpanID
        self.kind = kind
        self.start = start
    }

    mutating func add(_ event: SpanEvent) {
        guard self.events.count < TelemetryLimits.spanEvents else { return self.droppedEvents += 1 }
        self.events.append(event)
    }

    /// A link to what is in no trace is none.
    mutating func add(_ link: SpanLink) {
        guard let context = link.context.traceContext else { return }
        guard self.links.count < TelemetryLimits.spanLinks else { return self.droppedLinks += 1 }
        self.links.append((context, link.attributes))
    }

    /// - Parameter end: nanoseconds since 1970; a clock that was set back makes no negative duration.
    func encoded(name: String, attributes: SpanAttributes, end: UInt64) -> [UInt8] {
        var json = JSONWriter(reservingCapacity: 512)
        json.beginObject()
        json.identify(self.own)
        if let parentSpanID { json.member("parentSpanId", Hex.text(parentSpanID)) }
        json.key("flags")
        json.integer(self.own.isSampled ? 1 : 0)
        json.member("name", name, limit: TelemetryLimits.spanNameBytes)
        json.key("kind")
        json.integer(self.kind.code)
        json.member("startTimeUnixNano", String(self.start))
        json.member("endTimeUnixNano", String(max(self.start, end)))
        json.attributes(attributes)
        if !self.events.isEmpty {
            json.key("events")
            json.array { json in for event in self.events { json.event(event) } }
        }
        json.dropped("droppedEventsCount", self.droppedEvents)
        if !self.links.isEmpty {
            json.key("links")
            json.array { json in
                for link in self.links {
                    json.object { json in
                        json.identify(link.context)
                        json.attributes(link.attributes)
                    }
                }
            }
        }
        json.dropped("droppedLinksCount", self.droppedLinks)
        if let status { json.status(status) }
        json.endObject()
        return json.bytes
    }
}

extension SpanKind {
    /// OTLP's number.
    var code: Int {
        switch self {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }
}

extension JSONWriter {
    mutating func member(_ name: String, _ value: String, limit: Int = .max) {
        self.key(name)
        self.string(value, limit: limit)
    }

    /// `attributes`, in the order of their names, as many as may be.
    mutating func attributes(_ attributes: SpanAttributes) {
        guard !attributes.isEmpty else { return }
        var all: [(name: String, value: SpanAttribute)] = []
        attributes.forEach { all.append(($0, $1)) }
        self.key("attributes")
        self.array { json in
            for (name, value) in all.sorted(by: { $0.name < $1.name }).prefix(TelemetryLimits.spanAttributes) {
                json.object { json in
                    json.member("key", name, limit: TelemetryLimits.attributeNameBytes)
                    json.key("value")
                    json.value(value)
                }
            }
        }
        self.dropped("droppedAttributesCount", max(0, all.count - TelemetryLimits.spanAttributes))
    }

    fileprivate mutating func identify(_ context: TraceContext) {
        self.member("traceId", context.traceID.description)
        self.member("spanId", Hex.text(context.spanID))
        if let state = context.state { self.member("traceState", state.text) }
    }

    fileprivate mutating func dropped(_ name: String, _ count: Int) {
        guard count > 0 else { return }
        self.key(name)
        self.integer(count)
    }

    fileprivate mutating func event(_ event: SpanEvent) {
        self.object { json in
            json.member("timeUnixNano", String(event.nanosecondsSinceEpoch))
            json.member("name", event.name, limit: TelemetryLimits.spanNameBytes)
            json.attributes(event.attributes)
        }
    }

    fileprivate mutating func status(_ status: SpanStatus) {
        self.key("status")
        self.object { json in
            if let message = status.message { json.member("message", message, limit: TelemetryLimits.spanNameBytes) }
            json.key("code")
            json.integer(status.code == .ok ? 1 : 2)
        }
    }

    /// An `AnyValue`: an object whose only member says of which type the value is.
    private mutating func value(_ value: SpanAttribute) {
        self.object { json in
            switch value {
            case .int32(let number): json.member("intValue", String(number))
            case .int64(let number): json.member("intValue", String(number))
            case .double(let number):
                json.key("doubleValue")
                json.number(number)
            case .bool(let isTrue):
                json.key("boolValue")
                json.bool(isTrue)
            case .string(let text): json.member("stringValue", text, limit: TelemetryLimits.attributeValueBytes)
            case .stringConvertible(let convertible):
                json.member("stringValue", convertible.description, limit: TelemetryLimits.attributeValueBytes)
            case .int32Array(let numbers): json.arrayValue(numbers) { .int32($0) }
            case .int64Array(let numbers): json.arrayValue(numbers) { .int64($0) }
            case .doubleArray(let numbers): json.arrayValue(numbers) { .double($0) }
            case .boolArray(let values): json.arrayValue(values) { .bool($0) }
            case .stringArray(let texts): json.arrayValue(texts) { .string($0) }
            case .stringConvertibleArray(let values): json.arrayValue(values) { .string($0.description) }
            default: break
            }
        }
    }

    private mutating func arrayValue<Element>(_ elements: [Element], _ attribute: (Element) -> SpanAttribute) {
        self.key("arrayValue")
        self.object { json in
            json.key("values")
            json.array { json in
                for element in elements.prefix(TelemetryLimits.attributeElements) { json.value(attribute(element)) }
            }
        }
    }
}
