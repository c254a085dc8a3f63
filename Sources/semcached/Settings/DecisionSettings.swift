// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension DecisionPolicy {
    /// Reads how a cache decides; what is not given is as in `defaults`.
    ///
    /// - Parameters:
    ///   - prefix: Of the keys, which are among those of the cache's policy.
    ///   - judges: See ``PolicyNames``.
    /// - Throws: ``SettingsError``.
    init(_ source: some SettingsReader, prefix: String, defaults: DecisionPolicy, judges: [String: String?]) throws {
        self.init(
            kind: try source.choice(prefix + "decision", Kind.self) ?? defaults.kind,
            errorBudget: try source.share(prefix + "error_budget", in: Limits.errorBudget) ?? defaults.errorBudget,
            wrongHitLimit: try source.share(prefix + "wrong_hit_limit", in: Limits.wrongHitShare)
                ?? defaults.wrongHitLimit,
            isShadow: try source.boolean(prefix + "shadow") ?? defaults.isShadow,
            guards: try source.guards(prefix + "guards") ?? defaults.guards,
            normalises: try source.boolean(prefix + "normalize") ?? defaults.normalises,
            judge: try source.choice(prefix + "judge", judges) ?? defaults.judge)
    }
}

extension SettingsReader {
    /// A part of a whole, as a number or in percent.
    fileprivate func share(_ key: String, in range: ClosedRange<Double>) throws -> Double? {
        let bounds = "\(range.lowerBound) to \(range.upperBound)"
        return try self.parse(key, "a number from \(bounds), or as much in percent, such as 1%") { text in
            let share = text.hasSuffix("%") ? Double(text.dropLast()).map { $0 / 100 } : Double(text)
            return share.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// All, none, or those that are named.
    fileprivate func guards(_ key: String) throws -> Set<Guard>? {
        guard let names = try self.words(key) else { return nil }
        if names == ["all"] { return Set(Guard.allCases) }
        if names == ["none"] { return [] }
        guard !names.isEmpty else { throw SettingsError("\(self.name(of: key)) is empty; say none, or name some") }
        let known = Guard.allCases.map(\.rawValue)
        return Set(
            try names.map { name in
                guard let guardOfName = Guard(rawValue: name) else {
                    throw SettingsError(
                        "\(self.name(of: key)) has \"\(name)\"; it must be all, none, or a list of "
                            + known.joined(separator: ", "))
                }
                return guardOfName
            })
    }
}
