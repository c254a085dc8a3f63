// SPDX-License-Identifier: Apache-2.0

/// What the composition root says of a metric before anything records it.
package struct MetricDeclaration: Sendable {
    package var name: String
    /// One sentence; the HELP line.
    package var help: String
    /// Upper bounds of a histogram's buckets, finite and ascending, in the metric's unit; `nil`: those for durations.
    package var bounds: [Double]?

    package init(_ name: String, help: String, bounds: [Double]? = nil) {
        precondition(bounds.map(Self.areBounds) ?? true, "\(name): bounds must be finite, ascending, few")
        self.name = name
        self.help = help
        self.bounds = bounds
    }

    private static func areBounds(_ bounds: [Double]) -> Bool {
        !bounds.isEmpty && bounds.count <= TelemetryLimits.histogramBounds && bounds.allSatisfy(\.isFinite)
            && zip(bounds, bounds.dropFirst()).allSatisfy(<)
    }

    /// From 100 µs, an answer out of memory, to 10 s, the deadline of a call that names none; seconds.
    package static let durationBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
}

package enum MetricKind: String, Sendable {
    case counter
    case gauge
    case histogram
}

/// A metric that is made up when it is asked for, of figures that something else keeps.
package struct MetricFamily: Sendable {
    package enum Kind: Sendable { case counter, gauge }

    package struct Sample: Sendable {
        package var labels: [(String, String)]
        package var value: Double

        package init(_ labels: [(String, String)] = [], _ value: Double) {
            self.labels = labels
            self.value = value
        }

        package init(_ labels: [(String, String)] = [], _ value: some BinaryInteger) {
            self.init(labels, Double(value))
        }
    }

    package var name: String
    package var help: String
    package var kind: Kind
    package var samples: [Sample]

    package init(_ name: String, help: String, kind: Kind, samples: [Sample]) {
        self.name = name
        self.help = help
        self.kind = kind
        self.samples = samples
    }

    /// One that has no labels.
    package init(_ name: String, help: String, kind: Kind, value: Double) {
        self.init(name, help: help, kind: kind, samples: [Sample([], value)])
    }
}

/// Names and labels as the text format has them.
enum MetricName {
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    static func isLegal(_ name: String) -> Bool {
        self.isLegal(name) { $0 == UInt8(ascii: ":") }
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`; those with two underscores in front are Prometheus' own.
    static func isLegalLabel(_ name: String) -> Bool {
        !name.utf8.starts(with: "__".utf8) && self.isLegal(name) { _ in false }
    }

    private static func isLegal(_ name: String, also: (UInt8) -> Bool) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
            default: also(byte)
            }
        }
    }

    /// Labels as they stand between the braces, in the order of their names: what tells series apart. Bytes, since
    /// `String` takes different spellings of a character for the same.
    static func rendered(_ labels: [(String, String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, value) in labels.sorted(by: { $0.0 < $1.0 }) {
            if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: "=\"".utf8)
            Exposition.escape(value, limit: TelemetryLimits.labelValueBytes, isQuoted: true, into: &bytes)
            bytes.append(UInt8(ascii: "\""))
        }
        return bytes
    }

    /// - Returns: what is wrong with the labels of a series.
    static func fault(inLabels labels: [(String, String)]) -> String? {
        guard labels.count <= TelemetryLimits.labels else { return "has more than \(TelemetryLimits.labels) labels" }
        var names: Set<String> = []
        for (name, _) in labels {
            guard self.isLegalLabel(name) else { return "has a label whose name is not legal" }
            guard name != "le", name != Self.overflowLabel else { return "has a label that is reserved, \(name)" }
            guard names.insert(name).inserted else { return "has the label \(name) twice" }
        }
        return nil
    }

    static let overflowLabel = "overflow"
    static let overflow = Array("overflow=\"true\"".utf8)
}
