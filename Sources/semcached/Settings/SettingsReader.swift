// SPDX-License-Identifier: Apache-2.0

/// What is wrong with the configuration.
struct SettingsError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Reads settings by key, from wherever they come, and checks them.
protocol SettingsReader {
    /// - Returns: `nil` if the setting is not given.
    func string(_ key: String) throws -> String?
    /// The key as whoever wrote it knows it.
    func name(of key: String) -> String
}

extension SettingsReader {
    func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
        try self.parse(key, "a whole number from \(range.lowerBound) to \(range.upperBound)") {
            Int($0).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    func number(_ key: String, in range: ClosedRange<Double>) throws -> Double? {
        try self.parse(key, "a number from \(range.lowerBound) to \(range.upperBound)") {
            Double($0).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    func boolean(_ key: String) throws -> Bool? {
        try self.choice(key, ["true": true, "false": false])
    }

    func choice<Value>(_ key: String, _ choices: [String: Value]) throws -> Value? {
        try self.parse(key, "one of \(choices.keys.sorted().joined(separator: ", "))") { choices[$0] }
    }

    /// One of the raw values of an enumeration.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: String, _: Choice.Type) throws -> Choice? {
        try self.choice(key, Dictionary(uniqueKeysWithValues: Choice.allCases.map { ($0.rawValue, $0) }))
    }

    func duration(_ key: String, atLeast least: Duration, atMost most: Duration? = nil) throws -> Duration? {
        let bounds = "at least \(least)" + (most.map { " and at most \($0)" } ?? "")
        return try self.parse(key, "a duration such as 500ms, 30s, 24h or 7d, \(bounds)") {
            let units: [String: Int64] = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
            return scaled($0, by: units).map { .milliseconds($0) }
                .flatMap { $0 >= least && $0 <= most ?? $0 ? $0 : nil }
        }
    }

    func bytes(_ key: String, in range: ClosedRange<Int> = 0...Int.max) throws -> Int? {
        let most = range.upperBound == Int.max ? "" : ", at most \(range.upperBound) bytes"
        return try self.parse(key, "a size such as 64MiB or 2GiB\(most)") {
            scaled($0, by: ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]).map { Int($0) }
                .flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// Words between commas, such as `read, write`.
    func words(_ key: String) throws -> [String]? {
        try self.string(key)?.split(separator: ",").map { $0.trimmingPrefix { $0 == " " }.trimmingSuffix() }
    }

    func parse<Value>(_ key: String, _ expected: String, _ read: (String) -> Value?) throws -> Value? {
        guard let text = try self.string(key) else { return nil }
        guard let value = read(text) else {
            throw SettingsError("\(self.name(of: key)) is \"\(text)\"; it must be \(expected)")
        }
        return value
    }
}

extension Substring {
    fileprivate func trimmingSuffix() -> String {
        var rest = self
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}

/// A whole number and a unit.
private func scaled(_ text: String, by units: [String: Int64]) -> Int64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), let unit = units[String(text.dropFirst(digits.count))] else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit)
    return overflow ? nil : product
}
