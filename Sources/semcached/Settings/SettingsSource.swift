// SPDX-License-Identifier: Apache-2.0

import Configuration
import Foundation
import SystemPackage
import Yams

/// Reads settings by key: arguments before environment before file.
struct SettingsSource {
    private let reader: ConfigReader

    /// - Parameters:
    ///   - arguments: From the command line, by key.
    ///   - environment: `server.port` is `SEMCACHED_SERVER_PORT`.
    ///   - file: Of YAML; `nil` for none.
    /// - Throws: ``SettingsError`` for an unknown key and a file that cannot be read.
    init(arguments: [String: String], environment: [String: String], file: String?) async throws {
        for key in arguments.keys { try Self.check(key, of: "the command line") }
        try Self.check(environment: environment)
        let flags = arguments.map { (AbsoluteConfigKey($0.key.split(separator: ".").map(String.init)), $0.value) }
        var providers: [any ConfigProvider] = [
            InMemoryProvider(
                values: Dictionary(uniqueKeysWithValues: flags.map { ($0, ConfigValue(.string($1), isSecret: false)) })),
            EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: "semcached"),
        ]
        if let file {
            for key in try Self.keys(ofFile: file) { try Self.check(key, of: file) }
            do {
                providers.append(try await FileProvider<YAMLSnapshot>(filePath: FilePath(file)))
            } catch {
                throw SettingsError("\(file) cannot be read as settings: \(error)")
            }
        }
        self.reader = ConfigReader(providers: providers)
    }

    func string(_ key: String) throws -> String? {
        guard let text = self.reader.string(forKey: ConfigKey(key)) else { return nil }
        guard !text.isEmpty else { throw SettingsError("\(key) is empty") }
        return text
    }

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

    func duration(_ key: String, atLeast least: Duration) throws -> Duration? {
        try self.parse(key, "a duration such as 500ms, 30s, 24h or 7d, at least \(least)") {
            let milliseconds = Self.scaled($0, by: ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000])
            return milliseconds.map { .milliseconds($0) }.flatMap { $0 >= least ? $0 : nil }
        }
    }

    func bytes(_ key: String) throws -> Int? {
        try self.parse(key, "a size such as 64MiB or 2GiB") {
            Self.scaled($0, by: ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]).map { Int($0) }
        }
    }

    private func parse<Value>(_ key: String, _ expected: String, _ read: (String) -> Value?) throws -> Value? {
        guard let text = try self.string(key) else { return nil }
        guard let value = read(text) else { throw SettingsError("\(key) is \"\(text)\"; it must be \(expected)") }
        return value
    }

    /// A whole number and a unit.
    private static func scaled(_ text: String, by units: [String: Int64]) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), let unit = units[String(text.dropFirst(digits.count))] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? nil : product
    }

    private static func check(_ key: String, of source: String) throws {
        guard Settings.keys.contains(key) else {
            throw SettingsError(
                "\(source) has the unknown key \(key); known are \(Settings.keys.sorted().joined(separator: ", "))")
        }
    }

    /// The keys of a file: the configuration library reads what it is asked for and would pass over a misspelt one.
    private static func keys(ofFile path: String) throws -> [String] {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw SettingsError("\(path) cannot be read: \(error.localizedDescription)")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw SettingsError("\(path) is no valid YAML: \(error)")
        }
        guard let root else { return [] }
        guard let mapping = root.mapping else { throw SettingsError("\(path) must be a mapping of sections") }
        var keys: [String] = []
        for (section, value) in mapping {
            let name = section.string ?? "?"
            guard let entries = value.mapping else {
                // A section without entries is an empty one.
                if value.scalar?.string.isEmpty == false { keys.append(name) }
                continue
            }
            for (key, value) in entries {
                keys.append("\(name).\(key.string ?? "?")")
                guard value.scalar != nil else {
                    throw SettingsError("\(path): \(keys[keys.count - 1]) must be a single value")
                }
            }
        }
        return keys
    }

    /// Refuses a variable that is meant for this service and names no setting.
    private static func check(environment: [String: String]) throws {
        let known = Set(Settings.keys.map { "SEMCACHED_" + $0.replacing(".", with: "_").uppercased() })
        let sections = Set(Settings.keys.map { "SEMCACHED_" + $0.prefix { $0 != "." }.uppercased() + "_" })
        for name in environment.keys where sections.contains(where: { name.hasPrefix($0) }) && !known.contains(name) {
            throw SettingsError("the environment has \(name), which names no setting")
        }
    }
}
