// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation

/// The labels of metrics and their values, as far as these are of closed sets.
struct MetricLabels {
    /// By metric and label.
    private(set) var values: [String: [String: Set<String>]] = [:]

    /// - Parameter exposition: In Prometheus' text format.
    init(_ exposition: String) {
        for line in exposition.split(separator: "\n") where line.first != "#" {
            guard let match = line.firstMatch(of: /^([a-z_]+)\{(.*)\}/) else { continue }
            for label in match.2.matches(of: /([a-z_]+)="([^"]*)"/) {
                self.add(String(match.1), String(label.1), [String(label.2)])
            }
        }
    }

    mutating func add(_ metric: String, _ label: String, _ more: [String]) {
        self.values[metric, default: [:]][label, default: []].formUnion(more)
    }

    /// A condition of a query on one of its metrics.
    struct Condition {
        let metric: String
        let label: String
        /// Regular expression.
        let value: String
    }

    /// Of the labels that are not Prometheus' own, and not of an open set.
    static func conditions(in queries: String) throws -> [Condition] {
        let free: Set<String> = ["job", "instance", "tenant", "le"]
        var conditions: [Condition] = []
        for selector in queries.matches(of: /\b((?:semcache|process)_[a-z0-9_]+)\{([^}]*)\}/) {
            for label in selector.2.matches(of: /([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"/)
            where !free.contains(String(label.1)) {
                let isPattern = label.2.hasSuffix("~")
                let alternatives = isPattern ? label.3.split(separator: "|") : [label.3]
                for value in alternatives {
                    conditions.append(
                        Condition(
                            metric: String(selector.1), label: String(label.1),
                            value: isPattern ? String(value) : NSRegularExpression.escapedPattern(for: String(value))))
                }
            }
        }
        return conditions
    }

    func fits(_ condition: Condition) throws -> Bool {
        let pattern = try Regex("^(?:\(condition.value))$")
        return try self.values[condition.metric]?[condition.label]?.contains { try pattern.wholeMatch(in: $0) != nil }
            ?? false
    }
}
