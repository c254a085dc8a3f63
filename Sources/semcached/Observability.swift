// SPDX-License-Identifier: Apache-2.0

import AdminServer
import AsyncHTTPClient
import CacheEngine
import CacheModel
import CacheServer
import CoreMetrics
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Synchronization
import Telemetry
import Tracing

/// The process's metrics and traces. To be made before anything that counts: a handle belongs to what was there when it
/// was made.
struct Observability {
    let registry: PrometheusRegistry
    /// Sends spans to a collector; `nil` if there is none.
    let exporter: SpanExport?

    var isTracing: Bool { self.exporter != nil }

    init(_ settings: TelemetrySettings, logger: Logger) {
        let registry = PrometheusRegistry(
            declarations: Self.declarations, prefix: "semcache", maximumSeries: settings.maximumSeries, logger: logger)
        self.registry = registry
        MetricsSystem.bootstrap(registry)
        let process = ProcessMetrics()
        registry.addCollector { process.families() + [Self.droppedLines] }
        self.exporter = settings.traces.map { SpanExport($0, registry: registry, logger: logger) }
        if let exporter, let traces = settings.traces {
            InstrumentationSystem.bootstrap(SpanRecorder(queue: exporter.queue, sampleRatio: traces.sampleRatio))
        }
    }

    /// Adds what is counted elsewhere, and read when it is asked for.
    func collect(from ports: Ports) {
        self.registry.addCollector {
            let figures = await ports.figures(of: ports.dispatcher.engine.declaredTenants)
            return figures.families.map { MetricFamily($0) } + [MetricFamily(ports.state.checks)]
        }
    }

    private static var droppedLines: MetricFamily {
        MetricFamily(
            "semcache_log_lines_dropped_total", help: "Lines of the log that nobody took in time", kind: .counter,
            value: Double(LogSink.standardError.droppedLines))
    }

    private static let declarations =
        MetricDeclaration.ofEngine + [
            MetricDeclaration("semcache_requests_total", help: "Requests by protocol, method and status"),
            MetricDeclaration(
                "semcache_connections_total", help: "Connections that were accepted, and refused by a limit"),
            MetricDeclaration(
                "semcache_certificate_expiry_timestamp_seconds", help: "When the certificate of the ports ends"),
            MetricDeclaration("semcache_tls_handshakes_total", help: "TLS handshakes with clients, by outcome"),
            MetricDeclaration("semcache_credentials_refused_total", help: "Credentials that let nobody in"),
            MetricDeclaration(
                "semcache_provider_requests_total",
                help: "Requests to providers of embeddings and to judges, by outcome"),
            MetricDeclaration(
                "semcache_provider_request_duration_seconds", help: "Time that a request to a provider took"),
            MetricDeclaration("semcache_provider_retries_total", help: "Requests that were sent again"),
            MetricDeclaration(
                "semcache_provider_hedges_total", help: "Requests that were sent a second time meanwhile"),
            MetricDeclaration(
                "semcache_provider_tokens_total", help: "Tokens that providers and judges say they have taken"),
            MetricDeclaration(
                "semcache_provider_breaker_state",
                help: "0 if the provider is asked, 1 if it is tried, 2 if it is left alone"),
            MetricDeclaration("semcache_judge_opinions_total", help: "What judges told, by opinion"),
            MetricDeclaration("semcache_judge_remembered_total", help: "Opinions that no request was needed for"),
            MetricDeclaration("semcache_spans_exported_total", help: "Spans that the collector took"),
            MetricDeclaration("semcache_spans_failed_total", help: "Spans that the collector did not take"),
            MetricDeclaration("semcache_spans_dropped_total", help: "Spans that were not sent, by reason"),
        ]
}

/// What goes to the collector, and how: HTTP, with nothing of an answer kept but its status.
struct SpanExport: Service {
    let queue: SpanQueue
    private let url: String
    private let authorization: Secret?
    private let serviceName: String
    private let registry: PrometheusRegistry
    private let logger: Logger

    init(_ traces: TelemetrySettings.Traces, registry: PrometheusRegistry, logger: Logger) {
        self.queue = SpanQueue(metrics: registry, prefix: "semcache")
        self.url = traces.baseURL + OTLPExporter.path
        self.authorization = traces.authorization
        self.serviceName = traces.serviceName
        self.registry = registry
        self.logger = logger
    }

    func run() async throws {
        // A redirect is not followed: where spans go is for the configuration to say. One loop, as of providers: see
        // `HTTPEmbedder.run()`.
        let client = HTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton.any(),
            configuration: .init(redirectConfiguration: .disallow))
        let exporter = OTLPExporter(
            queue: self.queue,
            resource: OTLPResource(serviceName: self.serviceName, serviceVersion: ServiceVersion.current),
            metrics: self.registry, prefix: "semcache", logger: self.logger
        ) { [url, authorization] body in
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            request.headers.add(name: "content-type", value: OTLPExporter.contentType)
            if let authorization { request.headers.add(name: "authorization", value: authorization.value) }
            request.body = .bytes(ByteBuffer(bytes: body))
            let response = try await client.execute(request, deadline: .now() + .seconds(30))
            // Its answer is read, so that the connection can be used again, but not for ever.
            _ = try await response.body.collect(upTo: 64 << 10)
            return Int(response.status.code)
        }
        await exporter.run()
        try await client.shutdown()
    }
}

/// When the certificate of the ports ends, for whoever is to be told in time.
final class CertificateExpiry: Sendable {
    /// `nil` without a certificate: there is no such metric, rather than one that says 1970.
    private let gauge = Mutex<Meter?>(nil)
    private let logger = Logger(label: "semcached")

    /// - Parameter seconds: Since 1970; `nil` without a certificate.
    func set(_ seconds: Int64?) {
        guard let seconds else { return }
        self.gauge.withLock { gauge in
            let meter = gauge ?? Meter(label: "semcache_certificate_expiry_timestamp_seconds")
            meter.set(seconds)
            gauge = meter
        }
        let time = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
        self.logger.info("certificate in force", metadata: ["not_after": "\(time)"])
    }
}
