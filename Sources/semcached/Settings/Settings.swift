// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Foundation
import OpenSSLTLS

/// What the service runs with, checked; made once, before anything starts.
struct Settings {
    var listeners: ListenerSettings
    /// `nil` for plain TCP.
    var tls: TLSServerConfiguration?
    var store: StoreSettings
    var sweepInterval: Duration
    var memoryBytes: Int
    var embedders: EmbedderSettings
    var judges: JudgeSettings
    var tenants: TenantSettings
    var telemetry: TelemetrySettings
    /// As they were given, for whoever operates the service; secrets are left out.
    let given: [(key: String, value: String)]

    /// Every key there is; another one in a file or an argument is an error.
    static let keys: Set<String> = Self.plainKeys.union(ListenerSettings.keys).union(TLSSettings.keys)
        .union(StoreSettings.keys).union(EmbedderSettings.keys).union(TenantSettings.tokenKeys).union(
            TelemetrySettings.keys
        )
        .union(CachePolicy.keys.map { "cache.\($0)" })

    private static let plainKeys: Set<String> = [
        "store.sweep_interval", "memory.limit",
    ]
    /// They may hold users and passwords.
    private static let secretKeys: Set<String> = ["store.url", "traces.endpoint"]

    /// Reads and checks all settings.
    ///
    /// - Throws: ``SettingsError`` naming the key, what is wrong and what would be right.
    init(_ source: SettingsSource) throws {
        self.listeners = try ListenerSettings(source)
        self.tls = try TLSSettings.read(source)
        self.store = try StoreSettings(source, defaultPath: Self.dataFolder + "/semcached.sqlite")
        self.sweepInterval = try source.duration("store.sweep_interval", atLeast: .milliseconds(100)) ?? .seconds(60)
        self.memoryBytes = try source.bytes("memory.limit") ?? 256 << 20
        self.embedders = try EmbedderSettings(source, defaultModelPath: Self.cacheFolder + "/all-MiniLM-L6-v2")
        self.telemetry = try TelemetrySettings(source)
        self.judges = try JudgeSettings(source, embedders: self.embedders.names)
        self.tenants = try TenantSettings(
            source, names: PolicyNames(embedders: self.embedders.choices, judges: self.judges.choices))
        self.given = try Self.keys.sorted().compactMap { key in
            try source.string(key).map { (key, Self.secretKeys.contains(key) ? "(hidden)" : Self.shown($0)) }
        }
        try self.check()
    }

    private func check() throws {
        try self.listeners.check(hasCredentials: self.tenants.hasCredentials)
        if !self.tenants.certificates.isEmpty {
            guard let tls, tls.clientCertificates != .none else {
                throw SettingsError("certificates are configured, and tls.client_ca, which would prove them, is not")
            }
        }
    }

    /// A value as it may be shown: of a URL, no user, password, query or fragment.
    private static func shown(_ value: String) -> String {
        guard let scheme = value.range(of: "://") else { return value }
        let authority = value[scheme.upperBound...].prefix { !"/?#".contains($0) }
        let rest = value[authority.endIndex...]
        let path = rest.prefix { !"?#".contains($0) }
        let host = authority.lastIndex(of: "@").map { "(hidden)@" + authority[authority.index(after: $0)...] }
        return value[..<scheme.upperBound] + (host ?? String(authority)) + path
            + (path.endIndex == rest.endIndex ? "" : "?(hidden)")
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
