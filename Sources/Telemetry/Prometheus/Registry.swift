// SPDX-License-Identifier: Apache-2.0

package import CoreMetrics
package import Logging
import Synchronization

/// The metrics of a process, for Prometheus: a backend of swift-metrics.
///
/// Nothing that a program asks of it stops the program: a metric that cannot be (a name that is not legal, other labels
/// than the first of that name had, a counter that was a gauge) is reported once, counted, and records nothing. Series
/// are capped, those of all metrics together; what is above is counted in one of its metric that says `overflow="true"`.
package final class PrometheusRegistry: MetricsFactory {
    /// Makes up metrics when they are asked for, or sets those that are recorded here; it is called with every scrape.
    package typealias Collector = @Sendable () async -> [MetricFamily]

    private let declarations: [String: MetricDeclaration]
    private let prefix: String
    private let logger: Logger
    private let state: Mutex<RegistryState>

    /// - Parameters:
    ///   - declarations: HELP texts and buckets. What is not declared has no HELP, and buckets for durations.
    ///   - prefix: of the names of the registry's own metrics: `<prefix>_metrics_series`,
    ///     `<prefix>_metrics_series_left_out`, `<prefix>_metrics_refused_total`.
    ///   - maximumSeries: of all metrics; a histogram is one.
    package init(
        declarations: [MetricDeclaration] = [], prefix: String, maximumSeries: Int, logger: Logger
    ) {
        self.declarations = Dictionary(declarations.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last })
        self.prefix = prefix
        self.logger = logger
        self.state = Mutex(RegistryState(maximumSeries: maximumSeries))
    }

    /// All metrics in the text format, in the order of their names; see `Exposition.contentType`.
    package func exposition() async -> [UInt8] {
        var collected: [MetricFamily] = []
        for collector in self.state.withLock({ $0.collectors }) { collected += await collector() }

        let state = self.state.withLock { $0 }
        var (families, seriesCount, leftOut) = (state.families, state.seriesCount, 0)
        var made: [String: (MetricFamily, [CollectedSeries.Row])] = [:]
        // The small ones first: what is too much is a series for each tenant, and takes no other metric's place.
        for family in self.usable(collected, beside: state).sorted(by: { $0.samples.count < $1.samples.count }) {
            let series = CollectedSeries(family, limit: max(0, state.maximumSeries - seriesCount))
            if let fault = series.fault { self.refuse(family.name, fault) }
            if series.leftOut > 0 { self.reportOverflow(of: family.name) }
            seriesCount += series.rows.count
            leftOut += series.leftOut
            made[family.name] = (family, series.rows)
        }
        for family in self.own(seriesCount, leftOut: leftOut)
        where made[family.name] == nil && !state.isTaken(family.name) {
            made[family.name] = (family, CollectedSeries(family, limit: 1).rows)
        }

        var text = Exposition()
        for name in (Array(families.keys) + Array(made.keys)).sorted() {
            if let family = families.removeValue(forKey: name) {
                text.family(name, help: self.declarations[name]?.help ?? "", kind: family.kind)
                family.write(name, into: &text)
            } else if let (family, rows) = made[name] {
                text.family(name, help: family.help, kind: family.kind == .counter ? .counter : .gauge)
                for row in rows { text.sample(name, labels: row.labels, value: Exposition.number(row.value)) }
            }
        }
        return text.bytes
    }

    /// Those that have a legal name of their own.
    private func usable(_ collected: [MetricFamily], beside state: RegistryState) -> [MetricFamily] {
        var names: Set<String> = []
        return collected.filter { family in
            guard MetricName.isLegal(family.name) else {
                self.refuse(family.name, "has an illegal name")
                return false
            }
            guard !state.isTaken(family.name), names.insert(family.name).inserted else {
                self.refuse(family.name, "comes from two places")
                return false
            }
            return true
        }
    }

    package func addCollector(_ collector: @escaping Collector) {
        self.state.withLock { $0.collectors.append(collector) }
    }

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.instrument(.counter, label, dimensions, make: CounterInstrument()) ?? NOOPMetricsHandler.instance
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        self.instrument(.counter, label, dimensions, make: CounterInstrument()) ?? NOOPMetricsHandler.instance
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.instrument(.gauge, label, dimensions, make: GaugeInstrument()) ?? NOOPMetricsHandler.instance
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else {
            return self.instrument(.gauge, label, dimensions, make: GaugeInstrument()) ?? NOOPMetricsHandler.instance
        }
        return self.histogram(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.histogram(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    package func destroyCounter(_ handler: any CounterHandler) { self.release(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { self.release(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { self.release(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { self.release(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { self.release(handler) }

    private func release(_ handler: AnyObject) {
        self.state.withLock { $0.release(ObjectIdentifier(handler)) }
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramInstrument? {
        let bounds = self.declarations[label]?.bounds ?? MetricDeclaration.durationBounds
        return self.instrument(.histogram, label, dimensions, make: HistogramInstrument(bounds: bounds))
    }

    private func instrument<Made: Instrument>(
        _ kind: MetricKind, _ label: String, _ dimensions: [(String, String)], make: @autoclosure () -> Made
    ) -> Made? {
        switch self.state.withLock({ $0.series(kind, label, dimensions, make: make) }) {
        case .series(let instrument): return instrument as? Made
        case .overflow(let instrument, let isFirst):
            if isFirst { self.reportOverflow(of: label) }
            return instrument as? Made
        case .refused(let fault):
            self.refuse(label, fault)
            return nil
        }
    }

    private func refuse(_ name: String, _ fault: String) {
        if self.state.withLock({ $0.refuse(name) }) { self.report(name, fault) }
    }

    private func reportOverflow(of name: String) {
        guard self.state.withLock({ $0.report(name) }) else { return }
        self.report(name, "has series above the cap of all metrics: they are counted as overflow, or left out")
    }

    private func report(_ name: String, _ fault: String) {
        self.logger.warning(
            "a metric \(fault)", metadata: ["metric": "\(name.prefix(TelemetryLimits.labelValueBytes))"])
    }

    private func own(_ series: Int, leftOut: Int) -> [MetricFamily] {
        [
            MetricFamily(
                self.prefix + "_metrics_series", help: "Series of this exposition, without its own.", kind: .gauge,
                value: Double(series)),
            MetricFamily(
                self.prefix + "_metrics_series_left_out",
                help: "Series that were made up for this exposition and are above the cap.", kind: .gauge,
                value: Double(leftOut)),
            MetricFamily(
                self.prefix + "_metrics_refused_total",
                help: "Times that a metric was refused since its name, kind or labels cannot be.", kind: .counter,
                value: Double(self.state.withLock { $0.refusals })),
        ]
    }
}
