// SPDX-License-Identifier: Apache-2.0

import Configuration

/// Reads settings by key: arguments before environment before file.
struct SettingsSource: SettingsReader {
    private let reader: ConfigReader
    /// What only a file can hold.
    let file: SettingsFile?

    /// - Parameters:
    ///   - arguments: From the command line, by key.
    ///   - environment: `server.port` is `SEMCACHED_SERVER_PORT`.
    ///   - path: Of a YAML file; `nil` for none.
    /// - Throws: ``SettingsError`` for an unknown key and a file that cannot be read.
    init(arguments: [String: String], environment: [String: String], file path: String?) throws {
        for key in arguments.keys { try Self.check(key, of: "the command line") }
        try Self.check(environment: environment)
        self.file = try path.map { try SettingsFile(path: $0) }
        let values = self.file?.values ?? [:]
        for key in values.keys { try Self.check(key, of: path ?? "the file") }
        self.reader = ConfigReader(providers: [
            Self.provider(arguments),
            EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: "semcached"),
            Self.provider(values),
        ])
    }

    func name(of key: String) -> String { key }

    func string(_ key: String) throws -> String? {
        guard let text = self.reader.string(forKey: ConfigKey(key)) else { return nil }
        guard !text.isEmpty else { throw SettingsError("\(key) is empty") }
        return text
    }

    private static func provider(_ values: [String: String]) -> InMemoryProvider {
        let keyed = values.map { key, text in
            (
                AbsoluteConfigKey(key.split(separator: ".").map(String.init)),
                ConfigValue(.string(text), isSecret: false)
            )
        }
        return InMemoryProvider(values: Dictionary(uniqueKeysWithValues: keyed))
    }

    private static func check(_ key: String, of source: String) throws {
        guard Settings.keys.contains(key) else {
            throw SettingsError(
                "\(source) has the unknown key \(key); known are \(Settings.keys.sorted().joined(separator: ", ")), "
                    + "and in a file the sections tenants, other_tenants, gateways, embedders and judges")
        }
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
