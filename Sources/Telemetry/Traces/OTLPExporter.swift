// SPDX-License-Identifier: Apache-2.0

package import CoreMetrics
package import Logging
import ServiceLifecycle
import Tracing

/// Who sends the spans: OpenTelemetry's resource.
package struct OTLPResource: Sendable {
    package var serviceName: String
    package var serviceVersion: String
    /// Another one for every process.
    package var instanceID: String

    package init(serviceName: String, serviceVersion: String, instanceID: String? = nil) {
        self.serviceName = serviceName
        self.serviceVersion = serviceVersion
        self.instanceID = instanceID ?? Hex.text(.random(in: .min ... .max)) + Hex.text(.random(in: .min ... .max))
    }
}

/// Sends finished spans to a collector, as OTLP/HTTP has it with JSON: batches, each tried twice and then given up.
/// When the service ends it sends what there is, for a bounded time.
package struct OTLPExporter: Service {
    /// Posts a body to the collector's `path`, and returns the status of the answer. It is cancelled at the deadline and
    /// must return soon after. What it does is in no trace that is recorded, or each export would make another.
    package typealias Post = @Sendable (_ body: [UInt8]) async throws -> Int

    package struct Configuration: Sendable {
        package var interval = TelemetryLimits.exportInterval
        package var deadline = TelemetryLimits.exportDeadline
        package var backoff = TelemetryLimits.exportBackoff
        package var flushDeadline = TelemetryLimits.flushDeadline

        package init() {}
    }

    /// What is appended to a collector's base URL, and the type of the body.
    package static let path = "/v1/traces"
    package static let contentType = "application/json"

    private let queue: SpanQueue
    private let head: [UInt8]
    private let configuration: Configuration
    private let logger: Logger
    private let post: Post
    private let exported: Counter
    private let failed: Counter

    private enum Attempt: Sendable {
        case status(Int)
        case failure(String)

        var isDone: Bool { if case .status(200..<300) = self { true } else { false } }

        var mayBeTriedAgain: Bool {
            switch self {
            case .status(let status): [429, 502, 503, 504].contains(status)
            case .failure: true
            }
        }

        var text: String {
            switch self {
            case .status(let status): "status \(status)"
            case .failure(let text): text
            }
        }
    }

    /// - Parameters:
    ///   - metrics: counts spans, in `<prefix>_spans_exported_total` and `<prefix>_spans_failed_total`.
    package init(
        queue: SpanQueue, resource: OTLPResource, configuration: Configuration = Configuration(),
        metrics: any MetricsFactory, prefix: String, logger: Logger, post: @escaping Post
    ) {
        self.queue = queue
        self.head = Self.head(resource)
        self.configuration = configuration
        self.logger = logger
        self.post = post
        self.exported = Counter(label: prefix + "_spans_exported_total", factory: metrics)
        self.failed = Counter(label: prefix + "_spans_failed_total", factory: metrics)
    }

    package func run() async {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.send() }
            group.addTask { await self.tick() }
            group.addTask { await self.end() }
            for await isLast in group where isLast { break }
            group.cancelAll()
        }
        self.queue.finish()
        self.queue.abandon()
    }

    /// Ends when the queue is finished and everything in it was sent.
    private func send() async -> Bool {
        var isFailing = false
        for await _ in self.queue.wakes {
            // A wake that waited already comes even to a task that is cancelled.
            repeat {
                guard !Task.isCancelled else { return true }
                await self.export(self.queue.take(), isFailing: &isFailing)
            } while self.queue.hasBatch
        }
        while !Task.isCancelled {
            let spans = self.queue.take()
            if spans.isEmpty { break }
            await self.export(spans, isFailing: &isFailing)
        }
        return true
    }

    private func tick() async -> Bool {
        while (try? await Task.sleep(for: self.configuration.interval)) != nil { self.queue.wake() }
        return false
    }

    /// Ends a while after the service was told to, or at once when it is cancelled.
    private func end() async -> Bool {
        try? await gracefulShutdown()
        self.queue.finish()
        try? await Task.sleep(for: self.configuration.flushDeadline)
        return true
    }

    private func export(_ spans: [[UInt8]], isFailing: inout Bool) async {
        guard !spans.isEmpty else { return }
        let body = self.head + spans.joined(separator: [UInt8(ascii: ",")]) + Self.tail
        var attempt = await self.attempt(body)
        if attempt.mayBeTriedAgain, (try? await Task.sleep(for: self.configuration.backoff)) != nil {
            attempt = await self.attempt(body)
        }
        (attempt.isDone ? self.exported : self.failed).increment(by: spans.count)
        // A collector that is away for an hour is one line, not hundreds.
        if !attempt.isDone, !isFailing {
            let text = attempt.text.prefix(TelemetryLimits.errorBytes)
            self.logger.warning("spans cannot be exported", metadata: ["reason": "\(text)"])
        } else if attempt.isDone, isFailing {
            self.logger.notice("spans are exported again")
        }
        isFailing = !attempt.isDone
    }

    private func attempt(_ body: [UInt8]) async -> Attempt {
        await withTaskGroup(of: Attempt.self) { group in
            group.addTask { await self.posted(body) }
            group.addTask {
                try? await Task.sleep(for: self.configuration.deadline)
                return .failure("no answer within \(self.configuration.deadline)")
            }
            defer { group.cancelAll() }
            return await group.next() ?? .failure("cancelled")
        }
    }

    private func posted(_ body: [UInt8]) async -> Attempt {
        do {
            return .status(try await InstrumentationContext.withValue(Self.unrecorded) { try await self.post(body) })
        } catch {
            return .failure("\(error)")
        }
    }

    private static let unrecorded: InstrumentationContext = {
        var context = InstrumentationContext.topLevel
        context.traceContext = Sampling(ratio: 0).child(of: nil)
        return context
    }()

    private static func head(_ resource: OTLPResource) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("resourceSpans")
        json.beginArray()
        json.beginObject()
        json.key("resource")
        json.object { json in
            json.attributes([
                "service.name": .string(resource.serviceName), "service.version": .string(resource.serviceVersion),
                "service.instance.id": .string(resource.instanceID),
            ])
        }
        json.key("scopeSpans")
        json.beginArray()
        json.beginObject()
        json.key("scope")
        json.object { json in
            json.member("name", resource.serviceName)
            json.member("version", resource.serviceVersion)
        }
        json.key("spans")
        json.beginArray()
        return json.bytes
    }

    private static let tail = Array("]}]}]}".utf8)
}
