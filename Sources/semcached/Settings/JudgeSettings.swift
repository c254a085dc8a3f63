// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import HTTPEmbedder

/// Who is asked whether an answer is right where the decision policy is uncertain, by the names by which caches choose.
struct JudgeSettings: Equatable {
    /// What a cache says that wants none, though its defaults name one.
    static let noneName = "none"

    private static let keys: Set<String> = ProviderKeys.access.union([
        "name", "url", "model", "sure_from", "risk_up_to", "maximum_concurrent",
    ])

    var judges: [String: HTTPJudge.Configuration] = [:]

    /// - Parameter embedders: Names that metrics know already.
    /// - Throws: ``SettingsError``.
    init(_ source: SettingsSource, embedders: Set<String>) throws {
        for node in source.file?.judges ?? [] {
            let name = try node.labelName()
            guard self.judges[name] == nil else { throw SettingsError("\(node.path).name is that of another judge") }
            guard !embedders.contains(name) else {
                throw SettingsError("\(node.path).name is that of an embedder: metrics and logs name both")
            }
            guard name != Self.noneName else { throw SettingsError("\(node.path).name cannot be \(Self.noneName)") }
            self.judges[name] = try Self.judge(node, name)
        }
    }

    /// For settings that name a judge.
    var choices: [String: String?] {
        var choices: [String: String?] = [:]
        for name in self.judges.keys { choices.updateValue(name, forKey: name) }
        choices.updateValue(nil, forKey: Self.noneName)
        return choices
    }

    /// The judges that a directory's caches name.
    func used(by directory: TenantDirectory) -> Set<String> {
        let policies = Array(directory.tenants.values) + [directory.undeclared].compactMap { $0 }
        return Set(policies.flatMap { $0.cachePolicies.compactMap(\.decision.judge) })
    }

    private static func judge(_ node: SettingsNode, _ name: String) throws -> HTTPJudge.Configuration {
        try node.check(keys: Self.keys)
        guard let url = try node.string("url") else { throw SettingsError("\(node.path).url is missing") }
        guard let model = try node.string("model") else { throw SettingsError("\(node.path).model is missing") }
        var configuration = HTTPJudge.Configuration(name: name, baseURL: url, model: model)
        let band = configuration.band
        configuration.band = JudgeBand(
            sureFrom: try node.number("sure_from", in: -1...1).map { Float($0) } ?? band.sureFrom,
            riskUpTo: try node.number("risk_up_to", in: 0...1) ?? band.riskUpTo)
        configuration.credential = try node.credential("api_key")
        configuration.allowsPlaintextCredential = try node.boolean("plaintext_key") ?? false
        try node.readAccess(into: &configuration, concurrency: "maximum_concurrent")
        do throws(CacheError) {
            try configuration.validate()
        } catch {
            throw SettingsError(error, at: node.path, of: configuration)
        }
        return configuration
    }
}
