// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Foundation
import HTTPEmbedder
import LocalEmbedder

/// What embeds, by the names by which caches choose.
struct EmbedderSettings: Equatable {
    /// The model in this process.
    struct Local: Equatable {
        var modelPath: String
        var verifiesModel: Bool
        var precision: MiniLMEncoder.Precision
        var threads: Int
    }

    /// One of the list `embedders`.
    struct Provider: Equatable {
        var configuration: HTTPEmbedder.Configuration
        /// Asked, in this order, when it fails. Of the same identity.
        var fallback: [String]
        /// Whether vectors are kept in the store.
        var persists: Bool
    }

    /// The name of the model in this process.
    static let localName = "local"
    /// Keys of the section `embedder`.
    static let keys: Set<String> = [
        "embedder.default", "embedder.model_path", "embedder.verify", "embedder.precision", "embedder.threads",
        "embedder.memory", "embedder.persist",
    ]

    var local: Local
    var persistsLocal: Bool
    var providers: [String: Provider] = [:]
    /// Of caches that choose none.
    var defaultName: String
    /// Of remembered vectors, of each embedder.
    var memoryBytes: Int

    var names: Set<String> { Set(self.providers.keys).union([Self.localName]) }

    /// - Parameter folder: Of the model, unless another is given.
    /// - Throws: ``SettingsError``.
    init(_ source: SettingsSource, defaultModelPath folder: String) throws {
        self.local = Local(
            modelPath: try source.string("embedder.model_path") ?? folder,
            verifiesModel: try source.boolean("embedder.verify") ?? true,
            precision: try source.choice("embedder.precision", MiniLMEncoder.Precision.self) ?? .int16,
            threads: try source.integer("embedder.threads", in: 1...256) ?? ProcessInfo.processInfo.activeProcessorCount
        )
        self.persistsLocal = try source.boolean("embedder.persist") ?? false
        self.memoryBytes = try source.bytes("embedder.memory") ?? Limits.embeddingMemoryBytes
        self.defaultName = Self.localName
        for node in source.file?.embedders ?? [] {
            let name = try node.labelName()
            guard name != Self.localName, self.providers[name] == nil else {
                throw SettingsError("\(node.path).name is that of another embedder")
            }
            self.providers[name] = try Provider(node, name: name)
        }
        self.defaultName = try source.choice("embedder.default", self.choices) ?? Self.localName
        for (name, provider) in self.providers { try self.checkFallback(of: name, provider) }
    }

    /// For settings that name an embedder.
    var choices: [String: String] { Dictionary(uniqueKeysWithValues: self.names.map { ($0, $0) }) }

    /// Vectors of two models never meet: not even when one of them has failed.
    private func checkFallback(of name: String, _ provider: Provider) throws {
        for other in provider.fallback {
            guard let fallback = self.providers[other], other != name else {
                throw SettingsError(
                    "embedder \(name) falls back to \(other), which is no other provider of the list embedders")
            }
            let (own, its) = (provider.configuration.identity, fallback.configuration.identity)
            guard own == its else {
                throw SettingsError(
                    "embedder \(name) cannot fall back to \(other): its vectors are of \(own), those of \(other) of "
                        + "\(its), and the two cannot be compared")
            }
        }
    }

    /// The embedders that a directory's caches use, and the default.
    ///
    /// - Parameter started: The default that is in force, if it may be another one than these settings name.
    func used(by directory: TenantDirectory, default started: String? = nil) -> Set<String> {
        let defaultName = started ?? self.defaultName
        var names: Set<String> = [defaultName]
        for policy in Array(directory.tenants.values) + [directory.undeclared].compactMap({ $0 }) {
            for cache in policy.cachePolicies { names.insert(cache.embedder ?? defaultName) }
        }
        return names
    }

    /// A provider and those that stand in for it, in their order.
    func chain(of name: String) -> [String] { [name] + (self.providers[name]?.fallback ?? []) }
}
