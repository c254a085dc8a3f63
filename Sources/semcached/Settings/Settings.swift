// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Foundation
import LocalEmbedder
import Logging

/// What the service runs with, checked; made once, before anything starts.
struct Settings {
    var host: String
    var port: Int
    var threads: Int
    var store: StoreSettings
    var sweepInterval: Duration
    var memoryBytes: Int
    var modelPath: String
    var verifiesModel: Bool
    var precision: MiniLMEncoder.Precision
    var embedderThreads: Int
    var tenants: TenantSettings
    var logLevel: Logger.Level
    var gracePeriod: Duration

    /// Every key there is; another one in a file or an argument is an error.
    static let keys: Set<String> = Self.plainKeys.union(StoreSettings.keys).union(TenantSettings.tokenKeys)
        .union(CachePolicy.keys.map { "cache.\($0)" })

    private static let plainKeys: Set<String> = [
        "server.host", "server.port", "server.threads", "server.grace_period",
        "store.sweep_interval", "memory.limit",
        "embedder.model_path", "embedder.verify", "embedder.precision", "embedder.threads", "log.level",
    ]

    /// Reads and checks all settings.
    ///
    /// - Throws: ``SettingsError`` naming the key, what is wrong and what would be right.
    init(_ source: SettingsSource) throws {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        self.host = try source.string("server.host") ?? "127.0.0.1"
        self.port = try source.integer("server.port", in: 0...65_535) ?? 7070
        self.threads = try source.integer("server.threads", in: 1...256) ?? min(cores, 8)
        self.gracePeriod = try source.duration("server.grace_period", atLeast: .zero) ?? .seconds(10)
        self.store = try StoreSettings(source, defaultPath: Self.dataFolder + "/semcached.sqlite")
        self.sweepInterval = try source.duration("store.sweep_interval", atLeast: .milliseconds(100)) ?? .seconds(60)
        // Replicas do not tell each other yet what they remove: what one remembered could be served by it all the same.
        let remembers = if case .embedded = self.store { true } else { false }
        self.memoryBytes = try source.bytes("memory.limit") ?? (remembers ? 256 << 20 : 0)
        self.modelPath = try source.string("embedder.model_path") ?? Self.cacheFolder + "/all-MiniLM-L6-v2"
        self.verifiesModel = try source.boolean("embedder.verify") ?? true
        self.precision = try source.choice("embedder.precision", ["int16": .int16, "fp32": .fp32]) ?? .int16
        self.embedderThreads = try source.integer("embedder.threads", in: 1...256) ?? cores
        self.logLevel = try source.choice("log.level", Logger.Level.self) ?? .info
        self.tenants = try TenantSettings(source)
        try self.check()
    }

    private func check() throws {
        guard self.tenants.hasCredentials || Self.isLoopback(self.host) else {
            throw SettingsError(
                "server.host is \(self.host), and no credentials are configured: without tenants' api_keys, gateways or "
                    + "tokens the service listens on loopback only (127.0.0.1, ::1 or localhost)")
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "::1" || host == "localhost" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    private static var home: String { NSHomeDirectory() }

    /// Of systemd's unit, or the user's own.
    private static var dataFolder: String {
        let environment = ProcessInfo.processInfo.environment
        if let folder = environment["STATE_DIRECTORY"], !folder.isEmpty { return folder }
        if let folder = environment["XDG_DATA_HOME"], !folder.isEmpty { return folder + "/semcached" }
        return self.home + "/.local/share/semcached"
    }

    /// Where `deploy/model` puts the model.
    private static var cacheFolder: String {
        if let folder = ProcessInfo.processInfo.environment["XDG_CACHE_HOME"], !folder.isEmpty {
            return folder + "/semcached"
        }
        return self.home + "/.cache/semcached"
    }
}
