// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Logging
import Synchronization
import Telemetry
import TestSupport
import Testing

@Suite struct RegistryTests {
    private let log = RecordedLog()

    private func registry(_ declarations: [MetricDeclaration] = [], series: Int = 10_000) -> PrometheusRegistry {
        PrometheusRegistry(
            declarations: declarations, prefix: "test", maximumSeries: series, logger: self.log.logger)
    }

    @Test func `the exposition is the text that Prometheus specifies`() async {
        let registry = self.registry([
            MetricDeclaration("calls_total", help: "Calls, by \\ method\nand \"outcome\"."),
            MetricDeclaration("size_bytes", help: "Sizes.", bounds: [0.5, 1, 1024]),
        ])
        let ok = Counter(label: "calls_total", dimensions: [("outcome", "ok"), ("method", "a")], factory: registry)
        ok.increment(by: 3)
        let odd = [("method", "b\"\\\n"), ("outcome", "é")]
        FloatingPointCounter(label: "calls_total", dimensions: odd, factory: registry).increment(by: 0.25)
        let sizes = Recorder(label: "size_bytes", factory: registry)
        for size in [0.5, 0.75, 2, 5000] { sizes.record(size) }
        Meter(label: "heat", factory: registry).set(-1.5)
        registry.addCollector { [MetricFamily("age_seconds", help: "Age.", kind: .gauge, value: 1e21)] }

        let text = String(decoding: await registry.exposition(), as: UTF8.self)
        #expect(
            text == """
                # HELP age_seconds Age.
                # TYPE age_seconds gauge
                age_seconds 1e+21
                # HELP calls_total Calls, by \\\\ method\\nand "outcome".
                # TYPE calls_total counter
                calls_total{method="a",outcome="ok"} 3
                calls_total{method="b\\"\\\\\\n",outcome="é"} 0.25
                # TYPE heat gauge
                heat -1.5
                # HELP size_bytes Sizes.
                # TYPE size_bytes histogram
                size_bytes_bucket{le="0.5"} 1
                size_bytes_bucket{le="1"} 2
                size_bytes_bucket{le="1024"} 3
                size_bytes_bucket{le="+Inf"} 4
                size_bytes_sum 5003.25
                size_bytes_count 4
                # HELP test_metrics_refused_total Times that a metric was refused since its name, kind or labels cannot be.
                # TYPE test_metrics_refused_total counter
                test_metrics_refused_total 0
                # HELP test_metrics_series Series of this exposition, without its own.
                # TYPE test_metrics_series gauge
                test_metrics_series 5
                # HELP test_metrics_series_left_out Series that were made up for this exposition and are above the cap.
                # TYPE test_metrics_series_left_out gauge
                test_metrics_series_left_out 0

                """)
    }

    @Test func `any label value reads back as it was`() async throws {
        var random = SeededGenerator(seed: 3)
        let values = (0..<300).map { "\($0)" + random.text() }
        let registry = self.registry()
        for (index, value) in values.enumerated() {
            Counter(label: "texts_total", dimensions: [("text", value)], factory: registry).increment(by: index + 1)
        }
        let read = try NaiveParser(await registry.exposition())
        for (index, value) in values.enumerated() {
            let sample = read.samples.first { $0.labels["text"].map { Array($0.utf8) } == Array(value.utf8) }
            #expect(sample?.value == Double(index + 1))
        }
    }

    @Test func `two spellings of a character are two series`() async {
        let registry = self.registry()
        Counter(label: "names_total", dimensions: [("name", "\u{E9}")], factory: registry).increment()
        Counter(label: "names_total", dimensions: [("name", "e\u{301}")], factory: registry).increment(by: 2)
        let text = Array(String(decoding: await registry.exposition(), as: UTF8.self).utf8)
        #expect(text.contains(Array("names_total{name=\"\u{E9}\"} 1\n".utf8)))
        #expect(text.contains(Array("names_total{name=\"e\u{301}\"} 2\n".utf8)))
    }

    @Test func `a timer records seconds, and one below zero as none`() async throws {
        let registry = self.registry([MetricDeclaration("wait_seconds", help: "Waits.", bounds: [0.01, 0.1])])
        let timer = Timer(label: "wait_seconds", factory: registry)
        timer.recordMilliseconds(50)
        timer.recordNanoseconds(Int64(-1))
        let read = try NaiveParser(await registry.exposition())
        #expect(read.value("wait_seconds_sum") == 0.05)
        #expect(read.value("wait_seconds_bucket", ["le": "0.01"]) == 1)
        #expect(read.value("wait_seconds_bucket", ["le": "0.1"]) == 2)
    }

    @Test func `a value at a bucket's bound is in it`() async throws {
        let registry = self.registry([MetricDeclaration("x", help: "X.", bounds: [1, 2])])
        Recorder(label: "x", factory: registry).record(1)
        #expect(try NaiveParser(await registry.exposition()).value("x_bucket", ["le": "1"]) == 1)
    }

    @Test func `counters do not go down, and what is not a number is not recorded`() async throws {
        let registry = self.registry()
        let counter = FloatingPointCounter(label: "c_total", factory: registry)
        counter.increment(by: 2)
        counter.increment(by: -1)
        counter.increment(by: Double.nan)
        counter.increment(by: Double.infinity)
        let histogram = Recorder(label: "h", factory: registry)
        histogram.record(Double.nan)
        histogram.record(-Double.infinity)
        let read = try NaiveParser(await registry.exposition())
        #expect(read.value("c_total") == 2)
        #expect(read.value("h_count") == 0)
        #expect(read.value("h_sum") == 0)
    }

    @Test func `a meter goes up and down`() async throws {
        let registry = self.registry()
        let meter = Meter(label: "open", factory: registry)
        meter.set(5)
        meter.increment(by: 2)
        meter.decrement(by: 4)
        #expect(try NaiveParser(await registry.exposition()).value("open") == 3)
    }

    @Test func `handles of one series count together`() async throws {
        let registry = self.registry()
        Counter(label: "c_total", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
        Counter(label: "c_total", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment()
        #expect(try NaiveParser(await registry.exposition()).value("c_total", ["a": "1", "b": "2"]) == 2)
    }

    @Test func `many threads count exactly`() async throws {
        let registry = self.registry([MetricDeclaration("h", help: "H.", bounds: [1])])
        let counter = Counter(label: "whole_total", factory: registry)
        let fractions = FloatingPointCounter(label: "fractions_total", factory: registry)
        let histogram = Recorder(label: "h", factory: registry)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<20_000 {
                        counter.increment()
                        fractions.increment(by: 0.5)
                        histogram.record(2)
                    }
                }
            }
            for _ in 0..<20 { _ = await registry.exposition() }
        }
        let read = try NaiveParser(await registry.exposition())
        #expect(read.value("whole_total") == 160_000)
        #expect(read.value("fractions_total") == 80_000)
        #expect(read.value("h_count") == 160_000)
        #expect(read.value("h_sum") == 320_000)
    }

    @Test func `series above the cap are counted as overflow, which is reported once`() async throws {
        let registry = self.registry(series: 2)
        for tenant in 0..<10 {
            Counter(label: "c_total", dimensions: [("tenant", "\(tenant)")], factory: registry).increment()
        }
        let read = try NaiveParser(await registry.exposition())
        #expect(read.samples.filter { $0.name == "c_total" }.count == 3)
        #expect(read.value("c_total", ["overflow": "true"]) == 8)
        #expect(self.log.lines.count == 1)
    }

    @Test func `the cap is that of all metrics together`() async throws {
        let registry = self.registry(series: 1)
        Counter(label: "a_total", dimensions: [("x", "1")], factory: registry).increment()
        Counter(label: "a_total", dimensions: [("x", "2")], factory: registry).increment()
        Counter(label: "b_total", dimensions: [("x", "1")], factory: registry).increment(by: 5)
        let read = try NaiveParser(await registry.exposition())
        #expect(read.value("a_total", ["overflow": "true"]) == 1)
        #expect(read.value("b_total", ["overflow": "true"]) == 5)
    }

    @Test func `a series goes with its last handle and leaves its place`() async throws {
        let registry = self.registry(series: 1)
        let labels = [("x", "1")]
        let first = Counter(label: "c_total", dimensions: labels, factory: registry)
        let second = Counter(label: "c_total", dimensions: labels, factory: registry)
        first.increment()
        first.destroy()
        #expect(try NaiveParser(await registry.exposition()).value("c_total", ["x": "1"]) == 1)
        second.destroy()
        #expect(try NaiveParser(await registry.exposition()).value("c_total", ["x": "1"]) == nil)
        Counter(label: "c_total", dimensions: [("x", "2")], factory: registry).increment()
        #expect(try NaiveParser(await registry.exposition()).value("c_total", ["x": "2"]) == 1)
    }

    @Test(
        arguments: [
            ("", []), ("1st_total", []), ("naïve", []), ("a-b", []), ("a b", []), ("a\n", []),
            ("c_total", [("1x", "")]), ("c_total", [("__x", "")]), ("c_total", [("", "")]), ("c_total", [("a:b", "")]),
            ("c_total", [("le", "")]), ("c_total", [("overflow", "")]), ("c_total", [("a", "1"), ("a", "2")]),
            ("known_total", []), ("known_total", [("y", "")]), ("known_total", [("x", ""), ("y", "")]),
            ("sizes", []), ("sizes_count", []), ("sizes_bucket", []), ("level", []),
        ] as [(String, [(String, String)])])
    func `a counter that cannot be is reported once and records nothing`(
        name: String, labels: [(String, String)]
    ) async throws {
        let registry = self.registry()
        Counter(label: "known_total", dimensions: [("x", "1")], factory: registry).increment()
        Recorder(label: "sizes", factory: registry).record(1)
        Gauge(label: "level", factory: registry).record(1)
        let before = try NaiveParser(await registry.exposition())
        for _ in 0..<3 { Counter(label: name, dimensions: labels, factory: registry).increment() }
        let after = try NaiveParser(await registry.exposition())
        func known(_ parsed: NaiveParser) -> [NaiveParser.Sample] {
            parsed.samples.filter { !$0.name.hasPrefix("test_") }
        }
        #expect(known(after) == known(before))
        #expect(after.value("test_metrics_refused_total") == 3)
        #expect(self.log.lines.count == 1)
    }

    @Test func `a histogram whose samples are other metrics is refused`() async throws {
        let registry = self.registry()
        Counter(label: "x_count", factory: registry).increment()
        Recorder(label: "x", factory: registry).record(1)
        #expect(try NaiveParser(await registry.exposition()).types["x"] == nil)
    }

    @Test func `metrics that are made up for a scrape are capped and checked as well`() async throws {
        let registry = self.registry(series: 5)
        Counter(label: "recorded_total", factory: registry).increment()
        registry.addCollector {
            [
                MetricFamily(
                    "made_total", help: "", kind: .counter,
                    samples: (0..<5).map { .init([("t", "\($0)")], $0 + 1) } + [.init([("t", "0")], 9)]),
                MetricFamily("made_total", help: "", kind: .counter, value: 1),
                MetricFamily("recorded_total", help: "", kind: .counter, value: 7),
                MetricFamily("not legal", help: "", kind: .gauge, value: 7),
                MetricFamily(
                    "odd", help: "", kind: .gauge, samples: [.init([("__x", "1")], 1), .init([("x", "1")], 2)]),
                MetricFamily("test_metrics_series", help: "", kind: .gauge, value: 7),
            ]
        }
        let read = try NaiveParser(await registry.exposition())
        #expect(read.value("made_total", ["t": "0"]) == 1)
        #expect(read.value("made_total", ["t": "1"]) == 2)
        #expect(read.value("made_total", ["overflow": "true"]) == 12)
        #expect(read.value("recorded_total") == 1)
        #expect(read.samples.filter { $0.name == "odd" } == [.init(name: "odd", labels: ["x": "1"], value: 2)])
    }

    @Test func `metrics with many series leave room for the others, and are no refusals`() async throws {
        let registry = self.registry(series: 10)
        @Sendable func many(_ name: String, _ kind: MetricFamily.Kind) -> MetricFamily {
            MetricFamily(name, help: "", kind: kind, samples: (0..<20).map { .init([("t", "\($0)")], 1) })
        }
        registry.addCollector {
            [many("a_total", .counter), many("b", .gauge), MetricFamily("ready", help: "", kind: .gauge, value: 1)]
        }
        _ = await registry.exposition()
        let read = try NaiveParser(await registry.exposition())
        #expect(read.value("ready") == 1)
        #expect(read.value("a_total", ["overflow": "true"]) == 11)
        #expect(!read.samples.contains { $0.name == "b" }, "a sum of gauges says nothing")
        #expect(read.value("test_metrics_series_left_out") == 31)
        #expect(read.value("test_metrics_refused_total") == 0)
        #expect(self.log.lines.count == 2, "one for each, however often")
    }

    @Test func `more than a thousand series of one metric are told if the cap allows it`() async throws {
        let registry = self.registry(series: 3000)
        registry.addCollector {
            [MetricFamily("a_total", help: "", kind: .counter, samples: (0..<2500).map { .init([("t", "\($0)")], 1) })]
        }
        #expect(try NaiveParser(await registry.exposition()).samples.filter { $0.name == "a_total" }.count == 2500)
    }

    @Test func `a collector may set what is recorded`() async throws {
        let registry = self.registry()
        let gauge = Meter(label: "level", factory: registry)
        registry.addCollector {
            gauge.increment(by: 1)
            return []
        }
        _ = await registry.exposition()
        #expect(try NaiveParser(await registry.exposition()).value("level") == 2)
    }

    @Test func `a label value that is too long is cut between two characters`() async throws {
        let registry = self.registry()
        let text = "a" + String(repeating: "é", count: 600)
        Counter(label: "c_total", dimensions: [("x", text)], factory: registry).increment()
        let read = try NaiveParser(await registry.exposition())
        let value = try #require(read.samples.first { $0.name == "c_total" }?.labels["x"])
        #expect(value.utf8.count == TelemetryLimits.labelValueBytes - 1, "one byte and then pairs")
        #expect(text.hasPrefix(value))
    }
}
