// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation
import Testing

/// Alerts and dashboard ask only for metrics that there are: what is written in `Sources` as a name.
@Suite struct MonitoringTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What Prometheus makes of one name.
    private static let suffixes = ["_bucket", "_sum", "_count"]

    private static func names(in text: String, quoted: Bool = false) -> Set<String> {
        let names = text.matches(of: /\b(?:semcache|process)_[a-z0-9_]+/)
        return Set(
            names.filter {
                !quoted || text[..<$0.range.lowerBound].last == "\"" && text[$0.range.upperBound...].first == "\""
            }
            .map { String($0.output) })
    }

    private static func named() throws -> Set<String> {
        let files = try #require(
            FileManager.default.enumerator(
                at: self.root.appending(path: "Sources").resolvingSymlinksInPath(), includingPropertiesForKeys: nil))
        var names: Set<String> = []
        for case let file as URL in files where file.pathExtension == "swift" {
            names.formUnion(Self.names(in: try String(contentsOf: file, encoding: .utf8), quoted: true))
        }
        return names
    }

    private static func queries(ofDashboard file: URL) throws -> [String] {
        let dashboard = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        let targets = panels.flatMap { $0["targets"] as? [[String: Any]] ?? [] }
        return targets.compactMap { $0["expr"] as? String }
    }

    private static func expectNamed(_ asked: Set<String>, in file: String) throws {
        let named = try self.named()
        for name in asked {
            let base = self.suffixes.first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) }
            #expect(named.contains(name) || base.map(named.contains) ?? false, "\(file) asks for \(name)")
        }
    }

    @Test(arguments: ["alerts.yaml", "alerts-test.yaml"])
    func `each metric of an alert is one that the service has`(name: String) throws {
        let file = Self.root.appending(path: "deploy/prometheus/\(name)")
        let asked = Self.names(in: try String(contentsOf: file, encoding: .utf8))
        #expect(asked.count > 10)
        try Self.expectNamed(asked, in: name)
    }

    @Test func `each query of the dashboard asks for metrics that the service has`() throws {
        let queries = try Self.queries(ofDashboard: Self.root.appending(path: "deploy/grafana/dashboard.json"))
        #expect(queries.count > 30)
        for query in queries { #expect(!Self.names(in: query).isEmpty, "\(query) asks for none of ours") }
        try Self.expectNamed(Self.names(in: queries.joined(separator: "\n")), in: "dashboard.json")
    }

    /// Those of the engine as a scrape has them; those of the ports, which are not here, as `ServerMetrics` and
    /// `ServiceState` write them.
    private static func labels() async throws -> MetricLabels {
        var labels = MetricLabels(try await MetricFamilyTests.exposition())
        labels.add("semcache_requests_total", "code", ["ok"] + CacheError.Code.allCases.map(\.label))
        labels.add("semcache_requests_total", "protocol", ["native", "grpc"])
        labels.add(
            "semcache_requests_total", "method",
            [
                "Lookup", "Store", "Invalidate", "Stats", "Export", "Ping", "Embed", "Lease", "Feedback", "Labels",
                "unknown",
            ])
        let state = try String(
            contentsOf: self.root.appending(path: "Sources/semcached/ServiceState.swift"), encoding: .utf8)
        let checks = state.matches(of: /ReadinessCheck\("([a-z]+)"/).map { String($0.1) }
        labels.add("semcache_ready", "check", checks)
        return labels
    }

    @Test(arguments: ["prometheus/alerts.yaml", "prometheus/alerts-test.yaml", "grafana/dashboard.json"])
    func `each label that a query asks for is one that its metric has, with that value`(name: String) async throws {
        let file = Self.root.appending(path: "deploy/\(name)")
        let isDashboard = name.hasSuffix(".json")
        let text =
            isDashboard
            ? try Self.queries(ofDashboard: file).joined(separator: "\n")
            : try String(contentsOf: file, encoding: .utf8)
        let conditions = try MetricLabels.conditions(in: text)
        #expect(conditions.count > 3)
        let labels = try await Self.labels()
        for condition in conditions {
            #expect(try labels.fits(condition), "\(condition.metric){\(condition.label)=~\"\(condition.value)\"}")
        }
    }

    @Test func `panels of the dashboard have ids of their own and do not overlap`() throws {
        let file = Self.root.appending(path: "deploy/grafana/dashboard.json")
        let dashboard = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
        var cells: Set<[Int]> = []
        for panel in panels {
            let place = try #require(panel["gridPos"] as? [String: Int])
            for column in place["x"]!..<place["x"]! + place["w"]! {
                for line in place["y"]!..<place["y"]! + place["h"]! {
                    #expect(column < 24 && cells.insert([column, line]).inserted, "\(panel["title"] ?? "")")
                }
            }
        }
    }
}
