// SPDX-License-Identifier: Apache-2.0

/// Every limit of this module, with its unit and its reason.
package enum TelemetryLimits {
    // MARK: Metrics

    /// Label value, bytes: longer ones are cut, and then two may be one. As long as any name that a label has.
    package static let labelValueBytes = 512
    /// Labels of one metric.
    package static let labels = 16
    /// Upper bounds of a histogram: each is a series, and is looked at with every value.
    package static let histogramBounds = 64
    /// Refused metrics that are reported by name, each once.
    package static let reportedMetrics = 256
    /// A file of `/proc`, bytes: `/proc/stat` has a number for every interrupt line before what we look for.
    package static let processFileBytes = 256 << 10

    // MARK: Logs

    /// One line, bytes: what is left of it when the message and the metadata have been cut still says what happened.
    package static let logLineBytes = 16 << 10
    /// Its message, and any one value of its metadata, bytes as written.
    package static let logMessageBytes = 4 << 10
    package static let logValueBytes = 2 << 10
    /// Name of a piece of metadata, bytes as written.
    package static let logKeyBytes = 256
    /// How deep metadata may be nested.
    package static let logDepth = 4
    /// How long a line waits for whoever reads the log, milliseconds; then it is dropped and counted.
    package static let logWriteMilliseconds: Int32 = 1000

    // MARK: Traces

    /// `traceparent` as it comes, bytes: future versions may append to the 55 of today.
    package static let traceParentBytes = 256
    /// `tracestate` as it comes, bytes: a longer one is not looked at.
    package static let incomingTraceStateBytes = 4 << 10
    /// `tracestate` that is passed on, bytes and members: as much as the specification asks for.
    package static let traceStateBytes = 512
    package static let traceStateMembers = 32
    /// A member above which it goes first when the whole is too long, bytes.
    package static let traceStateLongMemberBytes = 128
    /// Name of a span or of an event, and a status message, bytes as written.
    package static let spanNameBytes = 256
    /// Attributes of a span, of one of its events or links; their names and values, bytes as written; elements of an
    /// array.
    package static let spanAttributes = 32
    package static let attributeNameBytes = 128
    package static let attributeValueBytes = 1 << 10
    package static let attributeElements = 32
    /// Events and links of a span.
    package static let spanEvents = 32
    package static let spanLinks = 8
    /// Finished spans that wait for the collector: at 1,000 a second for some seconds. What comes then is dropped.
    package static let queuedSpans = 8192
    package static let queuedSpanBytes = 8 << 20
    /// One span as it is sent, bytes: a larger one is dropped.
    package static let spanBytes = 64 << 10
    /// Spans of one request to the collector, and their bytes.
    package static let batchSpans = 512
    package static let batchBytes = 1 << 20
    /// Time after which spans go that are fewer.
    package static let exportInterval = Duration.seconds(5)
    /// Time for one request to the collector, before it is tried again, and for all that is left when the service ends.
    package static let exportDeadline = Duration.seconds(10)
    package static let exportBackoff = Duration.seconds(1)
    package static let flushDeadline = Duration.seconds(5)
    /// What a log line says of an error of the exporter's, bytes.
    package static let errorBytes = 256
}
