// SPDX-License-Identifier: Apache-2.0

import AdminServer
import AsyncHTTPClient
import CacheEngine
import CacheModel
import CacheServer
import CoreMetrics
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
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
        registry.addCollector { ProcessMetrics.families() }
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

    private static let declarations =
        MetricDeclaration.ofEngine + [
            MetricDeclaration("semcache_requests_total", help: "Requests by protocol, method and status"),
            MetricDeclaration(
                "semcache_connections_total", help: "Connections that were accepted, and refused by a limit"),
            MetricDeclaration("semcache_tls_handshakes_total", help: "TLS handshakes with clients, by outcome"),
            MetricDeclaration("semcache_credentials_refused_total", help: "Credentials that let nobody in"),
        ]
}

/// What goes to the collector, and how: HTTP, with nothing of an answer kept but its status.
struct SpanExport: Service {
    let queue: SpanQueue
    private let url: String
    private let serviceName: String
    private let registry: PrometheusRegistry
    private let logger: Logger

    init(_ traces: TelemetrySettings.Traces, registry: PrometheusRegistry, logger: Logger) {
        self.queue = SpanQueue(metrics: registry, prefix: "semcache")
        let base = traces.endpoint.value
        self.url = (base.hasSuffix("/") ? String(base.dropLast()) : base) + OTLPExporter.path
        self.serviceName = traces.serviceName
        self.registry = registry
        self.logger = logger
    }

    func run() async throws {
        let client = HTTPClient(eventLoopGroupProvider: .singleton)
        let exporter = OTLPExporter(
            queue: self.queue,
            resource: OTLPResource(serviceName: self.serviceName, serviceVersion: ServiceVersion.current),
            metrics: self.registry, prefix: "semcache", logger: self.logger
        ) { [url] body in
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            request.headers.add(name: "content-type", value: OTLPExporter.contentType)
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
    private let gauge = Meter(label: "semcache_certificate_expiry_timestamp_seconds")

    func set(_ seconds: Int64?) {
        if let seconds { self.gauge.set(seconds) }
    }
}
