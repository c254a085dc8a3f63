// SPDX-License-Identifier: Apache-2.0

/// Prometheus' text format 0.0.4.
package struct Exposition {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var bytes: [UInt8] = []

    mutating func family(_ name: String, help: String, kind: MetricKind) {
        if !help.isEmpty {
            self.bytes.append(contentsOf: "# HELP \(name) ".utf8)
            Self.escape(help, limit: .max, isQuoted: false, into: &self.bytes)
            self.bytes.append(UInt8(ascii: "\n"))
        }
        self.bytes.append(contentsOf: "# TYPE \(name) \(kind.rawValue)\n".utf8)
    }

    mutating func sample(_ name: String, labels: [UInt8], value: String) {
        self.bytes.append(contentsOf: name.utf8)
        if !labels.isEmpty {
            self.bytes.append(UInt8(ascii: "{"))
            self.bytes.append(contentsOf: labels)
            self.bytes.append(UInt8(ascii: "}"))
        }
        self.bytes.append(UInt8(ascii: " "))
        self.bytes.append(contentsOf: value.utf8)
        self.bytes.append(UInt8(ascii: "\n"))
    }

    /// The shortest text that reads as the same number; whole numbers without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return String(whole) }
        return value.description
    }

    /// - Parameter limit: bytes of the text before escaping; the rest is cut between two characters.
    static func escape(_ text: String, limit: Int, isQuoted: Bool, into bytes: inout [UInt8]) {
        var taken = 0
        for scalar in text.unicodeScalars {
            taken += UTF8.width(scalar)
            guard taken <= limit else { return }
            switch scalar {
            case "\\": bytes.append(contentsOf: "\\\\".utf8)
            case "\n": bytes.append(contentsOf: "\\n".utf8)
            case "\"" where isQuoted: bytes.append(contentsOf: "\\\"".utf8)
            default: bytes.append(contentsOf: UTF8.encode(scalar)!)
            }
        }
    }
}
