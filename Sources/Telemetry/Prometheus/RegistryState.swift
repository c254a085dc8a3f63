// SPDX-License-Identifier: Apache-2.0

/// Which metrics there are; pure. `PrometheusRegistry` has the lock and the log.
struct RegistryState {
    enum Answer {
        case series(any Instrument)
        /// The series that takes what is above a cap; `isFirst`: nothing of this metric went there before.
        case overflow(any Instrument, isFirst: Bool)
        case refused(String)
    }

    struct Family {
        let kind: MetricKind
        let labelNames: [String]
        fileprivate(set) var series: [[UInt8]: Series] = [:]
        fileprivate(set) var overflow: (any Instrument)?

        func write(_ name: String, into text: inout Exposition) {
            for (labels, series) in self.series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                series.instrument.write(name, labels: labels, into: &text)
            }
            self.overflow?.write(name, labels: MetricName.overflow, into: &text)
        }
    }

    struct Series {
        let instrument: any Instrument
        /// Handles that were given out and not destroyed.
        var uses: Int
    }

    let maximumSeries: Int
    private(set) var families: [String: Family] = [:]
    private(set) var seriesCount = 0
    private(set) var refusals: UInt64 = 0
    var collectors: [PrometheusRegistry.Collector] = []
    /// Names of samples that are in use: a histogram `x` has `x_count`, so no counter may.
    private var sampleNames: Set<String> = []
    private var reported: Set<String> = []
    /// Where a handle's series is, for its end.
    private var places: [ObjectIdentifier: (family: String, labels: [UInt8])] = [:]

    init(maximumSeries: Int) { self.maximumSeries = maximumSeries }

    mutating func series(
        _ kind: MetricKind, _ name: String, _ labels: [(String, String)], make: () -> some Instrument
    ) -> Answer {
        if let fault = self.fault(kind, name, labels) { return .refused(fault) }
        let key = MetricName.rendered(labels)
        var family = self.families[name] ?? Family(kind: kind, labelNames: labels.map(\.0).sorted())
        defer {
            self.families[name] = family
            self.sampleNames.formUnion(Self.sampleNames(kind, name))
        }
        if let found = family.series[key] {
            family.series[key]?.uses += 1
            return .series(found.instrument)
        }
        guard self.seriesCount < self.maximumSeries else {
            let isFirst = family.overflow == nil
            let overflow = family.overflow ?? make()
            family.overflow = overflow
            return .overflow(overflow, isFirst: isFirst)
        }
        let instrument = make()
        family.series[key] = Series(instrument: instrument, uses: 1)
        self.places[ObjectIdentifier(instrument)] = (name, key)
        self.seriesCount += 1
        return .series(instrument)
    }

    /// A series whose last handle is destroyed goes.
    mutating func release(_ handle: ObjectIdentifier) {
        guard let place = self.places[handle], let series = self.families[place.family]?.series[place.labels] else {
            return
        }
        if series.uses > 1 {
            self.families[place.family]?.series[place.labels]?.uses -= 1
        } else {
            self.families[place.family]?.series[place.labels] = nil
            self.places[handle] = nil
            self.seriesCount -= 1
        }
    }

    /// - Returns: as ``report(_:)``.
    mutating func refuse(_ name: String) -> Bool {
        self.refusals += 1
        return self.report(name)
    }

    /// - Returns: whether to report a metric: the first time, as long as names can be remembered.
    mutating func report(_ name: String) -> Bool {
        guard self.reported.count < TelemetryLimits.reportedMetrics else { return false }
        return self.reported.insert(name).inserted
    }

    /// Whether samples of that name are recorded here.
    func isTaken(_ name: String) -> Bool { self.sampleNames.contains(name) }

    private func fault(_ kind: MetricKind, _ name: String, _ labels: [(String, String)]) -> String? {
        guard MetricName.isLegal(name) else { return "has an illegal name" }
        if let fault = MetricName.fault(inLabels: labels) { return fault }
        guard let family = self.families[name] else {
            let isFree = self.sampleNames.isDisjoint(with: Self.sampleNames(kind, name))
            return isFree ? nil : "has a name that is taken by a histogram's samples"
        }
        guard family.kind == kind else { return "was a \(family.kind.rawValue) and cannot be a \(kind.rawValue)" }
        guard family.labelNames == labels.map(\.0).sorted() else { return "has other labels than it had at first" }
        return nil
    }

    private static func sampleNames(_ kind: MetricKind, _ name: String) -> [String] {
        kind == .histogram ? [name, name + "_bucket", name + "_sum", name + "_count"] : [name]
    }
}

/// The series of a metric that was made up for one scrape: as many as may be. The rest of a counter is added up, so that
/// sums stay right; the rest of a gauge, whose sum may mean nothing, is left out.
struct CollectedSeries {
    struct Row {
        var labels: [UInt8]
        var value: Double
    }

    private(set) var rows: [Row] = []
    private(set) var fault: String?
    /// Series above the limit.
    private(set) var leftOut = 0

    init(_ family: MetricFamily, limit: Int) {
        var known: Set<[UInt8]> = []
        var overflow = 0.0
        for sample in family.samples {
            if let fault = MetricName.fault(inLabels: sample.labels) {
                self.fault = fault
                continue
            }
            let labels = MetricName.rendered(sample.labels)
            if known.contains(labels) {
                self.fault = "has the same series twice"
            } else if known.count < limit {
                known.insert(labels)
                self.rows.append(Row(labels: labels, value: sample.value))
            } else {
                self.leftOut += 1
                overflow += sample.value
            }
        }
        self.rows.sort { $0.labels.lexicographicallyPrecedes($1.labels) }
        guard self.leftOut > 0, family.kind == .counter else { return }
        self.rows.append(Row(labels: MetricName.overflow, value: overflow))
    }
}
