// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import Logging
import ServiceLifecycle
import Synchronization
import Telemetry
import TokenVerification
import UnixSignals

/// Reads the settings again on SIGHUP, and puts in force what can change while the service runs: tenants, caches, quotas,
/// credentials, certificates and the level of the log. Settings that are wrong, or name a file that is, change nothing.
final class Reloader: Service {
    private let parts: Parts
    private let started: Settings
    private let inForce: Mutex<Settings>
    private let read: @Sendable () throws -> Settings
    private let logger: Logger

    /// What it changes.
    struct Parts: Sendable {
        let engine: CacheEngine
        let ports: Ports
        /// `nil` for a service that was started without credentials.
        let credentials: CredentialAuthenticator?
        let log: LogSettings
    }

    init(_ parts: Parts, started: Settings, read: @escaping @Sendable () throws -> Settings, logger: Logger) {
        self.parts = parts
        self.started = started
        self.inForce = Mutex(started)
        self.read = read
        self.logger = logger
    }

    /// The settings that were read last without a fault.
    var settings: Settings { self.inForce.withLock { $0 } }

    func run() async {
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) {
                do {
                    try self.reload()
                    await self.checkTokenKeys()
                } catch {
                    self.logger.error(
                        "settings not reloaded; the old ones stay in force", metadata: ["reason": "\(error)"])
                }
            }
        }
    }

    /// Ends connections that a token let in whose key was withdrawn; to know that, keys of a URL are fetched again.
    private func checkTokenKeys() async {
        guard let tokens = self.parts.credentials?.tokens else { return }
        await tokens.refresh(at: Composition.wallClock())
        self.parts.ports.native.checkCredentials()
    }

    private func reload() throws {
        let settings = try self.read()
        guard settings.tenants.hasCredentials == (self.parts.credentials != nil) else {
            throw SettingsError("the first credential, and taking away the last one, need a restart")
        }
        guard (settings.tls == nil) == (self.started.tls == nil) else {
            throw SettingsError("switching TLS on or off needs a restart")
        }
        let needed = settings.embedders.used(
            by: settings.tenants.directory, default: self.started.embedders.defaultName)
        for name in needed.sorted() where self.parts.engine.pools[name] == nil {
            throw SettingsError("the first cache of embedder \(name) needs a restart")
        }
        let judges = self.started.judges.judges
        for name in settings.judges.used(by: settings.tenants.directory).sorted() where judges[name] == nil {
            throw SettingsError("the first cache of judge \(name) needs a restart")
        }
        let verifier = self.parts.credentials?.tokens as? JSONWebTokenVerifier
        let credentials = try Composition.credentials(settings.tenants, succeeding: verifier, logger: self.logger)
        let tls = try settings.tls.map { try PortContexts($0) }
        // Nothing from here on can fail.
        let hasOtherCertificates = tls.map { self.parts.ports.replace(tls: $0) } ?? false
        self.parts.credentials?.replace(credentials)
        self.parts.engine.replace(settings.tenants.directory)
        self.parts.ports.checkCredentials()
        self.parts.log.level = settings.telemetry.logLevel
        let old = self.inForce.withLock { inForce in
            defer { inForce = settings }
            return inForce
        }
        let changes = settings.changes(since: old) + (hasOtherCertificates ? ["certificates read"] : [])
        self.logger.info(
            "settings reloaded",
            metadata: [
                "changed": "\(changes)",
                "needs_restart": "\(settings.needsRestart(since: self.started))",
            ])
    }
}

extension Settings {
    /// What differs and is in force with this reading, in words.
    func changes(since old: Settings) -> [String] {
        var changes = self.tenants.changes(since: old.tenants)
        if self.tls != old.tls { changes.append("TLS settings") }
        if self.telemetry.logLevel != old.telemetry.logLevel { changes.append("log.level \(self.telemetry.logLevel)") }
        return changes
    }

    /// The settings that differ and are only read at the start.
    func needsRestart(since old: Settings) -> [String] {
        let (now, before) = (self.readAtStart, old.readAtStart)
        var keys = Set(now.keys).union(before.keys).filter { now[$0] != before[$0] }
        // Their values are not among the given ones.
        if self.store != old.store, keys.allSatisfy({ !$0.hasPrefix("store.") }) { keys.insert("store.url") }
        if self.telemetry.traces?.endpoint != old.telemetry.traces?.endpoint { keys.insert("traces.endpoint") }
        if self.embedders.providers != old.embedders.providers { keys.insert("embedders") }
        if self.judges != old.judges { keys.insert("judges") }
        return keys.sorted()
    }

    /// As they were given, by key.
    private var readAtStart: [String: String] {
        let reloaded = ["cache.", "tls.", "tokens.", "log.level"]
        let values = self.given.filter { given in !reloaded.contains { given.key.hasPrefix($0) } }
        return Dictionary(uniqueKeysWithValues: values.map { ($0.key, $0.value) })
    }
}

extension TenantSettings {
    fileprivate func changes(since old: TenantSettings) -> [String] {
        let (names, oldNames) = (self.directory.tenants, old.directory.tenants)
        let counts: [(String, Int)] = [
            ("tenants added", names.keys.count { oldNames[$0] == nil }),
            ("tenants removed", oldNames.keys.count { names[$0] == nil }),
            ("tenants changed", names.count { oldNames[$0.key] != nil && oldNames[$0.key] != $0.value }),
            ("API keys added or changed", self.keys.count { !old.keys.contains($0) }),
            ("API keys removed or changed", old.keys.count { !self.keys.contains($0) }),
            ("certificate names added or changed", self.certificates.count { !old.certificates.contains($0) }),
            ("certificate names removed or changed", old.certificates.count { !self.certificates.contains($0) }),
        ]
        return counts.filter { $0.1 > 0 }.map { "\($0.0): \($0.1)" }
            + (self.tokens == old.tokens ? [] : ["tokens"])
            + (self.directory.undeclared == old.directory.undeclared ? [] : ["other_tenants"])
    }
}
